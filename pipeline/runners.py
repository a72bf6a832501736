"""Runners: which one a batch goes to, and what it must be told (docs/adr/0006)."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn, cast

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from pipeline.errors import UnusableJob
from pipeline.here import HERE_NAMES
from pipeline.job import Job


class Choice(NamedTuple):
    """Where a batch runs."""

    runner: FnApiRunner | None
    """None for the one that the options name."""
    options: list[str]
    """Beam's."""


def choose(runner: str | None, job: Job, options: Sequence[str]) -> Choice:
    """The runner of a batch.

    Args:
        runner: A runner's name or class, None for the default: Beam's FnApiRunner on this machine.
        options: Beam options as the user gave them; they win.

    Raises:
        UnusableJob: when there is no such option; other runners than the default may know more than Beam does.
    """
    if (runner or "") not in HERE_NAMES:
        return Choice(None, [f"--runner={runner}", *options])
    check_options(options)
    if job.processes:
        # A thread of Beam's for each shard, that waits for a process. Beam's own `multi_processing` imports Beam in each.
        return Choice(FnApiRunner(), [f"--direct_num_workers={job.shards}", *options])
    return Choice(FnApiRunner(), list(options))


class _Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong with an option, where argparse would list all of Beam's."""

    def error(self, message: str) -> NoReturn:
        raise UnusableJob(message)


def check_options(options: Sequence[str]) -> None:
    """Refuse what Beam would drop without a word, and what it would refuse with too many."""
    parser = _Parser(allow_abbrev=False, add_help=False, conflict_handler="resolve")
    for group in PipelineOptions.__subclasses__():
        # As Beam itself asks them.
        cast("Any", group)._add_argparse_args(parser)  # noqa: SLF001
    _, unknown = parser.parse_known_args(list(options))
    if unknown:
        raise UnusableJob(f"{' '.join(unknown)}: neither publog nor Beam knows this option; see publog run --help")

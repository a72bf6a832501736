"""Runners: which one a batch goes to, and what it must be told (docs/adr/0006)."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
import argparse
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn, cast

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from pipeline.errors import UnusableJob

HERE_NAMES: Final = frozenset({"", "DirectRunner", "FnApiRunner", f"{FnApiRunner.__module__}.FnApiRunner"})
"""What names the runner of this machine. Beam's `DirectRunner` may try to download another one; here it is this."""


class Choice(NamedTuple):
    """Where a batch runs."""

    runner: FnApiRunner | None
    """None for the one that the options name."""
    options: list[str]
    """Beam's."""
    processes: bool
    """Whether each shard gets a process of its own from us."""


def choose(runner: str | None, shards: int, options: Sequence[str], *, one_process: bool) -> Choice:
    """The runner of a batch.

    Args:
        runner: A runner's name or class, None for the default: Beam's FnApiRunner on this machine.
        shards: How many shards run side by side.
        options: Beam options as the user gave them; they win.
        one_process: Whether log or index live in this process's memory, where other processes can't see them.

    Raises:
        UnusableJob: when there is no such option; other runners than the default may know more than Beam does.
    """
    if (runner or "") not in HERE_NAMES:
        return Choice(None, [f"--runner={runner}", *options], processes=False)
    check_options(options)
    mode_given = any(option.startswith("--direct_running_mode") for option in options)
    if one_process or shards == 1 or mode_given:
        return Choice(FnApiRunner(), list(options), processes=False)
    # A thread of Beam's for each shard, that waits for a process. Beam's own `multi_processing` imports Beam in each.
    return Choice(FnApiRunner(), [f"--direct_num_workers={shards}", *options], processes=True)


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

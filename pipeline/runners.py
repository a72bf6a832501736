"""Runners: which one a job goes to, and what it must be told (docs/adr/0006, docs/runners.md)."""

# apache_beam has types in part only, grpc has none.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false, reportMissingModuleSource=false
import argparse
import importlib
import logging
import shutil
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple, NoReturn, cast

import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner

from pipeline.errors import JobFailed, UnusableJob
from pipeline.here import HERE_NAMES
from pipeline.job import Job
from pipeline.limits import ENDPOINT_SECONDS_MAX, JOB_SECONDS_MAX
from pipeline.prism import OwnPrism

_DASK: Final = "apache_beam.runners.dask.dask_runner"
"""Beam knows its own runner by its full name only."""

PORTABLE_OPTIONS: Final = ("--experiments=prism_disable_sdf_split", f"--job_server_timeout={JOB_SECONDS_MAX}")
"""Prism splits a slow bundle and runs both parts of a key at once; Beam's driver gives a job up after five minutes."""


class Choice(NamedTuple):
    """Where a job runs."""

    runner: PipelineRunner | None
    """None for the one that the options name."""
    options: list[str]
    """Beam's."""


def choose(runner: str | None, job: Job, options: Sequence[str]) -> Choice:
    """The runner of a batch.

    Args:
        runner: A runner's name or class, None for the default: Beam's FnApiRunner on this machine.
        options: Beam options as the user gave them; they win.

    Raises:
        UnusableJob: there is no such option, or the runner lacks something.
        JobFailed: the service that it needs does not answer.
    """
    if runner is not None and runner not in HERE_NAMES:
        return elsewhere(runner, options, (job.log, job.index))
    check_options(options)
    if job.processes:
        # A thread of Beam's for each shard, that waits for a process. Beam's own `multi_processing` imports Beam in each.
        return Choice(FnApiRunner(), [f"--direct_num_workers={job.shards}", *options])
    return Choice(FnApiRunner(), list(options))


def check_runner(runner: str | None, options: Sequence[str], urls: Collection[str]) -> None:
    """Refuse what `choose` would, before there is a job."""
    if runner is not None and runner not in HERE_NAMES:
        elsewhere(runner, options, urls)
    else:
        check_options(options)


def elsewhere(runner: str, options: Sequence[str], urls: Collection[str]) -> Choice:
    """A runner that is not this process, once what can be checked beforehand is.

    Args:
        urls: Of the log and the index.

    Raises:
        UnusableJob, JobFailed: as `choose` does.
    """
    if inside := [url for url in urls if url.startswith("memory:")]:
        raise UnusableJob(f"{inside[0]} is in this process, where the workers of {runner} can't see it")
    match short_name(runner):
        case "dask":
            return Choice(None, [f"--runner={_DASK}.DaskRunner", *_dask_options(options)])
        case "prism":
            given = check_options(options, _options_of_service(options))
            return Choice(OwnPrism(), [*options, *_prism_options(given), *PORTABLE_OPTIONS])
        case "portable":
            known = _options_of_service(options)
            check_options(options, known)
            if known is None:
                raise UnusableJob(f"--runner {runner} needs a job service: --job_endpoint HOST:PORT (docs/runners.md)")
            return Choice(None, [f"--runner={runner}", *options, *PORTABLE_OPTIONS])
        case _:
            check_options(options, _options_of_service(options))
            return Choice(None, [f"--runner={runner}", *options])


def has_workers_elsewhere(runner: str | None, options: Sequence[str]) -> bool:
    """Whether Beam's workers are in other processes than this one."""
    if runner is None or runner in HERE_NAMES:
        return False
    environment: str | None = _beam_parser().parse_known_args(list(options))[0].environment_type
    default = "LOOPBACK" if short_name(runner) == "prism" else "DOCKER"
    return (environment or default).upper() != "LOOPBACK"


def short_name(runner: str) -> str:
    """A runner's name as Beam takes it too: without its module, in lower case, without `runner`."""
    return runner.rpartition(".")[2].lower().removesuffix("runner")


def _dask_options(options: Sequence[str]) -> list[str]:
    try:
        for module in ("distributed", _DASK):
            importlib.import_module(module)
    except ImportError:
        raise UnusableJob("--runner DaskRunner needs Dask: pip install 'publog[dask]'") from None
    for name in ("distributed", "distributed.client"):
        # Tracebacks of what it tried again; what matters is raised.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    given = check_options(options)
    if not given.address and not given.scheduler_file:
        # Beam would start a cluster of this process's own, with a page that the whole network sees.
        raise UnusableJob(
            "--runner DaskRunner needs a cluster: --dask_client_address tcp://HOST:PORT (docs/runners.md)"
        )
    if given.npartitions is not None or given.partition_size is not None:
        raise UnusableJob("each shard is a task of its own: leave --dask_npartitions and --dask_partition_size out")
    patience = [] if given.timeout else [f"--dask_connection_timeout={ENDPOINT_SECONDS_MAX}"]
    # Beam's own choice puts 128 elements, which are all shards, into one task.
    return [*options, *patience, "--dask_partition_size=1"]


def _prism_options(given: Any) -> list[str]:
    """Where prism is: Beam would fetch one from the network."""
    if given.job_endpoint or given.prism_location:
        return []
    found = shutil.which("prism")
    if found is None:
        raise UnusableJob(
            "--runner PrismRunner needs Beam's prism: on PATH, or --prism_location FILE (docs/runners.md says how to get it)"
        )
    return [f"--prism_location={found}"]


class _Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong with an option, where argparse would list all of Beam's."""

    def error(self, message: str) -> NoReturn:
        raise UnusableJob(message)


def check_options(options: Sequence[str], more: Collection[str] | None = None) -> Any:
    """Refuse what Beam would drop without a word, and what it would refuse with too many; returns what is given.

    Args:
        more: Names of options that a job service knows beside Beam.
    """
    parser = _beam_parser()
    for name in more or ():
        if f"--{name}" not in parser._option_string_actions:  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            parser.add_argument(f"--{name}", nargs="?")
    given, unknown = parser.parse_known_args(list(options))
    if unknown:
        raise UnusableJob(f"{' '.join(unknown)}: neither publog nor Beam knows this option; see publog run --help")
    return given


def _beam_parser() -> _Parser:
    parser = _Parser(allow_abbrev=False, add_help=False, conflict_handler="resolve")
    for group in PipelineOptions.__subclasses__():
        # As Beam itself asks them.
        cast("Any", group)._add_argparse_args(parser)  # noqa: SLF001
    return parser


def _options_of_service(options: Sequence[str]) -> set[str] | None:
    """The names of the options that a job service knows; None where none is named.

    Raises:
        JobFailed: it does not answer.
    """
    endpoint = _beam_parser().parse_known_args(list(options))[0].job_endpoint
    if not endpoint:
        return None
    with grpc.insecure_channel(endpoint) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=ENDPOINT_SECONDS_MAX)
        except grpc.FutureTimeoutError:
            raise JobFailed(f"no job service answers at --job_endpoint {endpoint}; start it, or name another") from None
        try:
            described = beam_job_api_pb2_grpc.JobServiceStub(channel).DescribePipelineOptions(
                beam_job_api_pb2.DescribePipelineOptionsRequest(), timeout=ENDPOINT_SECONDS_MAX
            )
        except grpc.RpcError:
            # Not every job service has something to say to this.
            return set()
        return {option.name for option in described.options}

"""A job's graph, given to Beam."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
import re
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.batch import build
from pipeline.errors import JobFailed, UnusableJob
from pipeline.job import Job
from pipeline.prism import OwnPrism
from pipeline.runners import choose

_PACKAGES: Final = ("apache_beam", "grpc")
_WRAPPING: Final = re.compile(r"^(?:[\w.]+: )+| \[while running '.*'\]$")


def submit(job: Job, runner: str | None, options: Sequence[str]) -> None:
    """Run a job to its end.

    Args:
        runner: A runner's name or class, None for the default.
        options: Beam options as the user gave them.

    Raises:
        UnusableJob: there is no such runner or option.
        JobFailed: with what went wrong; that it does not raise proves nothing.
    """
    choice = choose(runner, job, options)
    try:
        pipeline = beam.Pipeline(runner=choice.runner, options=PipelineOptions(choice.options))
    except (ValueError, ImportError, AttributeError) as error:
        raise UnusableJob(str(error)) from error
    try:
        build(pipeline, job)
        with running(pipeline) as result:
            result.wait_until_finish()
    except Exception as error:
        raise JobFailed(reason(error)) from error


@contextmanager
def running(pipeline: beam.Pipeline) -> Generator[Any]:
    """A pipeline at work: its result. What its runner leaves open is closed behind it."""
    result: Any = None
    _quieten()
    try:
        result = pipeline.run()
        yield result
    finally:
        with suppress(Exception):
            if isinstance(pipeline.runner, OwnPrism):
                pipeline.runner.end()
            # Dask's client complains for ever about a scheduler that is gone.
            if (client := getattr(result, "client", None)) is not None:
                client.close(timeout=1)


def _quieten() -> None:
    """Beam and grpc read from a job service in threads of their own, which die with a traceback when it does."""
    before = threading.excepthook
    if before is _Hook.installed:
        return

    def hook(told: threading.ExceptHookArgs) -> None:
        frames = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(told.exc_traceback)]
        if not frames or frames[-1].partition(".")[0] not in _PACKAGES:
            before(told)

    _Hook.installed = threading.excepthook = hook


class _Hook:
    installed: Callable[[threading.ExceptHookArgs], Any] | None = None


def reason(error: Exception) -> str:
    """What a DoFn said, without what Beam wraps it in, runner by runner."""
    if isinstance(error, grpc.Call):
        return f"the job service: {error.details()} ({error.code().name})"
    lines = str(error).strip().splitlines()
    words = _WRAPPING.sub("", lines[-1]) if lines else ""
    return words or f"the runner failed: {type(error).__name__}"

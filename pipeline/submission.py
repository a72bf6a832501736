"""A job's graph, given to Beam."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.batch import build
from pipeline.errors import JobFailed, UnusableJob
from pipeline.job import Job
from pipeline.runners import choose

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
        with _released(pipeline.run()) as result:
            result.wait_until_finish()
    except Exception as error:
        raise JobFailed(_reason(error)) from error


@contextmanager
def _released(result: Any) -> Generator[Any]:
    """A running job; Dask's client, which Beam leaves open, complains for ever about a scheduler that is gone."""
    try:
        yield result
    finally:
        if (client := getattr(result, "client", None)) is not None:
            with suppress(Exception):
                client.close(timeout=1)


def _reason(error: Exception) -> str:
    """What a DoFn said, without what Beam wraps it in, runner by runner."""
    lines = str(error).strip().splitlines()
    words = _WRAPPING.sub("", lines[-1]) if lines else ""
    return words or f"the runner failed: {type(error).__name__}"

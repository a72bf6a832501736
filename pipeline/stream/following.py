"""Following the log by Beam pipelines: with the stream in this process, or in one of a runner's workers."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from assets.errors import TransientError as LogTransient
from assets.log.port import Log
from indexers import open_index
from indexers.errors import TransientError
from pipeline.errors import JobFailed
from pipeline.here import HERE_NAMES
from pipeline.limits import CANCEL_SECONDS_MAX, WATCH_SECONDS
from pipeline.runners import elsewhere
from pipeline.stream.engine import Done, Progress, Stream, Tuning
from pipeline.stream.graph import build
from pipeline.stream.registry import Place, named
from pipeline.submission import reason, running


class Here:
    """One pipeline after the other over a stream of this process."""

    def __init__(self, stream: Stream, runner: str | None, options: Sequence[str]) -> None:
        self._stream = stream
        self._runner = runner
        self._options = options

    @property
    def applied_through(self) -> int:
        """What the index reflects."""
        return self._stream.applied_through

    @property
    def is_switched(self) -> bool:
        """Whether searches go to another generation now."""
        return self._stream.is_switched

    def follow(self) -> None:
        """Work until the stream ends.

        Raises:
            JobFailed: the runner failed. And what the log and the index raise.
        """
        with named(self._stream) as place:
            while not self._stream.is_ending:
                pipeline = _pipeline(self._runner, self._options)
                build(pipeline, place, self._stream.tuning)
                try:
                    with running(pipeline) as result:
                        result.wait_until_finish()
                except Exception as error:
                    # The runner tells it in its own words, with a traceback of its own.
                    if self._stream.failure is not None:
                        raise self._stream.failure from None
                    # Ctrl-C ends what the runner has started, too.
                    if not self._stream.is_ending:
                        raise JobFailed(reason(error)) from error

    def close(self) -> None:
        """Let others have the index and the states."""
        self._stream.close()


class Elsewhere:
    """One pipeline whose workers open the stream; this process looks how far the index is, and says when to stop."""

    def __init__(
        self,
        log: Log,
        index: str,
        place: Place,
        runner: str | None,
        options: Sequence[str],
        *,
        tuning: Tuning,
        stop: Event,
        done: Done,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._log = log
        self._index = open_index(index)
        self._place = place
        self._runner = runner
        self._options = options
        self._tuning = tuning
        self._stop = stop
        self._done = done
        self._on_progress = on_progress
        self._generation = self._index.info().generation
        self.applied_through = self._index.applied_through()
        """What the index reflects."""

    @property
    def is_switched(self) -> bool:
        """Whether searches go to another generation now."""
        return self._index.info().generation != self._generation

    def follow(self) -> None:
        """Have a job at work until it is told to stop, or ends by itself.

        Raises:
            JobFailed: the runner failed.
        """
        pipeline = _pipeline(self._runner, self._options)
        build(pipeline, self._place, self._tuning)
        try:
            with running(pipeline) as result:
                self._watch(result)
        except (TransientError, LogTransient):
            raise
        except Exception as error:
            raise JobFailed(reason(error)) from error
        self._look()

    def _watch(self, result: Any) -> None:
        failures: list[Exception] = []

        def wait() -> None:
            try:
                result.wait_until_finish()
            except Exception as error:  # noqa: BLE001 - raised by the thread that waits for this one
                failures.append(error)

        # A daemon: a job service that is gone may never answer.
        waiting = Thread(target=wait, name="beam-job", daemon=True)
        waiting.start()
        while waiting.is_alive() and not self._stop.wait(WATCH_SECONDS):
            self._look()
        if waiting.is_alive():
            result.cancel()
            waiting.join(CANCEL_SECONDS_MAX)
        elif failures:
            raise failures[0]

    def close(self) -> None:
        """Close what was open to look at."""
        self._index.close()

    def _look(self) -> None:
        applied = self._index.applied_through()
        self._done.messages += max(applied - self.applied_through, 0)
        self.applied_through = max(applied, self.applied_through)
        if self._on_progress is not None:
            last = self._log.last_offset()
            lag = max(last - applied, 0)
            self._on_progress(Progress(applied, lag, applied, 0, self._done, last, self._generation))


def _pipeline(runner: str | None, options: Sequence[str]) -> beam.Pipeline:
    if runner is None or runner in HERE_NAMES:
        return beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(list(options)))
    # Checked each time: with options that wait for ever, a job service that is gone would be waited for.
    choice = elsewhere(runner, options, ())
    return beam.Pipeline(runner=choice.runner, options=PipelineOptions([*choice.options, "--streaming"]))

"""Running a stream: fill an index that is empty, follow the log, and start anew whenever that is called for.

A Beam pipeline is not kept for ever: its runner keeps something of each bundle. Nor is a generation of the index.
"""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from assets.catalog import Catalog
from assets.errors import TransientError as LogTransient
from assets.log import open_log
from assets.log.port import Log
from denormalizer.view import View
from indexers import open_index
from indexers.errors import IndexBusy, TransientError
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.errors import JobRunning, UnusableJob
from pipeline.limits import ATTEMPT_SECONDS, ATTEMPTS_MAX, HAND_OVER_SECONDS, HAND_OVER_SECONDS_MAX
from pipeline.run import SHARDS_MAX, run_batch
from pipeline.run import Progress as BatchProgress
from pipeline.stream.engine import Done, Progress, Stream, Tuning
from pipeline.stream.graph import build
from pipeline.stream.registry import named
from pipeline.stream.target import is_loaded

_log: Final = logging.getLogger("publog.stream")


def run_stream(
    *,
    log: str,
    index: str,
    load_catalog: Callable[[Log], Catalog],
    folder: Path,
    tuning: Tuning = Tuning(),
    options: Sequence[str] = (),
    stop: Event,
    on_fill: Callable[[BatchProgress], None] | None = None,
    on_follow: Callable[[int], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_apply: Callable[[int, int], None] | None = None,
    on_write: Callable[[Sequence[View]], None] | None = None,
) -> Done:
    """Bring the index up to the log's end, and keep it there until told to stop.

    Args:
        log, index: URLs (DESIGN 5).
        load_catalog: The catalog to read the log with, until searches go to another generation, which has its own.
        folder: The home: states and dead letters lie there.
        options: Beam options.
        stop: Set from another thread or a signal handler; what is being written is written to its end.
        on_fill: How far the first filling of an empty index is.
        on_follow: Called with the offset that is followed from, each time the folds were restored.
        on_progress: Called after each commit, and now and then while nothing happens.
        on_apply: Called with the first and the last offset of what a shard has applied, before its views are written.
        on_write: Called with the views of each commit.

    Raises:
        UnusableJob, JobRunning, JobFailed; and what the log and the index raise.
    """
    if not 1 <= tuning.shards <= SHARDS_MAX:
        raise UnusableJob(f"--shards {tuning.shards}: use a number from 1 to {SHARDS_MAX}")
    done = Done()
    with closing(open_log(log, create=False)) as opened, closing(DeadLetters(folder / DEAD_LETTERS_FILE)) as letters:
        if not is_loaded(index):
            run_batch(
                log=opened.url,
                index=index,
                catalog=load_catalog(opened),
                folder=folder,
                shards=tuning.shards,
                on_progress=on_fill,
            )
        attempt = 0
        followed = False
        catalog = load_catalog(opened)
        handed_over = -HAND_OVER_SECONDS_MAX
        while not stop.is_set():
            reached = done.messages, done.views
            try:
                with closing(
                    Stream(
                        opened,
                        index,
                        catalog,
                        folder,
                        letters,
                        tuning=tuning,
                        stop=stop,
                        done=done,
                        on_apply=on_apply,
                        on_write=on_write,
                        on_progress=on_progress,
                    )
                ) as stream:
                    followed = True
                    if on_follow is not None:
                        on_follow(stream.applied_through)
                    _follow(stream, options)
                if stream.is_switched:
                    catalog = _catalog_of(index)
                    handed_over = monotonic()
            except (TransientError, LogTransient, JobRunning) as error:
                if isinstance(error, (IndexBusy, JobRunning)) and monotonic() - handed_over < HAND_OVER_SECONDS_MAX:
                    # Whoever switched brings the generation up to date to the last, and lets go of it then.
                    stop.wait(HAND_OVER_SECONDS)
                    continue
                attempt = attempt + 1 if (done.messages, done.views) == reached else 1
                # What is in the way from the first is for a person to see: another stream, most likely.
                if attempt >= ATTEMPTS_MAX or not followed:
                    raise
                _log.info("starting again", extra={"attempt": attempt, "because": str(error)})
                stop.wait(ATTEMPT_SECONDS * 2**attempt * random.uniform(1, 2))  # noqa: S311 - no secret
    return done


def _catalog_of(index: str) -> Catalog:
    with closing(open_index(index)) as opened:
        return opened.catalog()


def _follow(stream: Stream, options: Sequence[str]) -> None:
    """One Beam pipeline after the other, until the stream ends."""
    with named(stream) as name:
        while not stream.is_ending:
            pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(list(options)))
            build(pipeline, name, stream)
            try:
                pipeline.run().wait_until_finish()
            except Exception:
                # The runner tells it in its own words, with a traceback of its own.
                if stream.failure is not None:
                    raise stream.failure from None
                raise

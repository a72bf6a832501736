"""Running a stream: fill an index that is empty, follow the log, and start anew whenever that is called for.

A Beam pipeline is not kept for ever: its runner keeps something of each bundle. Nor is a generation of the index.
"""

import logging
import random
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

from assets.catalog import Catalog
from assets.errors import TransientError as LogTransient
from assets.log import open_log
from assets.log.port import Log
from denormalizer.view import View
from indexers import open_index
from indexers.errors import IndexBusy, NoGeneration, TransientError
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.errors import JobFailed, JobRunning, UnusableJob
from pipeline.limits import (
    ATTEMPT_SECONDS,
    ATTEMPTS_MAX,
    FILLED_CHECK_SECONDS,
    HAND_OVER_SECONDS,
    HAND_OVER_SECONDS_MAX,
)
from pipeline.run import SHARDS_MAX, run_batch
from pipeline.run import Progress as BatchProgress
from pipeline.runners import check_runner, has_workers_elsewhere
from pipeline.stream.engine import Done, Progress, Stream, Tuning
from pipeline.stream.following import Elsewhere, Here
from pipeline.stream.registry import place_elsewhere
from pipeline.stream.target import is_loaded

_log: Final = logging.getLogger("publog.stream")


def run_stream(
    *,
    log: str,
    index: str,
    load_catalog: Callable[[Log], Catalog],
    folder: Path,
    tuning: Tuning = Tuning(),
    runner: str | None = None,
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
        runner: A Beam runner, None for Beam's FnApiRunner in this process; options: Beam options.
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
    elsewhere = has_workers_elsewhere(runner, options)
    with closing(open_log(log, create=False)) as opened, closing(DeadLetters(folder / DEAD_LETTERS_FILE)) as letters:
        check_runner(runner, options, (opened.url, index))
        if tuning.share is not None:
            _check_shared(index)
        # Of those who have a shard each, the first fills the index.
        while tuning.only and not is_loaded(index) and not stop.wait(FILLED_CHECK_SECONDS):
            pass
        if not tuning.only and not is_loaded(index):
            run_batch(
                log=opened.url,
                index=index,
                catalog=load_catalog(opened),
                folder=folder,
                shards=tuning.shards,
                runner=runner,
                options=options,
                on_progress=on_fill,
            )
        attempt = 0
        followed = False
        catalog = load_catalog(opened)
        handed_over = -HAND_OVER_SECONDS_MAX

        def follower() -> Here | Elsewhere:
            if elsewhere:
                place = place_elsewhere(opened.url, _absolute(index), catalog.files, folder, tuning)
                return Elsewhere(
                    opened, index, place, runner, options, tuning=tuning, stop=stop, done=done, on_progress=on_progress
                )
            stream = Stream(
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
            return Here(stream, runner, options)

        while not stop.is_set():
            reached = done.messages, done.views
            try:
                with closing(follower()) as following:
                    followed = True
                    if on_follow is not None:
                        on_follow(following.applied_through)
                    following.follow()
                if following.is_switched:
                    catalog = _catalog_of(index)
                    handed_over = monotonic()
            except (TransientError, LogTransient, JobRunning, JobFailed) as error:
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


def _check_shared(index: str) -> None:
    """Refuse an index that has one writer before anything is filled."""
    with closing(open_index(index)) as opened, suppress(NoGeneration):
        opened.share("", 0, 1)


def _absolute(index: str) -> str:
    with closing(open_index(index)) as opened:
        return opened.url


def _catalog_of(index: str) -> Catalog:
    with closing(open_index(index)) as opened:
        return opened.catalog()

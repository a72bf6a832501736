"""The metrics of a stream, out of what it reports anyway."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Final

from prometheus_client import Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from denormalizer.view import View
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.stream.engine import Progress
from publog.telemetry.lag import LagClock
from publog.telemetry.newsroom import counter, dead_letter_metrics, gauge, index_metrics

CHANGES_OPEN_MAX: Final = 10_000
"""Changes whose views are counted at a time; of more, what is counted by then is told."""

_FANOUT_BUCKETS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000)


class StreamMetrics(Collector):
    """Told of by the stream's thread, asked by the exporter's."""

    def __init__(self, home: Path) -> None:
        self._letters = home / DEAD_LETTERS_FILE
        self._progress: Progress | None = None
        self._starts = 0
        self._moved = time.time()
        self._clock = LagClock()
        self._views: Counter[int] = Counter()
        """Written so far, by the offset of the message that changed them."""
        self._looking = Lock()
        self._fanout = Histogram(
            "publog_stream_fanout_views",
            "Views written because of one message, of those that any view shows.",
            buckets=_FANOUT_BUCKETS,
            registry=None,
        )

    def followed(self) -> None:
        """The folds were restored."""
        self._starts += 1

    def wrote(self, views: Sequence[View]) -> None:
        """These are in the index."""
        self._views.update(view.version for view in views)

    def progressed(self, progress: Progress) -> None:
        """The stream is this far."""
        before, self._progress = self._progress, progress
        if before is None or progress.lag == 0 or _place(progress) != _place(before):
            self._moved = time.time()
        self._clock.seen(progress.last, progress.offset, time.monotonic())
        are_many = len(self._views) > CHANGES_OPEN_MAX
        for version in [version for version in self._views if are_many or version <= progress.offset]:
            self._fanout.observe(self._views.pop(version))

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._fanout.collect()
        yield counter("publog_stream_starts", "How often the folds were restored.", self._starts)
        yield gauge(
            "publog_stream_progress_timestamp_seconds",
            "When the stream last got further, or had nothing to do.",
            self._moved,
        )
        # What cannot be opened is for the stream to complain of.
        if self._letters.exists():
            with self._looking, closing(DeadLetters(self._letters)) as letters:
                yield dead_letter_metrics(letters.counts())
        progress = self._progress
        if progress is None:
            return
        seconds = self._clock.seconds(time.monotonic())
        yield from index_metrics(progress.last, progress.offset, progress.lag, seconds, progress.generation)
        yield gauge("publog_stream_applied_offset", "What every shard of this process has applied.", progress.applied)
        yield gauge("publog_stream_waiting_views", "Views that wait behind fresh edits.", progress.waiting)
        done = progress.done
        yield counter("publog_stream_messages", "Applied, by the shard that is furthest behind.", done.messages)
        yield counter("publog_stream_read_again_messages", "Applied to make a lost state again.", done.read_again)
        yield counter("publog_stream_views", "Written to the index.", done.views)
        yield counter("publog_stream_bounded_views", "Cut short at a bound.", done.bounded)
        yield counter("publog_stream_dead_letters", "Messages set aside.", done.dead_letters)


def _place(progress: Progress) -> tuple[int, int, int]:
    return progress.offset, progress.applied, progress.waiting

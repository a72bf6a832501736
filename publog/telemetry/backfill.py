"""The metrics of a backfill's steps."""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

STEPS: Final = ("reading", "denormalizing", "indexing", "catching up", "verifying")


class BackfillMetrics:
    """What the steps tell, if anybody may read it."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._is_on = registry is not None
        if registry is None:
            return
        self._done = Gauge(
            "publog_backfill_done",
            "What a step has done: messages read, views made, parts indexed, offsets caught up, documents verified.",
            ("step",),
            registry=registry,
        )
        self._expected = Gauge(
            "publog_backfill_expected", "What a step has to do, where it is known.", ("step",), registry=registry
        )
        self._moved = Gauge(
            "publog_backfill_progress_timestamp_seconds", "When a step last got further.", registry=registry
        )
        self._moved.set(time.time())
        self._last: tuple[str, int] | None = None

    def moved(self, step: str, done: int, expected: int | None = None) -> None:
        """A step (one of STEPS) is this far."""
        assert step in STEPS
        if not self._is_on:
            return
        self._done.labels(step).set(done)
        if expected is not None:
            self._expected.labels(step).set(expected)
        if self._last != (step, done):
            self._last = step, done
            self._moved.set(time.time())

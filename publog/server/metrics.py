"""What Prometheus reads: the requests, what was published, and how the newsroom is."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from prometheus_client import Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from backfill.record import Records
from publog.server.limits import STANDING_SECONDS_MAX
from publog.server.newsroom import Newsroom, Standing
from publog.telemetry.exporter import registry
from publog.telemetry.lag import LagClock
from publog.telemetry.newsroom import Surroundings, dead_letter_metrics, gauge, index_metrics

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one server."""

    def __init__(self, newsroom: Newsroom) -> None:
        self.registry = registry()
        self.registry.register(newsroom.published)
        self.registry.register(_Standing(newsroom))
        self.registry.register(Surroundings(newsroom.settings.home))
        self._requests = Counter(
            "publog_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "publog_http_request_seconds",
            "From a request's head to its answer's end.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)


class _Standing(Collector):
    """Looks when it is asked."""

    def __init__(self, newsroom: Newsroom) -> None:
        self._newsroom = newsroom
        self._records = Records(newsroom.settings.home)
        self._clock = LagClock()
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="standing")
        self._look: Future[Standing] | None = None

    def describe(self) -> list[Metric]:
        # Without this it would be asked for its values when it is registered.
        return []

    def collect(self) -> Iterator[Metric]:
        letters, held = self._newsroom.kept()
        yield dead_letter_metrics(letters)
        yield gauge("publog_held_messages", "Messages kept aside until what they refer to is published.", held)
        at_work = float(self._records.is_at_work())
        yield gauge("publog_backfill_at_work", "Whether a backfill of this home is at work.", at_work)
        standing = self._standing()
        yield gauge("publog_parts_answer", "Whether the log and the index answer.", float(standing is not None))
        if standing is None:
            return
        now = time.monotonic()
        self._clock.seen(standing.last_offset, standing.applied_through, now)
        yield from index_metrics(
            standing.last_offset,
            standing.applied_through,
            standing.lag,
            self._clock.seconds(now),
            standing.generation,
        )

    def _standing(self) -> Standing | None:
        """How it is now, None where that can't be had soon: whoever asks for metrics has little patience."""
        if self._look is None or self._look.done():
            self._look = self._looking.submit(self._newsroom.standing)
        try:
            return self._look.result(STANDING_SECONDS_MAX)
        except Exception:  # noqa: BLE001 - the other metrics say what there is to say
            return None

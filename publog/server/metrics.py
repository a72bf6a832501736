"""What Prometheus reads: the requests, and how the newsroom is."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from publog.server.newsroom import Newsroom

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one server."""

    def __init__(self, newsroom: Newsroom) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Standing(newsroom))
        self._requests = Counter(
            "publog_http_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "publog_http_request_seconds",
            "From a request's head to its answer's end.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Standing(Collector):
    """Looks when it is asked."""

    def __init__(self, newsroom: Newsroom) -> None:
        self._newsroom = newsroom

    def describe(self) -> list[GaugeMetricFamily]:
        # Without this it would be asked for its values when it is registered.
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        standing = self._newsroom.standing()
        for name, text, value in (
            (
                "publog_log_last_offset",
                "The offset of the log's last message; -1 in an empty log.",
                standing.last_offset,
            ),
            (
                "publog_index_applied_through",
                "The watermark of the index; -1 for one that was never loaded.",
                standing.applied_through,
            ),
            ("publog_index_lag_messages", "Messages that the index does not reflect yet.", standing.lag),
            ("publog_dead_letters", "Messages that could not be processed.", standing.dead_letters),
            ("publog_held_messages", "Messages kept aside until what they refer to is published.", standing.held),
        ):
            yield GaugeMetricFamily(name, text, value)

"""What is counted of publishing over HTTP."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from assets.imports import Batch

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class PublishMetrics(Collector):
    """Of one newsroom."""

    def __init__(self) -> None:
        self._messages = Counter(
            "publog_publish_messages", "Messages published over HTTP.", ("outcome",), registry=None
        )
        self._seconds = Histogram(
            "publog_publish_seconds",
            "From a request's arrival until its messages are durable.",
            buckets=_BUCKETS,
            registry=None,
        )
        self._searchable = Histogram(
            "publog_publish_searchable_seconds",
            "From a request's arrival until searches find its messages.",
            buckets=_BUCKETS,
            registry=None,
        )

    def published(self, batches: Iterable[Batch], seconds: float) -> None:
        """One request's batches are durable so long after it came."""
        self._seconds.observe(seconds)
        for batch in batches:
            for outcome, count in (
                ("appended", batch.appended + batch.released),
                ("present", batch.present),
                ("held", batch.held),
                ("refused", len(batch.refused)),
            ):
                if count:
                    self._messages.labels(outcome).inc(count)

    def refused(self, count: int) -> None:
        """So many messages were refused, and nothing was taken."""
        self._messages.labels("refused").inc(count)

    def found(self, seconds: float) -> None:
        """Searches find a message so long after it came."""
        self._searchable.observe(seconds)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for one in (self._messages, self._seconds, self._searchable):
            yield from one.collect()

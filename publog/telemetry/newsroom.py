"""The metrics that every long-running program shows of its home, by the same names."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from indexers.counts import bulk_retries
from publog import VERSION


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value)


def counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value)


def by_label(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]
) -> GaugeMetricFamily | CounterMetricFamily:
    """A family with one label, filled."""
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def index_metrics(
    last_offset: int, applied_through: int, lag: int, lag_seconds: float, generation: str
) -> Iterator[Metric]:
    """How far an index is behind its log."""
    yield gauge("publog_log_last_offset", "The offset of the log's last message; -1 in an empty log.", last_offset)
    yield gauge(
        "publog_index_applied_through",
        "The watermark of the index, or of what a stream with a share of it writes; -1 for one that was never loaded.",
        applied_through,
    )
    yield gauge(
        "publog_index_lag_messages",
        "Messages that the index does not reflect yet; of a stream on Kafka offsets, some of which hold none.",
        lag,
    )
    yield gauge(
        "publog_index_lag_seconds",
        "Since when a message is in the log that the index does not reflect, as far as this process saw it come.",
        lag_seconds,
    )
    yield InfoMetricFamily("publog_index", "The generation that is searched.", {"generation": generation})


def dead_letter_metrics(counts: Mapping[str, int]) -> Metric:
    """How many dead letters wait, by code."""
    family = GaugeMetricFamily("publog_dead_letters", "Messages that could not be processed.", labels=["code"])
    return by_label(family, counts)


class Surroundings(Collector):
    """The version, the disk under the home, and what the search server had to be asked again."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def describe(self) -> list[Metric]:
        # Without this it would be asked for its values when it is registered.
        return []

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("publog", "What runs here.", {"version": VERSION})
        disk = shutil.disk_usage(self._home)
        yield gauge("publog_disk_free_bytes", "Free on the disk that the home is on.", disk.free)
        yield gauge("publog_disk_size_bytes", "Of the disk that the home is on.", disk.total)
        family = CounterMetricFamily(
            "publog_index_bulk_retries",
            "Bulk requests to the search server, or parts of them, that were sent again.",
            labels=["reason"],
        )
        yield by_label(family, bulk_retries())

"""The stream's graph: the batch's, over an unbounded source. Read -> FlatMap -> ParDo, one linear chain.

No GroupByKey: behind a source without end it would wait for ever on some runners.
"""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.unbounded_source import ReadFromUnboundedSource

from pipeline.stream.engine import Step, Tuning, steps
from pipeline.stream.registry import Place, release, stream_of
from pipeline.stream.source import LogEnds

_RECORDS_MAX = 1_000_000
"""Of one bundle: time ends it before."""


def build(pipeline: beam.Pipeline, place: Place, tuning: Tuning) -> None:
    """Put a stream's graph into a pipeline."""
    source = ReadFromUnboundedSource(
        LogEnds(place),
        poll_interval=0,
        max_records_per_bundle=_RECORDS_MAX,
        max_read_time_seconds=tuning.bundle_seconds,
    )
    _ = (
        pipeline
        | "Follow the log" >> source
        | "Fan out to shards" >> beam.ParDo(FanOut(len(tuning.numbers)))
        | "Denormalize and index" >> beam.ParDo(Work(place))
    )


class FanOut(beam.DoFn):
    """A block descriptor for each step of each shard."""

    def __init__(self, shards: int) -> None:
        super().__init__()
        self._shards = shards

    def process(self, element: int) -> Iterator[tuple[Step, int, int]]:
        """See `steps`."""
        for step, shard in steps(self._shards):
            yield step, shard, element


class Work(beam.DoFn):
    """Does what a block descriptor asks for."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def process(self, element: tuple[Step, int, int], *_: Any) -> None:
        """See `Stream.work`."""
        step, shard, end = element
        if (stream := stream_of(self._place)) is not None:
            stream.work(shard, end, step)

    def teardown(self) -> None:
        """Elsewhere, let others have the index and the states."""
        release(self._place)

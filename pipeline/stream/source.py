"""The unbounded source: how far the log reaches, again and again, from wherever the stream is.

A descriptor is a hint. Whatever Beam does with it - bring it twice, late, or never - each shard folds from its own next
offset to there, out of the log.
"""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
from time import monotonic
from typing import Any

import orjson
from apache_beam.coders.coders import Coder
from apache_beam.io.unbounded_source import CheckpointMark, UnboundedReader, UnboundedSource
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp

from assets.model import NEVER
from pipeline.stream.engine import Stream
from pipeline.stream.registry import Place, stream_of


class LogEnds(UnboundedSource):
    """The ends of micro-batches, as offsets."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place

    def split(self, desired_num_splits: int, options: Any = None) -> list[UnboundedSource]:  # noqa: ARG002
        return [self]

    def create_reader(self, options: Any, checkpoint_mark: CheckpointMark | None) -> UnboundedReader:  # noqa: ARG002
        position = checkpoint_mark.position if isinstance(checkpoint_mark, Position) else None
        return LogEndsReader(self.place, position)

    def get_checkpoint_mark_coder(self) -> Coder:
        return PositionCoder(self.place)


class Position(CheckpointMark):
    """Up to where the log was handed on."""

    def __init__(self, place: Place, position: int) -> None:
        self.place = place
        self.position = position

    def finalize_checkpoint(self) -> None:
        if (stream := stream_of(self.place)) is not None:
            stream.commit(self.position)


class PositionCoder(Coder):
    """A position as JSON; the place is the source's."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def encode(self, value: Position) -> bytes:
        return orjson.dumps(value.position)

    def decode(self, encoded: bytes) -> Position:
        return Position(self._place, orjson.loads(encoded))

    def is_deterministic(self) -> bool:
        return True


class LogEndsReader(UnboundedReader):
    """Follows the log. It waits inside `advance`: what it gave out before has been worked on by then.

    That holds where the runner fuses the source with what follows, as Beam's FnApiRunner and Prism do; where one does
    not, a descriptor waits for the end of its bundle.
    """

    def __init__(self, place: Place, position: int | None) -> None:
        self._place = place
        self._here = stream_of(place)
        if position is None:
            position = NEVER if self._here is None else self._here.position
        self._position = position
        self._bundles = 0
        self._ended = False
        self._bundle_end = self._next_bundle_end()

    def start(self) -> bool:
        """At once: what is restored may have to be emitted though nothing new is there."""
        stream = self._stream
        if stream is None or stream.is_ending:
            self._ended = True
            return False
        following = stream.wait(self._position, 0.0)
        self._position = self._position if following is None else following
        return True

    def advance(self) -> bool:
        stream = self._stream
        if stream is None or self._bundles >= stream.tuning.bundles_max:
            self._ended = True
            return False
        following = stream.wait(self._position, max(self._bundle_end - monotonic(), 0.0))
        if following is None:
            self._ended = stream.is_ending
            return False
        self._position = following
        return True

    def get_current(self) -> int:
        return self._position

    def get_current_timestamp(self) -> Timestamp:
        # Beam's time means nothing here: the log's order does.
        return Timestamp(0)

    def get_watermark(self) -> Timestamp:
        return MAX_TIMESTAMP if self._ended else Timestamp(0)

    def get_checkpoint_mark(self) -> CheckpointMark:
        self._bundles += 1
        self._bundle_end = self._next_bundle_end()
        return Position(self._place, self._position)

    @property
    def _stream(self) -> Stream | None:
        # One of another process's is opened here, and again when the worker has let go of it.
        return stream_of(self._place) if self._place.settings else self._here

    def _next_bundle_end(self) -> float:
        stream = self._stream
        return monotonic() + (0.0 if stream is None else stream.tuning.bundle_seconds)

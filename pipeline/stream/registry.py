"""The streams of this process by name: what Beam carries is the name, what it names stays where it is."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from pipeline.stream.engine import Stream

_streams: Final[dict[str, Stream]] = {}


@contextmanager
def named(stream: Stream) -> Generator[str]:
    """A name for a stream, while it lasts."""
    name = uuid4().hex
    _streams[name] = stream
    try:
        yield name
    finally:
        del _streams[name]


def stream_of(name: str) -> Stream:
    """The stream of this name, which is in this process."""
    return _streams[name]

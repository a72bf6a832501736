"""Streams by name: what Beam carries is where a stream is, what it is stays with its worker.

A stream lives in the process that follows the log. Where that is also the one that runs Beam's workers, it is known here
by its name. Workers elsewhere are told what they need to open it, once in each of them.
"""

import json
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple
from uuid import uuid4

from assets.catalog import parse_catalog
from assets.log import open_log
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.stream.engine import Stream, Tuning


class Place(NamedTuple):
    """Where a stream is: under this name in this process, or to be opened with these settings."""

    name: str
    settings: str = ""
    """JSON; empty where the stream is here."""


_streams: Final[dict[str, Stream]] = {}
_opened: Final[dict[str, ExitStack]] = {}
"""What belongs to the streams that were opened for a pipeline of another process."""
_opening: Final = Lock()


@contextmanager
def named(stream: Stream) -> Generator[Place]:
    """A place for a stream of this process, while it lasts."""
    name = uuid4().hex
    _streams[name] = stream
    try:
        yield Place(name)
    finally:
        del _streams[name]


def place_elsewhere(log: str, index: str, catalog: Mapping[str, str], folder: Path, tuning: Tuning) -> Place:
    """A place for a stream that whoever is asked to work on it opens. The folder is the home, on the worker's machine."""
    settings = {
        "log": log,
        "index": index,
        "catalog": dict(catalog),
        "folder": str(folder.resolve()),
        "shards": tuning.shards,
        "only": tuning.only,
        "micro_batch": tuning.micro_batch,
        "backlog_views": tuning.backlog_views,
        "bundle_seconds": tuning.bundle_seconds,
        "bundles_max": tuning.bundles_max,
    }
    return Place(uuid4().hex, json.dumps(settings))


def stream_of(place: Place) -> Stream | None:
    """The stream of a place, opened where it has to be; None where it was here and is no more, which a dead runner's
    workers may not know.

    Raises:
        What opening a stream raises.
    """
    if not place.settings:
        return _streams.get(place.name)
    with _opening:
        stream = _streams.get(place.name)
        if stream is not None and stream.failure is not None:
            # The runner tries it again.
            _close(place)
            stream = None
        if stream is None:
            stream = _streams[place.name] = _open(place)
        return stream


def release(place: Place) -> None:
    """Let go of a stream that was opened here for a place, if it was."""
    with _opening:
        if place.name in _opened:
            _close(place)


def _close(place: Place) -> None:
    del _streams[place.name]
    _opened.pop(place.name).close()


def _open(place: Place) -> Stream:
    settings = json.loads(place.settings)
    log, index, catalog, folder = (settings.pop(name) for name in ("log", "index", "catalog", "folder"))
    with ExitStack() as opened:
        followed = opened.enter_context(closing(open_log(log, create=False)))
        letters = opened.enter_context(closing(DeadLetters(Path(folder) / DEAD_LETTERS_FILE)))
        stream = Stream(followed, index, parse_catalog(catalog), Path(folder), letters, tuning=Tuning(**settings))
        opened.enter_context(closing(stream))
        _opened[place.name] = opened.pop_all()
    return stream

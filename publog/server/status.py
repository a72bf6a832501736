"""How the newsroom is, in one small answer that a page may ask for again and again."""

from typing import Any, Final

import msgspec

from pipeline.stream.states import is_held
from publog.server.endpoints import Call, Endpoint, Parameters, Reply


class Status(msgspec.Struct):
    """How the newsroom is."""

    last_offset: int
    """-1 in an empty log."""
    applied_through: int
    """Of the index; -1 for one that was never loaded."""
    lag: int
    """Messages that the index does not reflect yet."""
    generation: str
    """That is searched; empty for an index that was never loaded."""
    stream_running: bool
    """Whether a stream of this home fills that generation."""
    dead_letters: int
    held: int


async def status(call: Call[Any]) -> Reply:
    return Reply(await call.in_thread(status_of, call))


def status_of(call: Call[Any]) -> Status:
    """How it is now; for a thread that may wait."""
    standing = call.newsroom.standing()
    is_running = standing.is_loaded and is_held(call.newsroom.settings.home, standing.generation)
    return Status(
        standing.last_offset,
        standing.applied_through,
        standing.lag,
        standing.generation,
        is_running,
        standing.dead_letters,
        standing.held,
    )


ENDPOINTS: Final[list[Endpoint[Any]]] = [
    Endpoint(
        "GET",
        "/v1/status",
        "status",
        "How the newsroom is: the log's end, how far the index is, whether the stream runs",
        status,
        {200: ("Now", Status)},
        Parameters,
        scopes=("search",),
        problems=(503,),
    )
]

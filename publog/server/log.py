"""The log over HTTP: its messages, without what is in them."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any, Final, Literal

import msgspec

from assets.errors import InvalidUri
from assets.log.ends import last_messages
from assets.model import Message, check_uri, rfc3339
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.limits import LOG_PAGE_MAX
from publog.server.newsroom import Newsroom
from publog.server.search import Offset


class LogParameters(Parameters, frozen=True, rename={"from_": "from"}):
    from_: (
        Annotated[Offset, msgspec.Meta(description="The first offset; else the last messages.")] | msgspec.UnsetType
    ) = msgspec.UNSET
    limit: Annotated[int, msgspec.Meta(ge=1, le=LOG_PAGE_MAX, description="Messages at a time.")] = 50


class Entry(msgspec.Struct):
    """A message, without what is in it."""

    offset: int
    time: str
    """When it was published."""
    op: Literal["publish", "unpublish"]
    uri: str
    kind: str | None
    """None where the URI is none."""
    id: str
    tx: str | None
    bytes: int
    """Of its payload."""


class LogPage(msgspec.Struct):
    """Messages, oldest first."""

    last_offset: int
    """Of the log; -1 in an empty one."""
    next: int
    """Where the next page begins."""
    messages: list[Entry]


async def log(call: Call[LogParameters]) -> Reply:
    return await call.in_thread(_log, call)


def _log(call: Call[LogParameters]) -> Reply:
    asked = call.parameters
    with call.newsroom.reading() as reader:
        last = reader.log.last_offset()
        if asked.from_ is msgspec.UNSET:
            messages = last_messages(reader.log, last, asked.limit)
        else:
            messages = islice(reader.log.read(asked.from_, last), asked.limit)
        found = [_entry(message) for message in messages]
    start = 0 if asked.from_ is msgspec.UNSET else asked.from_
    return Reply(LogPage(last, found[-1].offset + 1 if found else start, found))


def entries_at(newsroom: Newsroom, offsets: Iterable[int]) -> dict[int, Entry]:
    """The messages at these offsets, those that there are."""
    with newsroom.reading() as reader:
        return {message.offset: _entry(message) for offset in {*offsets} for message in reader.log.read(offset, offset)}


def _entry(message: Message) -> Entry:
    try:
        kind = check_uri(message.uri)
    except InvalidUri:
        kind = None
    return Entry(
        message.offset,
        rfc3339(message.time),
        "unpublish" if message.value is None else "publish",
        message.uri,
        kind,
        message.id,
        message.tx,
        len(message.value or b""),
    )


ENDPOINTS: Final[list[Endpoint[Any]]] = [
    Endpoint(
        "GET",
        "/v1/log",
        "log",
        "The messages of the log, without what is in them: the last ones, or from an offset",
        log,
        {200: ("Oldest first", LogPage)},
        LogParameters,
        scopes=("search",),
        problems=(503,),
    )
]

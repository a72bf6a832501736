"""The change feed: view records as they change, so that a consumer can keep its own copy.

Each view comes with its last version, in the order of versions, once the index is complete up to it. A version that another
one replaced before it was read does not come. A position says what a consumer has: `OFFSET`, everything of lower versions;
`OFFSET.CATALOG`, that by this catalog's views; `OFFSET.CATALOG.VIEW URI`, also the records of this version up to this one.
"""

import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, NamedTuple, Self, cast
from urllib.parse import quote, unquote

import anyio
import msgspec

from indexers.documents import document_id
from indexers.port import Changes, Place
from publog.server.content import ViewRecord
from publog.server.endpoints import EVENTS_TYPE, Call, Endpoint, Events, Parameters, Reply
from publog.server.limits import (
    CHANGES_BYTES_MAX,
    CHANGES_DEFAULT,
    CHANGES_MAX,
    CHANGES_WAIT_SECONDS,
    FEED_BEAT_SECONDS,
    FEED_BYTES,
    FEED_CHANGES,
    FEED_RETRY_MILLISECONDS,
    FEEDS_MAX,
    POSITION_CHARACTERS_MAX,
    RETRY_AFTER_SECONDS,
    WAIT_SECONDS_MAX,
)
from publog.server.problems import Problem, Unusable

_POSITION: Final = re.compile(r"([0-9]{1,19})(?:\.([0-9a-f]{8})(?:\.(.+))?)?\Z")
_CATALOG_CHARACTERS: Final = 8
_OFFSET_MAX: Final = 2**63 - 1


class Position(NamedTuple):
    """A place in the changes of one catalog's views."""

    place: Place
    catalog: str = ""
    """The first characters of its digest; empty where nothing is said."""

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """The inverse of `str`; `name` is what the text is called.

        Raises:
            Problem: it is none.
        """
        parts = _POSITION.match(text)
        if parts is None or int(parts[1]) > _OFFSET_MAX:
            raise Unusable(f"{name}: {text[:100]!r} is no offset, and no `next` or event id of this feed", name)
        return cls(Place(int(parts[1]), unquote(parts[3] or "")), parts[2] or "")

    def __str__(self) -> str:
        id_ = f".{quote(self.place.id, safe='/:')}" if self.place.id else ""
        return f"{self.place.version}.{self.catalog}{id_}"


class ChangesParameters(Parameters, frozen=True):
    from_: Annotated[
        str,
        msgspec.Meta(
            max_length=POSITION_CHARACTERS_MAX,
            description="An offset: what changed there or later; 0: everything. Or the `next` of the page before.",
        ),
    ] = msgspec.field(name="from", default="0")
    view: Annotated[str, msgspec.Meta(min_length=1, description="Only this view.")] | msgspec.UnsetType = msgspec.UNSET
    limit: Annotated[int, msgspec.Meta(ge=1, le=CHANGES_MAX, description="Records on a page of JSON.")] = (
        CHANGES_DEFAULT
    )
    wait: Annotated[
        int, msgspec.Meta(ge=0, le=WAIT_SECONDS_MAX, description="Seconds that a page of JSON waits for a change.")
    ] = CHANGES_WAIT_SECONDS


class ChangesPage(msgspec.Struct):
    """View records in the order in which they changed."""

    changes: list[ViewRecord]
    next: str
    """What `from` is for the page behind this one. The whole of it matters: one message may change thousands of views."""
    has_more: bool
    """Whether there is one already."""
    applied_through: int
    """Every change up to this offset is in this page, in one before, or, with `has_more`, in those that follow."""
    generation: str
    catalog: str
    """What the views were made by (SHA-256, hex). By another catalog every view is another: begin again, from 0."""


async def changes(call: Call[ChangesParameters]) -> Reply | Events:
    asked = call.parameters
    position = Position.parse(asked.from_, "from")
    if not _wants_events(call):
        return Reply(await _page(call, position))
    known = call.request.headers.get("last-event-id")
    if known is not None:
        position = Position.parse(known[:POSITION_CHARACTERS_MAX], "Last-Event-ID")
    first = await _read(call, position, FEED_CHANGES, FEED_BYTES)
    token = object()
    try:
        call.threads.feeds.acquire_on_behalf_of_nowait(token)
    except anyio.WouldBlock:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        detail = f"{FEEDS_MAX} event streams are at work already; come again, or ask for JSON."
        raise Problem(503, "busy", "Too much at a time", detail, headers=headers) from None
    return Events(_events(call, position, first), lambda: call.threads.feeds.release_on_behalf_of(token))


def _wants_events(call: Call[ChangesParameters]) -> bool:
    accepted = call.request.headers.get("accept", "").split(",")
    return any(one.partition(";")[0].strip() == EVENTS_TYPE for one in accepted)


async def _page(call: Call[ChangesParameters], position: Position) -> ChangesPage:
    asked = call.parameters
    end = time.monotonic() + asked.wait
    while True:
        found = await _read(call, position, asked.limit, CHANGES_BYTES_MAX)
        left = end - time.monotonic()
        if found.views or left <= 0 or call.newsroom.watch.is_ended:
            return ChangesPage(
                cast("Any", [msgspec.Raw(view.to_line()) for view in found.views]),
                str(Position(found.place, _short(found))),
                found.has_more,
                found.applied_through,
                found.generation,
                found.catalog_digest,
            )
        position = Position(found.place, _short(found))
        await call.newsroom.watch.past(position.place.version, left)


async def _events(call: Call[ChangesParameters], position: Position, found: Changes) -> AsyncIterator[bytes]:
    """Each record as an event `view`; `applied` once all are told; `problem` where it can't go on."""
    yield b"retry: %d\n\n" % FEED_RETRY_MILLISECONDS
    watch = call.newsroom.watch
    told = -1
    try:
        while True:
            catalog = _short(found)
            position = Position(found.place, catalog)
            for view in found.views:
                place = Position(Place(view.version, document_id(view.view, view.uri)), catalog)
                yield _event(b"view", view.to_line(), place)
            if not found.has_more and told < found.applied_through == position.place.version - 1:
                told = found.applied_through
                yield _event(b"applied", b'{"applied_through":%d}' % told, position)
            if not found.has_more and not await watch.past(position.place.version, FEED_BEAT_SECONDS):
                if watch.is_ended:
                    return
                yield b":\n\n"
                await call.in_thread(call.readmit)
            found = await _read(call, position, FEED_CHANGES, FEED_BYTES)
    except Problem as problem:
        yield _event(b"problem", msgspec.json.encode(problem.document))


def _event(name: bytes, data: bytes, position: Position | None = None) -> bytes:
    id_ = b"" if position is None else b"id: %b\n" % str(position).encode()
    return b"%bevent: %b\ndata: %b\n\n" % (id_, name, data)


async def _read(call: Call[ChangesParameters], position: Position, limit: int, bytes_max: int) -> Changes:
    found = await call.in_thread(_changes, call, position.place, limit, bytes_max)
    if position.catalog and position.catalog != _short(found):
        raise Problem(
            410,
            "other-views",
            "The views were made again by another catalog",
            "Every view may be another: drop the copy and begin again with from=0.",
        )
    return found


def _changes(call: Call[ChangesParameters], place: Place, limit: int, bytes_max: int) -> Changes:
    return call.newsroom.index.changes(place, view=call.parameters.view or None, limit=limit, bytes_max=bytes_max)


def _short(found: Changes) -> str:
    return found.catalog_digest[:_CATALOG_CHARACTERS]


ENDPOINTS: Final[list[Endpoint[Any]]] = [
    Endpoint(
        "GET",
        "/v1/changes",
        "changes",
        "View records as they change: pages of JSON that wait for the next change, or server-sent events",
        changes,
        {200: ("What changed, in order", ChangesPage)},
        ChangesParameters,
        scopes=("search",),
        problems=(410, 503),
        has_events=True,
    )
]

"""Publishing over HTTP, and where a message is since."""

import logging
import time
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from typing import Annotated, Any, Final, Literal

import msgspec

from assets.imports import Batch, import_document, import_lines, rehearse_document, rehearse_lines
from assets.intake import new_lines
from assets.limits import KEY_CHARACTERS_MAX, LINE_BYTES_MAX
from assets.model import kind_of, rfc3339
from assets.validation import Envelope
from indexers.errors import NoIndex
from publog.server.bodies import JSON, NDJSON, Spool, check_depth, media_type, receive
from publog.server.door import exchange_of
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.limits import DEPENDENTS_MAX, REHEARSED_MESSAGES_MAX
from publog.server.newsroom import Newsroom
from publog.server.problems import NotThere, Place, Problem, of_message, refused
from publog.server.tracing import appending

_log: Final = logging.getLogger("publog.publish")

PARTLY: Final = 207
"""Some transactions were taken, others refused: the answer says which (RFC 4918 has the number, the body is our own)."""


class PublishParameters(Parameters, frozen=True):
    references: Annotated[
        Literal["reject", "hold", "allow"] | msgspec.UnsetType,
        msgspec.Meta(description="What becomes of references to what nobody has published; else as the catalog says."),
    ] = msgspec.UNSET
    dry_run: Annotated[
        bool, msgspec.Meta(description="Write nothing: validate, and say which views would be touched.")
    ] = False


class ReceiptParameters(Parameters, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_CHARACTERS_MAX, description="Of the message.")]


class ReceiptDocument(msgspec.Struct):
    """The message is durable."""

    id: str
    uri: str
    offset: int


class HeldMessage(msgspec.Struct):
    """A message that waits for what it refers to."""

    id: str
    uri: str


class ViewName(msgspec.Struct):
    """One view of one asset."""

    view: str
    uri: str


class Touched(msgspec.Struct):
    """The views that a change touches."""

    count: int
    counts: dict[str, int]
    """By view."""
    views: list[ViewName]
    """The newest of them, by name."""


class Published(msgspec.Struct, omit_defaults=True):
    """What became of the messages."""

    appended: int
    already_there: int
    held: int
    refused: int
    released: int
    """Held before, and appended now."""
    dangling_references: int
    receipts: list[ReceiptDocument]
    """Of what is in the log now, or was already."""
    held_messages: list[HeldMessage]
    refused_messages: list[Place]
    dry_run: bool = False
    touched: Touched | None = None
    """With dry_run: the views that these messages would touch."""


class Stage(msgspec.Struct, omit_defaults=True):
    """A step on a message's way, and when it was made where that is known."""

    done: bool
    at: str | None = None
    milliseconds: float | None = None
    """Since the request with the message had come in."""


class Tracked(msgspec.Struct, omit_defaults=True):
    """Where a message is."""

    id: str
    uri: str
    state: Literal["held", "appended", "searchable"]
    appended: Stage
    applied: Stage
    """Every view that shows it was made and is in the index."""
    searchable: Stage
    """Searches find it so: in the embedded index that is when it is applied."""
    offset: int | None = None
    applied_through: int | None = None
    views: Touched | None = None
    """The views that show it, as far as the index knows."""


async def publish(call: Call[PublishParameters]) -> Reply:
    type_ = media_type(call.request, (JSON, NDJSON))
    received = time.time()
    if call.parameters.dry_run:
        await call.newsroom.caught_up()
    with await receive(call.request) as spool:
        if type_ == NDJSON:
            return await call.alone(_publish_lines, call, spool, received)
        return await call.alone(_publish_document, call, spool, received)


def _publish_document(call: Call[PublishParameters], spool: Spool, received: float) -> Reply:
    return Reply(publish_text(call, spool.read(), received))


def publish_text(call: Call[PublishParameters], text: bytes, received: float) -> Published:
    """Publish a JSON document, or rehearse it; for the one thread that may.

    Raises:
        Problem: nothing of it was taken.
    """
    check_depth(text)
    parameters = call.parameters
    with call.newsroom.publishing() as gateway:
        if parameters.dry_run:
            batch = rehearse_document(gateway, text, parameters.references or None, call.kinds)
        else:
            with appending(call.newsroom.tracing) as (trace, appended):
                batch = import_document(gateway, text, parameters.references or None, call.kinds, trace)
                appended([batch])
    if batch.refused:
        if not parameters.dry_run:
            call.newsroom.published.refused(len(batch.refused))
        raise refused(_places(batch))
    return _published(call, [batch], received)


def _publish_lines(call: Call[PublishParameters], spool: Spool, received: float) -> Reply:
    lines = 0
    while text := spool.readline(LINE_BYTES_MAX):
        lines += 1
        check_depth(text, lines)
    spool.seek(0)
    parameters = call.parameters
    references = parameters.references or None
    with call.newsroom.publishing() as gateway:
        if not parameters.dry_run:
            with appending(call.newsroom.tracing) as (trace, appended):
                batches = list(import_lines(gateway, new_lines(spool), references, call.kinds, trace))
                appended(batches)
        elif lines > REHEARSED_MESSAGES_MAX:
            detail = f"dry_run takes at most {REHEARSED_MESSAGES_MAX:,} messages at a time"
            raise Problem(422, "too-many", "There are too many messages", detail, field="dry_run")
        else:
            batches = [rehearse_lines(gateway, new_lines(spool), references, call.kinds)]
    answer = _published(call, batches, received)
    return Reply(answer, PARTLY if answer.refused else 200)


def _published(call: Call[PublishParameters], batches: list[Batch], received: float) -> Published:
    is_dry = call.parameters.dry_run
    receipts = [] if is_dry else [receipt for batch in batches for receipt in batch.receipts]
    new = [receipt for batch in batches for receipt in batch.new]
    if not is_dry:
        _log.info(
            "published",
            extra={
                "request_id": exchange_of(call.request.scope).request_id,
                "appended": len(new),
                **({"first_offset": new[0].offset, "last_offset": new[-1].offset} if new else {}),
                **({"uri": new[0].uri} if len(new) == 1 else {}),
                "refused": sum(len(batch.refused) for batch in batches),
                "held": sum(batch.held for batch in batches),
            },
        )
        call.newsroom.published.published(batches, time.time() - received)
        call.newsroom.timeline.appended(((receipt.id, receipt.offset) for receipt in new), received)
    return Published(
        sum(batch.appended for batch in batches),
        sum(batch.present for batch in batches),
        sum(batch.held for batch in batches),
        sum(len(batch.refused) for batch in batches),
        sum(batch.released for batch in batches),
        sum(batch.holes for batch in batches),
        [ReceiptDocument(*receipt) for receipt in receipts],
        [HeldMessage(*waiting) for batch in batches for waiting in batch.waiting],
        [place for batch in batches for place in _places(batch)],
        is_dry,
        _touched(call.newsroom, [receipt.uri for receipt in new]) if is_dry else None,
    )


def _places(batch: Batch) -> list[Place]:
    errors = dict(batch.errors)
    return [
        of_message(errors[line], line) if line in errors else Place(reason, line=line) for line, reason in batch.refused
    ]


def _touched(newsroom: Newsroom, uris: Collection[str]) -> Touched:
    known = _known(newsroom, uris)
    with newsroom.reading() as reader:
        roots = reader.views.plan.roots
    named = [(plan.definition.name, uri) for uri in dict.fromkeys(uris) for plan in roots.get(kind_of(uri), ())]
    new = [(view, uri) for view, uri in named if not _is_live(newsroom, view, uri)]
    counts = Counter(known.counts)
    counts.update(view for view, _ in new)
    views = [*(ViewName(*one) for one in new), *known.views][:DEPENDENTS_MAX]
    return Touched(counts.total(), dict(sorted(counts.items())), views)


def _is_live(newsroom: Newsroom, view: str, uri: str) -> bool:
    with suppress(NoIndex):
        found = newsroom.index.get(view, uri)
        return found is not None and found.state == "live"
    return False


def _known(newsroom: Newsroom, uris: Collection[str]) -> Touched:
    with suppress(NoIndex):
        return touched(newsroom, uris)
    return Touched(0, {}, [])


def touched(newsroom: Newsroom, uris: Collection[str]) -> Touched:
    """The views that the index knows to have any of these assets in them, counted, and the newest of them."""
    found = newsroom.index.dependents(uris, limit=DEPENDENTS_MAX)
    names = [ViewName(*one) for one in sorted(found.first)]
    return Touched(sum(found.counts.values()), dict(sorted(found.counts.items())), names)


async def receipt(call: Call[ReceiptParameters]) -> Reply:
    return await call.in_thread(_receipt, call)


def _receipt(call: Call[ReceiptParameters]) -> Reply:
    newsroom, id_ = call.newsroom, call.parameters.id
    with newsroom.reading() as reader:
        found = reader.log.receipts([id_]).get(id_)
    if found is None:
        return Reply(_held(newsroom, id_))
    applied_through = newsroom.index.applied_through()
    times = newsroom.timeline.of(id_)
    is_searchable = applied_through >= found.offset
    appended, searchable = Stage(True), Stage(is_searchable)
    if times is not None:
        appended = _stage(times.appended, times.received)
        if is_searchable and times.searchable is not None:
            searchable = _stage(times.searchable, times.received)
    views = _known(newsroom, [found.uri])
    state = "searchable" if is_searchable else "appended"
    return Reply(Tracked(id_, found.uri, state, appended, searchable, searchable, found.offset, applied_through, views))


def _held(newsroom: Newsroom, id_: str) -> Tracked:
    uri = newsroom.held(id_)
    if uri is None:
        raise NotThere(f"no message with the id {id_!r} is in the log, nor held")
    return Tracked(id_, uri, "held", Stage(False), Stage(False), Stage(False))


def _stage(at: float, since: float) -> Stage:
    return Stage(True, rfc3339(round(at * 1e6)), round((at - since) * 1e3, 2))


ENDPOINTS: Final[list[Endpoint[Any]]] = [
    Endpoint(
        "POST",
        "/v1/messages",
        "publish",
        "Publish messages: one, an array that is one transaction, or lines whose neighbours with one `tx` are one",
        publish,
        {
            200: ("Every message is in the log, or held", Published),
            PARTLY: ("Of lines only: some transactions were refused; the others are in the log, or held", Published),
        },
        PublishParameters,
        scopes=("publish",),
        bodies={JSON: Envelope | list[Envelope], NDJSON: Envelope},
        problems=(400, 408, 409, 413, 415, 503),
    ),
    Endpoint(
        "GET",
        "/v1/receipts/{id}",
        "receipt",
        "Where a message is: held, appended, searchable; in which views; and when",
        receipt,
        {200: ("The message", Tracked)},
        ReceiptParameters,
        scopes=("search", "publish"),
        problems=(404, 503),
    ),
]

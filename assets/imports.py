"""Bulk import: lines become transactions, transactions become durable batches, in bounded memory.

A JSON document is one transaction. What either would do can be rehearsed, with nothing written.
"""

import gc
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import uuid4

import msgspec

from assets.catalog import References
from assets.collector import paused_collector
from assets.errors import InvalidMessage, NotAllowed
from assets.gateway import Gateway, Outcome, Prepared, Proposal, Refusal
from assets.intake import Line
from assets.limits import (
    IMPORT_BATCH_BYTES,
    IMPORT_BATCH_MESSAGES,
    LINE_BYTES_MAX,
    TRANSACTION_BYTES_MAX,
    TRANSACTION_MESSAGES_MAX,
)
from assets.model import Receipt, TraceContext
from assets.validation import Envelope, parse_message, transaction_in

_decode_array: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode

Kinds = AbstractSet[str] | None
"""What the publisher may publish; None: every kind."""

KIND_SHOWN_MAX: Final = 100
"""Characters of a kind that is told."""


class Refused(NamedTuple):
    """A line that was refused."""

    line: int
    reason: str


@dataclass
class Batch:
    """What became of one durable batch of an import."""

    lines: int = 0
    bytes: int = 0
    appended: int = 0
    present: int = 0
    held: int = 0
    holes: int = 0
    """References let through although their targets are missing."""
    refused: list[Refused] = field(default_factory=list[Refused])
    errors: list[tuple[int, InvalidMessage]] = field(default_factory=list[tuple[int, InvalidMessage]])
    """What is wrong with each refused line; one that only shares its transaction with such a line has none."""
    waiting: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The ids and URIs of the messages held."""
    new: list[Receipt] = field(default_factory=list[Receipt])
    """Of the messages appended, what was released from holding included."""
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    """Of the messages appended or already there, in the order of the lines; then of what was released from holding."""
    released: int = 0


@dataclass
class _Group:
    """Adjacent lines of one transaction."""

    tx: str | None
    lines: list[int] = field(default_factory=list[int])
    messages: list[Prepared] = field(default_factory=list[Prepared])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    bytes: int = 0
    payload_bytes: int = 0
    is_too_large: bool = False


def import_lines(
    gateway: Gateway,
    lines: Iterable[Line],
    references: References | None = None,
    kinds: Kinds = None,
    trace: TraceContext | None = None,
) -> Iterator[Batch]:
    """Publish lines; each batch that is yielded is durable."""
    groups: list[_Group] = []
    count = size = 0
    with paused_collector():
        for group in _transactions(gateway, lines, kinds):
            groups.append(group)
            count += len(group.lines)
            size += group.bytes
            if count >= IMPORT_BATCH_MESSAGES or size >= IMPORT_BATCH_BYTES:
                yield _publish(gateway, groups, references, trace)
                groups, count, size = [], 0, 0
                # The errors of refused lines hold on to themselves: by now they are all that is left to collect.
                gc.collect(0)
        if groups:
            yield _publish(gateway, groups, references, trace)


def import_document(
    gateway: Gateway,
    text: bytes,
    references: References | None = None,
    kinds: Kinds = None,
    trace: TraceContext | None = None,
) -> Batch:
    """Publish a JSON document: one message, or an array of messages that are one transaction. Lines are its items."""
    return _publish(gateway, [_document(gateway, text, kinds)], references, trace)


def rehearse_lines(
    gateway: Gateway, lines: Iterable[Line], references: References | None = None, kinds: Kinds = None
) -> Batch:
    """What `import_lines` would do. All of it is in memory at once; its receipts' offsets stay nobody's."""
    return _rehearse(gateway, list(_transactions(gateway, lines, kinds)), references)


def rehearse_document(
    gateway: Gateway, text: bytes, references: References | None = None, kinds: Kinds = None
) -> Batch:
    """What `import_document` would do; its receipts' offsets stay nobody's."""
    return _rehearse(gateway, [_document(gateway, text, kinds)], references)


def _publish(
    gateway: Gateway, groups: list[_Group], references: References | None, trace: TraceContext | None
) -> Batch:
    batch = _told(groups, gateway.publish(_proposals(groups), references, trace))
    # Also where nothing was appended: whoever appended what is waited for may have been killed right after.
    released = gateway.release()
    batch.released = len(released)
    batch.receipts += released
    batch.new += released
    return batch


def _rehearse(gateway: Gateway, groups: list[_Group], references: References | None) -> Batch:
    return _told(groups, gateway.rehearse(_proposals(groups), references))


def _proposals(groups: list[_Group]) -> list[Proposal]:
    return [Proposal(group.tx, group.messages, group.refusals) for group in groups]


def _told(groups: list[_Group], outcomes: list[Outcome]) -> Batch:
    batch = Batch(lines=sum(len(group.lines) for group in groups), bytes=sum(group.bytes for group in groups))
    for group, outcome in zip(groups, outcomes, strict=True):
        match outcome.status:
            case "appended":
                batch.appended += len(outcome.receipts)
                batch.new += outcome.receipts
            case "present":
                batch.present += len(outcome.receipts)
            case "held":
                batch.held += len(group.messages)
                batch.waiting += [(message.draft.id, message.draft.uri) for message in group.messages]
            case "refused":
                batch.refused += _refused(group, outcome)
                batch.errors += [(group.lines[refusal.number], refusal.error) for refusal in outcome.refusals]
        batch.holes += len(outcome.holes)
        batch.receipts += outcome.receipts
    return batch


def _refused(group: _Group, outcome: Outcome) -> list[Refused]:
    reasons = {group.lines[refusal.number]: str(refusal.error) for refusal in outcome.refusals}
    first = min(reasons)
    with_it = f"not appended, because line {first} of its transaction {group.tx} was refused"
    return [Refused(line, reasons.get(line, with_it)) for line in group.lines]


def _document(gateway: Gateway, text: bytes, kinds: Kinds) -> _Group:
    """The one transaction of a JSON document; it need not have a name."""
    try:
        texts = [bytes(item) for item in _decode_array(text)] if text.lstrip()[:1] == b"[" else [text]
        if not texts:
            raise InvalidMessage("", "there is no message in it")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        group = _Group(None)
        _refuse(group, Line(1, None, ""), InvalidMessage("", "not JSON"))
        return group
    except InvalidMessage as error:
        group = _Group(None)
        _refuse(group, Line(1, None, ""), error)
        return group
    group = _Group(None if len(texts) == 1 else uuid4().hex)
    for number, item in enumerate(texts, 1):
        line = Line(number, item, uuid4().hex)
        try:
            envelope = parse_message(item)
            if number == 1:
                group.tx = envelope.tx or group.tx
            elif envelope.tx not in (None, group.tx):
                raise InvalidMessage("tx", "is another one than the first has, and an array is one transaction")
        except InvalidMessage as error:
            _refuse(group, line, error)
        else:
            _add(group, line, envelope, gateway, kinds)
        if group.is_too_large:
            break
    return group


def _transactions(gateway: Gateway, lines: Iterable[Line], kinds: Kinds) -> Iterator[_Group]:
    """Lines grouped by transaction. One that can't be read is of the transaction it names, as far as that can be told,
    else of the one before it: what may be cut short is not published.
    """
    group: _Group | None = None
    for line in lines:
        envelope: Envelope | None = None
        error: InvalidMessage | None = None
        try:
            if line.text is None:
                raise InvalidMessage("", f"is longer than {LINE_BYTES_MAX:,} bytes")
            envelope = parse_message(line.text)
            tx = envelope.tx
        except InvalidMessage as invalid:
            error = invalid
            tx = transaction_in(line.text, None if group is None else group.tx)
        if group is None or tx is None or tx != group.tx:
            if group is not None:
                yield group
            group = _Group(tx)
        elif len(group.lines) >= 2 * TRANSACTION_MESSAGES_MAX:
            # All of it is refused long since, and need not be kept to be told.
            yield group
            group = _Group(tx, is_too_large=True)
        if error is not None:
            _refuse(group, line, error)
        elif envelope is not None:
            _add(group, line, envelope, gateway, kinds)
    if group is not None:
        yield group


def _add(group: _Group, line: Line, envelope: Envelope, gateway: Gateway, kinds: Kinds) -> None:
    group.bytes += len(line.text or b"")
    try:
        if group.is_too_large and not group.lines:
            raise InvalidMessage("tx", f"has more than {TRANSACTION_MESSAGES_MAX:,} messages")
        if not group.is_too_large:
            if kinds is not None and envelope.kind not in kinds:
                raise NotAllowed(envelope.kind[:KIND_SHOWN_MAX], kinds)
            message = gateway.prepare(envelope, line.id)
            group.payload_bytes += len(message.draft.value or b"")
            if len(group.lines) == TRANSACTION_MESSAGES_MAX:
                raise _too_large(group, f"has more than {TRANSACTION_MESSAGES_MAX:,} messages")
            if group.payload_bytes > TRANSACTION_BYTES_MAX:
                raise _too_large(group, f"takes more than {TRANSACTION_BYTES_MAX:,} bytes")
            group.messages.append(message)
    except InvalidMessage as error:
        _refuse(group, line, error)
    else:
        group.lines.append(line.number)


def _too_large(group: _Group, rule: str) -> InvalidMessage:
    group.is_too_large = True
    group.messages = []
    return InvalidMessage("tx", rule)


def _refuse(group: _Group, line: Line, error: InvalidMessage) -> None:
    group.refusals.append(Refusal(len(group.lines), error))
    group.lines.append(line.number)

"""Bulk import: lines become transactions, transactions become durable batches, in bounded memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from assets.catalog import References
from assets.errors import InvalidMessage
from assets.gateway import Gateway, Outcome, Prepared, Proposal, Refusal
from assets.intake import Line
from assets.limits import IMPORT_BATCH_BYTES, IMPORT_BATCH_MESSAGES, LINE_BYTES_MAX, TRANSACTION_MESSAGES_MAX
from assets.model import Receipt
from assets.validation import Envelope, parse_message


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


def import_lines(gateway: Gateway, lines: Iterable[Line], references: References | None = None) -> Iterator[Batch]:
    """Publish lines; each batch that is yielded is durable."""
    groups: list[_Group] = []
    count = size = 0
    for group in _transactions(gateway, lines):
        groups.append(group)
        count += len(group.lines)
        size += group.bytes
        if count >= IMPORT_BATCH_MESSAGES or size >= IMPORT_BATCH_BYTES:
            yield _publish(gateway, groups, references)
            groups, count, size = [], 0, 0
    if groups:
        yield _publish(gateway, groups, references)


def _publish(gateway: Gateway, groups: list[_Group], references: References | None) -> Batch:
    outcomes = gateway.publish([Proposal(group.tx, group.messages, group.refusals) for group in groups], references)
    batch = Batch(lines=sum(len(group.lines) for group in groups), bytes=sum(group.bytes for group in groups))
    for group, outcome in zip(groups, outcomes, strict=True):
        match outcome.status:
            case "appended":
                batch.appended += len(outcome.receipts)
            case "present":
                batch.present += len(outcome.receipts)
            case "held":
                batch.held += len(group.messages)
            case "refused":
                batch.refused += _refused(group, outcome)
        batch.holes += len(outcome.holes)
        batch.receipts += outcome.receipts
    if batch.appended:
        released = gateway.release()
        batch.released = len(released)
        batch.receipts += released
    return batch


def _refused(group: _Group, outcome: Outcome) -> list[Refused]:
    reasons = {group.lines[refusal.number]: str(refusal.error) for refusal in outcome.refusals}
    first = min(reasons)
    with_it = f"not appended, because line {first} of its transaction {group.tx} was refused"
    return [Refused(line, reasons.get(line, with_it)) for line in group.lines]


def _transactions(gateway: Gateway, lines: Iterable[Line]) -> Iterator[_Group]:
    """Lines grouped by transaction. A line that can't be read belongs to the transaction around it, if there is one."""
    group: _Group | None = None
    unread: list[tuple[Line, InvalidMessage]] = []
    for line in lines:
        try:
            if line.text is None:
                raise InvalidMessage("", f"is longer than {LINE_BYTES_MAX:,} bytes")
            envelope = parse_message(line.text)
        except InvalidMessage as error:
            unread.append((line, error))
            if group is None or group.tx is None or len(unread) >= TRANSACTION_MESSAGES_MAX:
                yield from _closed(group, unread)
                group, unread = None, []
            continue
        if group is not None and envelope.tx is not None and envelope.tx == group.tx:
            for bad, error in unread:
                _refuse(group, bad, error)
        else:
            yield from _closed(group, unread)
            group = _Group(envelope.tx)
        unread = []
        _add(group, line, envelope, gateway)
    yield from _closed(group, unread)


def _add(group: _Group, line: Line, envelope: Envelope, gateway: Gateway) -> None:
    if len(group.lines) == TRANSACTION_MESSAGES_MAX:
        group.messages = []
        _refuse(group, line, InvalidMessage("tx", f"has more than {TRANSACTION_MESSAGES_MAX:,} messages"))
        return
    if len(group.lines) < TRANSACTION_MESSAGES_MAX:
        try:
            group.messages.append(gateway.prepare(envelope, line.id))
        except InvalidMessage as error:
            _refuse(group, line, error)
            return
    group.lines.append(line.number)
    group.bytes += len(line.text or b"")


def _closed(group: _Group | None, unread: Iterable[tuple[Line, InvalidMessage]]) -> Iterator[_Group]:
    """A group that is complete, and the unreadable lines behind it, which belong to none."""
    if group is not None:
        yield group
    for line, error in unread:
        alone = _Group(None)
        _refuse(alone, line, error)
        yield alone


def _refuse(group: _Group, line: Line, error: InvalidMessage) -> None:
    group.refusals.append(Refusal(len(group.lines), error))
    group.lines.append(line.number)

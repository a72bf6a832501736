"""The gateway: the one way into the log. It validates, keeps the references policy, and gives receipts.

A transaction is taken whole or not at all. What is refused never enters the log; a receipt means durable.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from uuid import uuid4

from assets.catalog import Catalog, References
from assets.codec import Codec, check_compatibility
from assets.errors import Conflict, InvalidMessage, MissingReferences
from assets.holding import Held, Holding, releasable
from assets.limits import HELD_MESSAGES_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_MESSAGES_MAX
from assets.log.port import Log
from assets.model import NEVER, Draft, Receipt, TraceContext, Transaction
from assets.references import FoundReference
from assets.validation import Checked, Envelope, Validator

PUBLISHED_KEPT_MAX: Final = 500_000
"""URIs remembered as published, so that the log is not asked for each reference again."""

RELEASED_MESSAGES: Final = 1_024
"""Held messages that are appended at a time, or a few more: a transaction stays whole."""


@dataclass(frozen=True)
class Refusal:
    """Why one message of a transaction was refused; `number` counts from 0 inside the transaction."""

    number: int
    error: InvalidMessage


class Prepared(NamedTuple):
    """A message ready to append, with what must be true of the log then."""

    draft: Draft
    expect: int | None
    references: Sequence[FoundReference]


class Proposal(NamedTuple):
    """A transaction on its way in. With refusals it goes nowhere, but is still told apart and counted."""

    tx: str | None
    messages: Sequence[Prepared]
    refusals: Sequence[Refusal] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one proposal."""

    status: Literal["appended", "present", "held", "refused"]
    """`present`: it was in the log already."""
    receipts: Sequence[Receipt] = ()
    holes: Sequence[FoundReference] = ()
    """References it was let through with although their targets are missing."""
    refusals: Sequence[Refusal] = ()


class Gateway:
    """Publishes into one log, with one catalog. Several gateways, in several processes, may share a log."""

    def __init__(self, log: Log, catalog: Catalog, holding: Holding | None = None) -> None:
        """Registers the catalog's schemas beside the log.

        Raises:
            IncompatibleSchema: when a kind can't read what the log already holds.
        """
        check_compatibility(catalog.kinds, log.schemas())
        for kind in catalog.kinds.values():
            for text in (*kind.older, kind.text):
                log.register_schema(kind.name, text)
        schemas = log.schemas()
        self._schema_ids = {schema.kind: schema.id for schema in schemas if schema.text == _text(catalog, schema.kind)}
        self._codec = Codec(catalog.kinds, schemas)
        self._validator = Validator(catalog.kinds)
        self._log = log
        self._holding = holding
        self._policy: References = catalog.references
        self._published: set[str] = set()

    def prepare(self, envelope: Envelope, fallback_id: str | None = None) -> Prepared:
        """Validate and encode one message; nothing is appended.

        Raises:
            InvalidMessage: with the field and the rule.
        """
        checked: Checked = self._validator.check(envelope)
        value = None
        if envelope.data is not None:
            try:
                value = self._codec.encode(envelope.kind, self._schema_ids[envelope.kind], envelope.data)
            except InvalidMessage as refusal:
                raise self._validator.explain(envelope, refusal) from None
        draft = Draft(envelope.uri, checked.time, envelope.id or fallback_id or uuid4().hex, value)
        return Prepared(draft, envelope.expect, checked.references)

    def propose(self, messages: Iterable[Envelope]) -> Proposal:
        """One transaction of these messages, whose `tx` is the first one's."""
        envelopes = list(messages)
        prepared: list[Prepared] = []
        refusals: list[Refusal] = []
        for number, envelope in enumerate(envelopes):
            try:
                prepared.append(self.prepare(envelope))
            except InvalidMessage as error:
                refusals.append(Refusal(number, error))
        return Proposal(envelopes[0].tx if envelopes else None, prepared, refusals)

    def publish(
        self, proposals: Sequence[Proposal], references: References | None = None, trace: TraceContext | None = None
    ) -> list[Outcome]:
        """Append what may be appended: one durable write for all of it, in order.

        Args:
            proposals: Transactions; a refused one does not stop the others.
            references: The policy in place of the catalog's.
            trace: What the appended messages carry.

        Raises:
            LogBusy: another writer holds the log; nothing was appended.
        """
        attempt = _Attempt(self._log, self._holding, references or self._policy, self._published, trace)
        with self._others_kept_out():
            with self._log.writing():
                outcomes = attempt.run(proposals)
            # Only what the log has for certain is remembered, and only held what waits behind it.
            if len(self._published) > PUBLISHED_KEPT_MAX:
                self._published.clear()
            self._published |= attempt.newly_published
            if self._holding is not None:
                self._holding.add(attempt.to_hold)
        return outcomes

    def rehearse(self, proposals: Sequence[Proposal], references: References | None = None) -> list[Outcome]:
        """What `publish` would do now, by doing it and taking it back. The receipts' offsets stay nobody's.

        Raises:
            LogBusy: another writer holds the log.
        """
        attempt = _Attempt(self._log, self._holding, references or self._policy, self._published)
        outcomes: list[Outcome] = []
        with suppress(_TakenBack), self._others_kept_out(), self._log.writing():
            outcomes = attempt.run(proposals)
            raise _TakenBack
        return outcomes

    def release(self) -> list[Receipt]:
        """Append what was held and waits for nothing any more; the receipts of what was appended now."""
        if self._holding is None or self._holding.is_empty():
            return []
        receipts: list[Receipt] = []
        with self._holding.changing():
            held = self._holding.all()
            published = self._log.published(sorted({uri for entry in held for uri in entry.references}))
            for some in _portions(releasable(held, published)):
                with self._log.writing():
                    # A crash between appending and forgetting leaves it held although it is in the log.
                    present = self._log.receipts([id_ for entry in some for id_ in entry.messages])
                    new = [entry.number for entry in some if entry.messages.keys().isdisjoint(present)]
                    receipts += self._log.append(map(self._holding.transaction, new))
                self._holding.remove([entry.number for entry in some])
        return receipts

    def _others_kept_out(self) -> AbstractContextManager[None]:
        """From deciding what to hold until it is held, no other gateway may let a later message of its assets pass."""
        return nullcontext() if self._holding is None else self._holding.changing()


class _TakenBack(Exception):
    """Ends a rehearsal: nothing of it is kept."""


class _Refused(Exception):
    """Why a proposal goes nowhere."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__()
        self.refusals = refusals


class _Attempt:
    """One write: decides for each proposal while the log is held, so that what it decides by stays true."""

    def __init__(
        self,
        log: Log,
        holding: Holding | None,
        policy: References,
        published: set[str],
        trace: TraceContext | None = None,
    ) -> None:
        self._log = log
        self._trace = trace
        self._holding = holding
        self._policy: References = policy
        self._known_published = published
        self.newly_published: set[str] = set()
        self._absent: set[str] = set()
        self.to_hold: list[tuple[Held, Transaction]] = []
        self._present: dict[str, Receipt] = {}
        self._latest: dict[str, int] = {}
        self._held: dict[str, str] = {}
        """The ids of what is held, and their URIs."""
        self._held_uris: set[str] = set()
        self._pending: list[Transaction] = []
        self._pending_ids: set[str] = set()
        self._pending_uris: set[str] = set()

    def run(self, proposals: Sequence[Proposal]) -> list[Outcome]:
        messages = [message for proposal in proposals if not proposal.refusals for message in proposal.messages]
        self._present = dict(self._log.receipts([message.draft.id for message in messages]))
        expected = [message.draft.uri for message in messages if message.expect is not None]
        self._latest = dict(self._log.latest(expected)) if expected else {}
        self._find_published(messages)
        if self._holding is not None and not self._holding.is_empty():
            for held in self._holding.all():
                self._note_held(held)
        decided = [self._decide(proposal) for proposal in proposals]
        self._flush()
        return [
            Outcome(outcome.status, [self._present[id_] for id_ in ids], outcome.holes, outcome.refusals)
            for outcome, ids in decided
        ]

    def _decide(self, proposal: Proposal) -> tuple[Outcome, Sequence[str]]:
        """The outcome, and the ids whose receipts belong to it."""
        try:
            return self._take(proposal)
        except _Refused as refused:
            return Outcome("refused", refusals=refused.refusals), ()

    def _take(self, proposal: Proposal) -> tuple[Outcome, Sequence[str]]:
        if proposal.refusals:
            raise _Refused(*proposal.refusals)
        messages = proposal.messages
        ids = [message.draft.id for message in messages]
        _check_size(messages)
        if not self._pending_ids.isdisjoint(ids):
            self._flush()
        if _is_known(messages, {id_: found.uri for id_ in ids if (found := self._present.get(id_))}, "in the log"):
            return Outcome("present"), ids
        if self._held and _is_known(messages, {id_: self._held[id_] for id_ in ids if id_ in self._held}, "held"):
            return Outcome("held"), ()
        behind = self._behind(messages) if self._held else []
        self._check_expectations(messages, behind)
        missing = self._missing(messages)
        if self._policy == "hold" and (missing or behind):
            self._hold(proposal, [reference for _, references in missing for reference in references])
            return Outcome("held"), ()
        if behind:
            raise _Refused(*(_is_behind(messages, number, "uri") for number in behind))
        if missing and self._policy == "reject":
            raise _Refused(*(Refusal(number, _missing_error(references)) for number, references in missing))
        self._pending.append(Transaction(proposal.tx, [message.draft for message in messages]))
        self._pending_ids.update(ids)
        for message in messages:
            self._pending_uris.add(message.draft.uri)
            if message.draft.value is not None:
                self.newly_published.add(message.draft.uri)
                self._absent.discard(message.draft.uri)
        return Outcome("appended", holes=[reference for _, references in missing for reference in references]), ids

    def _behind(self, messages: Sequence[Prepared]) -> list[int]:
        """Those messages of a transaction whose asset has an earlier one that is held."""
        return [number for number, message in enumerate(messages) if message.draft.uri in self._held_uris]

    def _check_expectations(self, messages: Sequence[Prepared], behind: Sequence[int]) -> None:
        refusals: list[Refusal] = []
        for number, message in enumerate(messages):
            if message.expect is None:
                continue
            uri = message.draft.uri
            if number in behind:
                refusals.append(_is_behind(messages, number, "expect"))
                continue
            if uri in self._pending_uris:
                self._flush()
            present = self._latest.get(uri)
            if message.expect != (NEVER if present is None else present):
                refusals.append(Refusal(number, Conflict(uri, message.expect, present)))
        if refusals:
            raise _Refused(*refusals)

    def _find_published(self, messages: Sequence[Prepared]) -> None:
        wanted = {reference.uri for message in messages for reference in message.references} - self._known_published
        self.newly_published |= self._log.published(list(wanted))
        self._absent = wanted - self.newly_published

    def _missing(self, messages: Sequence[Prepared]) -> list[tuple[int, list[FoundReference]]]:
        """Each message of a transaction that refers to what nobody has published, and its references to that."""
        if not self._absent:
            return []
        # The absent may be many, the messages are few: the sets are asked, not copied.
        absent, own = self._absent, {message.draft.uri for message in messages if message.draft.value is not None}
        found = (
            (number, [found for found in message.references if found.uri in absent and found.uri not in own])
            for number, message in enumerate(messages)
        )
        return [(number, references) for number, references in found if references]

    def _hold(self, proposal: Proposal, missing: Sequence[FoundReference]) -> None:
        if self._holding is None:
            error = InvalidMessage("", "nothing can be held here: the gateway has no place to keep it")
            raise _Refused(Refusal(0, error))
        if len(self._held) + len(proposal.messages) > HELD_MESSAGES_MAX:
            error = InvalidMessage(
                "", f"no more than {HELD_MESSAGES_MAX:,} messages are held; publish what they wait for"
            )
            raise _Refused(Refusal(0, error))
        drafts = [message.draft for message in proposal.messages]
        held = Held(
            NEVER,
            {draft.id: draft.uri for draft in drafts},
            frozenset(draft.uri for draft in drafts if draft.value is not None),
            frozenset(reference.uri for reference in missing),
        )
        self.to_hold.append((held, Transaction(proposal.tx, drafts)))
        self._note_held(held)

    def _note_held(self, held: Held) -> None:
        self._held.update(held.messages)
        self._held_uris.update(held.messages.values())

    def _flush(self) -> None:
        if self._pending:
            for receipt in self._log.append(self._pending, self._trace):
                self._present[receipt.id] = receipt
                self._latest[receipt.uri] = receipt.offset
            self._pending = []
            self._pending_ids.clear()
            self._pending_uris.clear()


def _check_size(messages: Sequence[Prepared]) -> None:
    if len(messages) > TRANSACTION_MESSAGES_MAX:
        error = InvalidMessage("tx", f"has more than {TRANSACTION_MESSAGES_MAX:,} messages")
        raise _Refused(Refusal(TRANSACTION_MESSAGES_MAX, error))
    if len(messages) == 1:
        return
    size = 0
    ids: set[str] = set()
    for number, message in enumerate(messages):
        size += len(message.draft.value or b"")
        if size > TRANSACTION_BYTES_MAX:
            error = InvalidMessage("tx", f"takes more than {TRANSACTION_BYTES_MAX:,} bytes")
            raise _Refused(Refusal(number, error))
        if message.draft.id in ids:
            raise _Refused(Refusal(number, InvalidMessage("id", "another message of its transaction has the same id")))
        ids.add(message.draft.id)


def _is_known(messages: Sequence[Prepared], known: Mapping[str, str], where: str) -> bool:
    """Whether a transaction came before; `known` has the ids of its messages that did, and their URIs."""
    if not known:
        return False
    refusals: list[Refusal] = []
    for number, message in enumerate(messages):
        uri = known.get(message.draft.id)
        if uri is None:
            rule = f"other messages of its transaction are {where} already; give new ones a new tx"
            refusals.append(Refusal(number, InvalidMessage("tx", rule)))
        elif uri != message.draft.uri:
            rule = f"{message.draft.id!r} was used for {uri}, which is {where} already"
            refusals.append(Refusal(number, InvalidMessage("id", rule)))
    if refusals:
        raise _Refused(*refusals)
    return True


def _is_behind(messages: Sequence[Prepared], number: int, field: str) -> Refusal:
    uri = messages[number].draft.uri
    rule = f"an earlier message of {uri} is held until what it refers to is published; publish that"
    other = "leave expect out" if field == "expect" else "use --references hold to go behind it"
    return Refusal(number, InvalidMessage(field, f"{rule}, or {other}"))


def _missing_error(references: Sequence[FoundReference]) -> MissingReferences:
    return MissingReferences([(reference.place, reference.uri) for reference in references])


def _portions(held: Iterable[Held]) -> Iterator[list[Held]]:
    """What is appended at a time, so that memory does not grow with what is held."""
    some: list[Held] = []
    count = 0
    for entry in held:
        some.append(entry)
        count += len(entry.messages)
        if count >= RELEASED_MESSAGES:
            yield some
            some, count = [], 0
    if some:
        yield some


def _text(catalog: Catalog, kind: str) -> str | None:
    found = catalog.kinds.get(kind)
    return None if found is None else found.text

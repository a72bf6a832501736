"""The gateway: the one way into the log. It validates, keeps the references policy, and gives receipts.

A transaction is taken whole or not at all. What is refused never enters the log; a receipt means durable.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from uuid import uuid4

from assets.catalog import Catalog, References
from assets.codec import Codec, check_compatibility
from assets.errors import Conflict, InvalidMessage, MissingReferences
from assets.holding import Held, Holding
from assets.limits import TRANSACTION_BYTES_MAX, TRANSACTION_MESSAGES_MAX
from assets.log.port import Log
from assets.model import NEVER, Draft, Receipt, Transaction
from assets.validation import Checked, Envelope, Validator

PUBLISHED_KEPT_MAX: Final = 500_000
"""URIs remembered as published, so that the log is not asked for each reference again."""


@dataclass(frozen=True)
class Refusal:
    """Why one message of a transaction was refused; `number` counts from 0 inside the transaction."""

    number: int
    error: InvalidMessage


class Prepared(NamedTuple):
    """A message ready to append, with what must be true of the log then."""

    draft: Draft
    expect: int | None
    references: tuple[tuple[str, str], ...]


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
    holes: Sequence[tuple[str, str]] = ()
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
            value = self._codec.encode(envelope.kind, self._schema_ids[envelope.kind], envelope.data)
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

    def publish(self, proposals: Sequence[Proposal], references: References | None = None) -> list[Outcome]:
        """Append what may be appended: one durable write for all of it, in order.

        Args:
            proposals: Transactions; a refused one does not stop the others.
            references: The policy in place of the catalog's.

        Raises:
            LogBusy: another writer holds the log; nothing was appended.
        """
        attempt = _Attempt(self._log, self._holding, references or self._policy, self._published)
        with self._log.writing():
            outcomes = attempt.run(proposals)
        # Only what the log has for certain is remembered, and only held what waits behind it.
        if len(self._published) > PUBLISHED_KEPT_MAX:
            self._published.clear()
        self._published |= attempt.newly_published
        if self._holding is not None:
            self._holding.add(attempt.to_hold)
        return outcomes

    def release(self) -> list[Receipt]:
        """Append what was held and waits for nothing any more; the receipts of what was appended now."""
        if self._holding is None or self._holding.is_empty():
            return []
        receipts: list[Receipt] = []
        while ready := self._ready(self._holding.all()):
            with self._log.writing():
                # A crash between appending and removing leaves it held although it is in the log.
                present = self._log.receipts(sorted(id_ for held in ready for id_ in held.ids))
                new = [held.number for held in ready if held.ids.isdisjoint(present)]
                receipts += self._log.append(map(self._holding.transaction, new))
            self._holding.remove([held.number for held in ready])
        return receipts

    def _ready(self, held: Sequence[Held]) -> list[Held]:
        """Those whose references are there, and which wait behind no earlier one of the same asset."""
        published = self._log.published(sorted({uri for entry in held for uri in entry.references}))
        ready: list[Held] = []
        waiting: set[str] = set()
        for entry in held:
            if entry.references <= published and waiting.isdisjoint(entry.uris):
                ready.append(entry)
            else:
                waiting |= entry.uris
        return ready


class _Attempt:
    """One write: decides for each proposal while the log is held, so that what it decides by stays true."""

    def __init__(self, log: Log, holding: Holding | None, policy: References, published: set[str]) -> None:
        self._log = log
        self._holding = holding
        self._policy: References = policy
        self._known_published = published
        self.newly_published: set[str] = set()
        self.to_hold: list[tuple[Held, Transaction]] = []
        self._present: dict[str, Receipt] = {}
        self._latest: dict[str, int] = {}
        self._held_ids: set[str] = set()
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
        if proposal.refusals:
            return Outcome("refused", refusals=proposal.refusals), ()
        messages = proposal.messages
        ids = [message.draft.id for message in messages]
        if not self._pending_ids.isdisjoint(ids) or len(set(ids)) < len(ids):
            self._flush()
        try:
            _check_size(messages)
            if self._is_present(messages):
                return Outcome("present"), ids
            if self._held_ids.issuperset(ids):
                return Outcome("held"), ()
            self._check_expectations(messages)
            missing = self._missing(messages)
            behind = [message.draft.uri for message in messages if message.draft.uri in self._held_uris]
            if self._policy == "hold" and (missing or behind):
                self._hold(proposal, missing)
                return Outcome("held"), ()
            if behind:
                raise InvalidMessage(
                    "uri",
                    f"an earlier message of {behind[0]} is held until its references are published;"
                    " publish those, or publish this with --references hold to go behind it",
                )
            if missing and self._policy == "reject":
                raise MissingReferences(missing)
        except InvalidMessage as error:
            return Outcome("refused", refusals=[Refusal(_number_of(error, messages), error)]), ()
        self._pending.append(Transaction(proposal.tx, [message.draft for message in messages]))
        self._pending_ids.update(ids)
        for message in messages:
            self._pending_uris.add(message.draft.uri)
            if message.draft.value is not None:
                self.newly_published.add(message.draft.uri)
        return Outcome("appended", holes=missing), ids

    def _is_present(self, messages: Sequence[Prepared]) -> bool:
        found = [self._present.get(message.draft.id) for message in messages]
        if not any(found):
            return False
        for message, receipt in zip(messages, found, strict=True):
            if receipt is None:
                raise InvalidMessage(
                    "tx", "some of its messages are in the log already and some are not; give the new ones a new tx"
                )
            if receipt.uri != message.draft.uri:
                raise InvalidMessage("id", f"{receipt.id!r} was used for {receipt.uri} at offset {receipt.offset}")
        return True

    def _check_expectations(self, messages: Sequence[Prepared]) -> None:
        for message in messages:
            if message.expect is None:
                continue
            uri = message.draft.uri
            if uri in self._pending_uris:
                self._flush()
                self._latest.update(self._log.latest([uri]))
            present = self._latest.get(uri)
            if message.expect != (NEVER if present is None else present):
                raise Conflict(uri, message.expect, present)

    def _find_published(self, messages: Sequence[Prepared]) -> None:
        wanted = {uri for message in messages for _, uri in message.references} - self._known_published
        self.newly_published |= self._log.published(list(wanted))

    def _missing(self, messages: Sequence[Prepared]) -> list[tuple[str, str]]:
        own = {message.draft.uri for message in messages if message.draft.value is not None}
        return [
            (place, uri)
            for message in messages
            for place, uri in message.references
            if uri not in self._known_published and uri not in self.newly_published and uri not in own
        ]

    def _hold(self, proposal: Proposal, missing: Sequence[tuple[str, str]]) -> None:
        if self._holding is None:
            raise InvalidMessage("", "nothing can be held here: the gateway has no place to keep it")
        self._holding.check_room(sum(len(held.ids) for held, _ in self.to_hold) + len(proposal.messages))
        drafts = [message.draft for message in proposal.messages]
        held = Held(
            NEVER,
            frozenset(draft.id for draft in drafts),
            frozenset(draft.uri for draft in drafts),
            frozenset(uri for _, uri in missing),
        )
        self.to_hold.append((held, Transaction(proposal.tx, drafts)))
        self._note_held(held)

    def _note_held(self, held: Held) -> None:
        self._held_ids |= held.ids
        self._held_uris |= held.uris

    def _flush(self) -> None:
        if self._pending:
            self._present.update((receipt.id, receipt) for receipt in self._log.append(self._pending))
            self._pending = []
            self._pending_ids.clear()
            self._pending_uris.clear()


def _check_size(messages: Sequence[Prepared]) -> None:
    if len(messages) > TRANSACTION_MESSAGES_MAX:
        raise InvalidMessage("tx", f"has more than {TRANSACTION_MESSAGES_MAX:,} messages")
    size = sum(len(message.draft.value or b"") for message in messages)
    if size > TRANSACTION_BYTES_MAX:
        raise InvalidMessage("tx", f"takes {size:,} bytes; a transaction may have {TRANSACTION_BYTES_MAX:,}")
    if len({message.draft.id for message in messages}) < len(messages):
        raise InvalidMessage("id", "two messages of one transaction have the same id")


def _number_of(error: InvalidMessage, messages: Sequence[Prepared]) -> int:
    """Which message of the transaction an error is about."""
    for number, message in enumerate(messages):
        if isinstance(error, Conflict) and error.uri == message.draft.uri:
            return number
        if isinstance(error, MissingReferences) and error.missing[0] in message.references:
            return number
    return 0


def _text(catalog: Catalog, kind: str) -> str | None:
    found = catalog.kinds.get(kind)
    return None if found is None else found.text

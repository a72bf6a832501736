"""The gateway agrees with a model of its rules, whatever comes, however often it is killed and opened again."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from assets.catalog import References, parse_catalog
from assets.gateway import Gateway
from assets.holding import Holding
from assets.log import open_log
from tests.support import newsroom

FILES = {
    "kinds/node.avsc": json.dumps(
        newsroom.record("node", newsroom.field("refs", {"type": "array", "items": newsroom.reference("node")}, []))
    ),
    "views.toml": "",
}
NAMES = "abcd"


class Message(NamedTuple):
    name: str
    id: str
    refs: tuple[str, ...] | None
    """None: it is unpublished."""
    expect: int | None

    def json(self, tx: str | None) -> newsroom.Json:
        envelope: dict[str, Any] = {"id": self.id}
        if tx is not None:
            envelope["tx"] = tx
        if self.expect is not None:
            envelope["expect"] = self.expect
        if self.refs is None:
            return newsroom.unpublish(f"x://node/{self.name}", **envelope)
        return newsroom.publish(f"x://node/{self.name}", refs=[f"x://node/{name}" for name in self.refs], **envelope)


class Transaction(NamedTuple):
    tx: str | None
    messages: tuple[Message, ...]

    @property
    def names(self) -> set[str]:
        return {message.name for message in self.messages}

    @property
    def publishes(self) -> set[str]:
        return {message.name for message in self.messages if message.refs is not None}

    @property
    def references(self) -> set[str]:
        return {name for message in self.messages for name in message.refs or ()} - self.publishes


@dataclass
class Model:
    """The rules, said plainly: one transaction after the other, each looked at against everything there is."""

    log: list[tuple[str, str, str | None, bool]] = field(default_factory=list)
    published: set[str] = field(default_factory=set)
    held: list[Transaction] = field(default_factory=list)

    def publish(self, transaction: Transaction, policy: References) -> str:
        ids = [message.id for message in transaction.messages]
        if len(set(ids)) < len(ids):
            return "refused"
        for place, known in (("present", self._ids_in_log()), ("held", self._ids_held())):
            if any(id_ in known for id_ in ids):
                same = all(known.get(message.id) == message.name for message in transaction.messages)
                return place if same else "refused"
        behind = transaction.names & {name for held in self.held for name in held.names}
        for message in transaction.messages:
            if message.expect is not None and (message.name in behind or message.expect != self.latest(message.name)):
                return "refused"
        missing = transaction.references - self.published
        if policy == "hold" and (missing or behind):
            self.held.append(transaction)
            return "held"
        if behind or (missing and policy == "reject"):
            return "refused"
        self._append(transaction)
        return "appended"

    def release(self) -> list[str]:
        coming = list(self.held)
        while True:
            there = self.published.union(*(held.publishes for held in coming))
            kept: list[Transaction] = []
            blocked: set[str] = set()
            for held in self.held:
                if held in coming and held.references <= there and not blocked & held.names:
                    kept.append(held)
                else:
                    blocked |= held.names
            if kept == coming:
                break
            coming = kept
        released: list[str] = []
        while coming:
            chosen = next((held for held in coming if self._waits_for_nothing(held, coming)), coming[0])
            coming.remove(chosen)
            self.held.remove(chosen)
            self._append(chosen)
            released += [message.id for message in chosen.messages]
        return released

    def latest(self, name: str) -> int:
        return max((offset for offset, (known, *_) in enumerate(self.log) if known == name), default=-1)

    def _waits_for_nothing(self, held: Transaction, coming: Sequence[Transaction]) -> bool:
        earlier = coming[: coming.index(held)]
        return held.references <= self.published and not any(held.names & other.names for other in earlier)

    def _append(self, transaction: Transaction) -> None:
        last = len(transaction.messages) - 1
        for number, message in enumerate(transaction.messages):
            self.log.append((message.name, message.id, transaction.tx, number == last))
        self.published |= transaction.publishes

    def _ids_in_log(self) -> dict[str, str]:
        return {id_: name for name, id_, _, _ in self.log}

    def _ids_held(self) -> dict[str, str]:
        return {message.id: message.name for held in self.held for message in held.messages}


class Killed(BaseException):
    """Nothing of the code under test may catch this."""


names = st.sampled_from(NAMES)
policies = st.sampled_from(["reject", "hold", "hold", "allow"])
drafts = st.lists(
    st.lists(
        st.tuples(
            names,
            st.one_of(st.none(), st.sampled_from("12345678")),
            st.one_of(st.none(), st.lists(names, max_size=2).map(tuple), st.just(())),
            st.sampled_from([None, None, None, None, -1, "latest", 3]),
        ),
        min_size=1,
        max_size=3,
    ),
    min_size=1,
    max_size=3,
)


class GatewayMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.url = f"memory:{uuid4()}"
        self.catalog = parse_catalog(FILES)
        self.model = Model()
        self.fresh = 0
        self.log = open_log(self.url)
        self.open()

    def open(self) -> None:
        self.holding = Holding(self.folder / "held.sqlite")
        self.gateway = Gateway(self.log, self.catalog, self.holding)

    def teardown(self) -> None:
        self.holding.close()
        self.log.close()
        shutil.rmtree(self.folder)

    def transactions(self, drawn: Sequence[Any]) -> list[Transaction]:
        made: list[Transaction] = []
        for messages in drawn:
            listed: list[Message] = []
            for name, id_, refs, expect in messages:
                self.fresh += 1
                seen = self.model.latest(name) if expect == "latest" else expect
                listed.append(Message(name, id_ or f"fresh-{self.fresh}", refs, seen))
            made.append(Transaction(f"tx-{self.fresh}" if len(listed) > 1 else None, tuple(listed)))
        return made

    def proposals(self, transactions: Sequence[Transaction]) -> list[Any]:
        return [
            self.gateway.propose(newsroom.envelope(message.json(transaction.tx)) for message in transaction.messages)
            for transaction in transactions
        ]

    @rule(drawn=drafts, policy=policies)
    def publish(self, drawn: Sequence[Any], policy: References) -> None:
        transactions = self.transactions(drawn)
        outcomes = self.gateway.publish(self.proposals(transactions), policy)
        assert [outcome.status for outcome in outcomes] == [
            self.model.publish(transaction, policy) for transaction in transactions
        ]
        offsets = {id_: offset for offset, (_, id_, _, _) in enumerate(self.model.log)}
        for transaction, outcome in zip(transactions, outcomes, strict=True):
            there = outcome.status in ("appended", "present")
            assert [(receipt.id, receipt.uri.rpartition("/")[2], receipt.offset) for receipt in outcome.receipts] == [
                (message.id, message.name, offsets[message.id]) for message in transaction.messages if there
            ]
            assert bool(outcome.refusals) == (outcome.status == "refused")

    @rule()
    def release(self) -> None:
        assert [receipt.id for receipt in self.gateway.release()] == self.model.release()

    @rule()
    def open_again(self) -> None:
        self.holding.close()
        self.open()

    @rule()
    def killed_between_appending_and_forgetting(self) -> None:
        if self.model.release():
            with patch.object(Holding, "remove", side_effect=Killed), pytest.raises(Killed):
                self.gateway.release()
            assert self.holding.count() > 0
            self.open_again()
        assert self.gateway.release() == []

    @rule(drawn=drafts, policy=policies)
    def killed_between_appending_and_holding(self, drawn: Sequence[Any], policy: References) -> None:
        transactions = self.transactions(drawn)
        held = list(self.model.held)
        statuses = [self.model.publish(transaction, policy) for transaction in transactions]
        if "held" in statuses:
            with patch.object(Holding, "add", side_effect=Killed), pytest.raises(Killed):
                self.gateway.publish(self.proposals(transactions), policy)
            # Nobody was told that it is held.
            self.model.held = held
            self.open_again()
        else:
            self.gateway.publish(self.proposals(transactions), policy)

    @rule(drawn=drafts, policy=policies)
    def killed_before_the_end_of_appending(self, drawn: Sequence[Any], policy: References) -> None:
        proposals = self.proposals(self.transactions(drawn))
        with patch.object(type(self.log), "_commit", side_effect=Killed), pytest.raises(Killed):
            self.gateway.publish(proposals, policy)

    @invariant()
    def the_log_is_as_the_model_says(self) -> None:
        assert [
            (message.uri.rpartition("/")[2], message.id, message.tx, message.tx_end) for message in self.log.read()
        ] == self.model.log
        assert self.holding.count() == sum(len(held.messages) for held in self.model.held)


GatewayMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=20)
test_the_gateway_is_as_its_model = GatewayMachine.TestCase

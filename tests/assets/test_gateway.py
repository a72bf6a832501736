"""The gateway: what it takes, holds and refuses, over any log."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from assets import gateway as gateway_module
from assets import validation as validation_module
from assets.catalog import Catalog, References, parse_catalog
from assets.codec import Codec
from assets.errors import Conflict, IncompatibleSchema, LogBusy, MissingReferences, UnusableLog
from assets.fixing import catalog_of, fix_catalog
from assets.gateway import Gateway, Outcome
from assets.holding import Held, Holding, releasable
from assets.log import Log, open_log
from assets.model import Message, Receipt
from tests.support.newsroom import CATALOG, ROOT, article, byline, envelope, image, publish, unpublish

Json = Any


class Desk:
    """A gateway on a log of its own, and what a test asks of it."""

    def __init__(self, url: str, folder: Path, catalog: Catalog) -> None:
        self.url = url
        self.folder = folder
        self.catalog = catalog
        self._opened: list[Log | Holding] = []
        self.log = self.open_log()
        self.holding = self.open_holding()
        self.gateway = Gateway(self.log, catalog, self.holding)

    def open_log(self) -> Log:
        log = open_log(self.url)
        self._opened.append(log)
        return log

    def open_holding(self) -> Holding:
        holding = Holding(self.folder / "held.sqlite")
        self._opened.append(holding)
        return holding

    def another(self) -> Gateway:
        """Another gateway into the same log, from the same home."""
        return Gateway(self.open_log(), self.catalog, self.open_holding())

    def close(self) -> None:
        for opened in self._opened:
            opened.close()

    def publish(self, *transactions: Json | Sequence[Json], references: References | None = None) -> list[Outcome]:
        """One call; each argument is a message or the messages of a transaction."""
        listed = [one if isinstance(one, list) else [one] for one in transactions]
        proposals = [self.gateway.propose(map(envelope, messages)) for messages in listed]
        return self.gateway.publish(proposals, references)

    def publish_one(self, *messages: Json, references: References | None = None) -> Outcome:
        (outcome,) = self.publish(list(messages), references=references)
        return outcome

    def must_publish(self, *transactions: Json | Sequence[Json], references: References | None = None) -> list[Receipt]:
        outcomes = self.publish(*transactions, references=references)
        assert [outcome.status for outcome in outcomes] == ["appended"] * len(outcomes)
        return [receipt for outcome in outcomes for receipt in outcome.receipts]

    @property
    def messages(self) -> list[Message]:
        return list(self.log.read())

    @property
    def uris(self) -> list[str]:
        return [message.uri.removeprefix("news://") for message in self.messages]

    def data(self, offset: int) -> Json:
        (message,) = self.log.read(offset, offset)
        assert message.value is not None
        return Codec(self.catalog.kinds, self.log.schemas()).decode(message.uri.split("/")[2], message.value)


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"memory:{uuid4()}" if request.param == "memory" else f"sqlite:{tmp_path / 'log.sqlite'}"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return parse_catalog(CATALOG)


@pytest.fixture
def desk(url: str, tmp_path: Path, catalog: Catalog) -> Iterator[Desk]:
    desk = Desk(url, tmp_path, catalog)
    yield desk
    desk.close()


def refusals(outcome: Outcome) -> list[tuple[int, str]]:
    assert outcome.status == "refused"
    assert not outcome.receipts
    return [(refusal.number, str(refusal.error)) for refusal in outcome.refusals]


# ------------------------------------------------------------------------------------------------- taking and refusing


def test_a_receipt_says_where_a_message_stands(desk: Desk) -> None:
    receipts = desk.must_publish(image(1, id="first"), [byline(1), article(1, byline="news://byline/1")])
    assert [(receipt.uri, receipt.offset) for receipt in receipts] == [
        ("news://image/1", 0),
        ("news://byline/1", 1),
        ("news://article/1", 2),
    ]
    assert receipts[0].id == "first"
    assert len({receipt.id for receipt in receipts}) == 3
    assert [(message.offset, message.uri, message.id) for message in desk.messages] == [
        (receipt.offset, receipt.uri, receipt.id) for receipt in receipts
    ]


def test_what_is_read_back_is_what_was_published(desk: Desk) -> None:
    desk.must_publish(image(1), article(1, headline="Flüsse treten über", images=["news://image/1"]))
    assert desk.data(1) == {"headline": "Flüsse treten über", "byline": None, "images": ["news://image/1"]}


def test_an_unpublish_is_a_message_without_a_value(desk: Desk) -> None:
    desk.must_publish(image(1), unpublish("news://image/1"))
    assert [message.value is None for message in desk.messages] == [False, True]


def test_an_asset_may_be_unpublished_that_nobody_published(desk: Desk) -> None:
    desk.must_publish(unpublish("news://image/1"))
    assert desk.uris == ["image/1"]


def test_what_is_refused_leaves_no_trace_and_stops_nobody(desk: Desk) -> None:
    outcomes = desk.publish(image(1), publish("news://image/2", path=5), image(3))
    assert [outcome.status for outcome in outcomes] == ["appended", "refused", "appended"]
    assert refusals(outcomes[1]) == [(0, "data.path: expected string, got int")]
    assert desk.uris == ["image/1", "image/3"]


def test_nothing_given_is_nothing_done(desk: Desk) -> None:
    assert desk.publish() == []
    assert [outcome.receipts for outcome in desk.publish([])] == [[]]
    assert desk.messages == []


# -------------------------------------------------------------------------------------------------------- transactions


def test_a_transaction_stands_together_and_says_where_it_ends(desk: Desk) -> None:
    desk.must_publish([image(1, tx="t"), image(2, tx="t"), image(3, tx="t")], image(4), [image(5), image(6)])
    assert [(message.tx, message.tx_end) for message in desk.messages] == [
        ("t", False),
        ("t", False),
        ("t", True),
        (None, True),
        (None, False),
        (None, True),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (publish("news://image/2", path=5), "data.path: expected string, got int"),
        (article(2, byline="news://byline/9"), "data.byline: refers to news://byline/9, which nobody has published"),
        (image(2, expect=4), "expect: news://image/2 was never published, not at 4"),
        (image(2, id="used"), "id: 'used' was used for news://image/0, which is in the log already"),
        (image(2, id="one"), "id: another message of its transaction has the same id"),
    ],
    ids=["invalid", "dangling", "conflict", "id of another", "id twice"],
)
def test_one_bad_message_refuses_its_whole_transaction(desk: Desk, bad: Json, reason: str) -> None:
    desk.must_publish(image(0, id="used"))
    before, refused, after = desk.publish(image(10), [image(1, id="one"), bad, image(3)], image(11))
    assert before.status == after.status == "appended"
    wrong = dict(refusals(refused))
    assert wrong[1].startswith(reason)
    assert desk.uris == ["image/0", "image/10", "image/11"]


def test_every_bad_message_of_a_transaction_is_named(desk: Desk) -> None:
    invalid = desk.publish_one(publish("news://image/1", path=1), image(2), publish("news://image/3", path=3))
    assert [number for number, _ in refusals(invalid)] == [0, 2]
    dangling = desk.publish_one(article(1, byline="news://byline/8"), article(2), article(3, byline="news://byline/9"))
    assert [number for number, _ in refusals(dangling)] == [0, 2]
    stale = desk.publish_one(image(1, expect=1), image(2, expect=-1), image(3, expect=3))
    assert [number for number, _ in refusals(stale)] == [0, 2]


# ---------------------------------------------------------------------------------------------------------- references


def test_a_reference_must_point_at_what_was_published_before(desk: Desk) -> None:
    outcome = desk.publish_one(article(1, byline="news://byline/1", images=["news://image/1", "news://image/2"]))
    ((_, reason),) = refusals(outcome)
    assert reason == (
        "data.byline: refers to news://byline/1, which nobody has published (and 2 more); publish it first or in the"
        " same transaction, or use --references hold or allow"
    )
    (error,) = (refusal.error for refusal in outcome.refusals)
    assert isinstance(error, MissingReferences)
    assert error.missing == (
        ("data.byline", "news://byline/1"),
        ("data.images[0]", "news://image/1"),
        ("data.images[1]", "news://image/2"),
    )
    desk.must_publish(byline(1), image(1), image(2))
    desk.must_publish(article(1, byline="news://byline/1", images=["news://image/1", "news://image/2"]))


def test_a_target_in_the_same_transaction_counts_wherever_it_stands_there(desk: Desk) -> None:
    desk.must_publish([article(1, byline="news://byline/1"), byline(1)])


def test_a_target_earlier_in_the_same_call_counts(desk: Desk) -> None:
    desk.must_publish(byline(1), article(1, byline="news://byline/1"))


def test_a_target_later_in_the_same_call_does_not_count(desk: Desk) -> None:
    outcomes = desk.publish(article(1, byline="news://byline/1"), byline(1))
    assert [outcome.status for outcome in outcomes] == ["refused", "appended"]


def test_a_target_that_was_refused_does_not_count(desk: Desk) -> None:
    outcomes = desk.publish(byline(1, expect=7), article(1, byline="news://byline/1"))
    assert [outcome.status for outcome in outcomes] == ["refused", "refused"]
    assert desk.publish_one(article(1, byline="news://byline/1")).status == "refused"


def test_a_target_that_another_gateway_published_counts(desk: Desk) -> None:
    assert desk.publish_one(article(1, byline="news://byline/1")).status == "refused"
    other = desk.another()
    other.publish([other.propose([envelope(byline(1))])])
    desk.must_publish(article(1, byline="news://byline/1"))


def test_a_target_once_published_counts_although_it_was_unpublished(desk: Desk) -> None:
    desk.must_publish(byline(1), unpublish("news://byline/1"))
    desk.must_publish(article(1, byline="news://byline/1"))


@pytest.mark.parametrize("together", [False, True])
def test_an_unpublish_alone_does_not_make_a_target(desk: Desk, together: bool) -> None:
    if together:
        outcome = desk.publish_one(unpublish("news://byline/1"), article(1, byline="news://byline/1"))
    else:
        desk.must_publish(unpublish("news://byline/1"))
        outcome = desk.publish_one(article(1, byline="news://byline/1"))
    assert outcome.status == "refused"


def test_an_asset_may_refer_to_itself(desk: Desk, catalog: Catalog) -> None:
    files = {"kinds/tag.avsc": CATALOG["kinds/article.avsc"].replace("article", "tag").replace('"byline"]', '"tag"]')}
    files["kinds/tag.avsc"] = files["kinds/tag.avsc"].replace('["image"]', '["tag"]')
    gateway = Gateway(desk.log, parse_catalog({**files, "views.toml": ""}))
    message = publish("news://tag/1", headline="Tags", byline="news://tag/1")
    (outcome,) = gateway.publish([gateway.propose([envelope(message)])])
    assert outcome.status == "appended"


def test_allow_lets_holes_through_and_reports_them(desk: Desk) -> None:
    desk.must_publish(image(1))
    message = article(1, byline="news://byline/1", images=["news://image/1", "news://image/2"])
    outcome = desk.publish_one(message, references="allow")
    assert outcome.status == "appended"
    assert [(hole.place, hole.uri) for hole in outcome.holes] == [
        ("data.byline", "news://byline/1"),
        ("data.images[1]", "news://image/2"),
    ]


def test_a_reference_of_the_wrong_kind_is_refused_under_every_policy(desk: Desk) -> None:
    desk.must_publish(image(1))
    for policy in ("reject", "hold", "allow"):
        outcome = desk.publish_one(article(1, byline="news://image/1"), references=policy)
        assert refusals(outcome) == [(0, "data.byline: refers to the kind image, must be byline")]


def test_the_catalog_says_the_policy_where_the_call_does_not(desk: Desk) -> None:
    files = {**CATALOG, "views.toml": 'references = "allow"\n' + CATALOG["views.toml"]}
    gateway = Gateway(desk.log, parse_catalog(files))
    proposal = gateway.propose([envelope(article(1, byline="news://byline/1"))])
    assert [outcome.status for outcome in gateway.publish([proposal], "reject")] == ["refused"]
    assert [outcome.status for outcome in gateway.publish([proposal])] == ["appended"]


# ----------------------------------------------------------------------------------------------------------------- ids


def test_the_same_id_again_returns_the_first_receipt(desk: Desk) -> None:
    (first,) = desk.must_publish(image(1, id="a"))
    again = desk.publish_one(image(1, id="a", path="/changed.jpg"))
    assert (again.status, again.receipts) == ("present", [first])
    assert desk.data(0)["path"] == "/1.jpg"
    assert len(desk.messages) == 1


def test_the_same_id_twice_in_one_call_is_appended_once(desk: Desk) -> None:
    outcomes = desk.publish(image(1, id="a"), image(1, id="a"), image(2), image(1, id="a"))
    assert [outcome.status for outcome in outcomes] == ["appended", "present", "appended", "present"]
    assert {receipt for number in (0, 1, 3) for receipt in outcomes[number].receipts} == {
        Receipt("a", "news://image/1", 0)
    }
    assert desk.uris == ["image/1", "image/2"]


@pytest.mark.parametrize("at_once", [False, True])
def test_an_id_used_for_another_asset_is_refused(desk: Desk, at_once: bool) -> None:
    if at_once:
        _, outcome = desk.publish(image(1, id="a"), image(2, id="a"))
    else:
        desk.must_publish(image(1, id="a"))
        outcome = desk.publish_one(image(2, id="a"))
    assert refusals(outcome) == [(0, "id: 'a' was used for news://image/1, which is in the log already")]
    assert desk.uris == ["image/1"]


def test_a_whole_transaction_again_is_already_there(desk: Desk) -> None:
    transaction = [image(1, tx="t", id="a"), image(2, tx="t", id="b")]
    receipts = desk.must_publish(transaction)
    again = desk.publish_one(*transaction)
    assert (again.status, again.receipts) == ("present", receipts)


def test_a_transaction_that_is_partly_there_is_refused(desk: Desk) -> None:
    desk.must_publish(image(1, id="a"))
    outcome = desk.publish_one(image(1, tx="t", id="a"), image(2, tx="t", id="b"))
    assert refusals(outcome) == [
        (1, "tx: other messages of its transaction are in the log already; give new ones a new tx")
    ]
    assert desk.uris == ["image/1"]


def test_an_id_survives_its_gateway(desk: Desk) -> None:
    receipts = desk.must_publish(image(1, id="a"))
    other = desk.another()
    (outcome,) = other.publish([other.propose([envelope(image(1, id="a"))])])
    assert (outcome.status, list(outcome.receipts)) == ("present", receipts)


# -------------------------------------------------------------------------------------------------------------- expect


def test_expect_is_the_offset_that_the_publisher_saw(desk: Desk) -> None:
    desk.must_publish(image(1, expect=-1), image(2))
    desk.must_publish(image(1, expect=0))
    outcome = desk.publish_one(image(1, expect=0))
    assert refusals(outcome) == [
        (0, "expect: news://image/1 is at offset 2 now, not at 0; read it again and publish on top of that")
    ]
    (error,) = (refusal.error for refusal in outcome.refusals)
    assert isinstance(error, Conflict)
    assert (error.uri, error.expected, error.present) == ("news://image/1", 0, 2)
    desk.must_publish(image(1, expect=error.present))


def test_expecting_nothing_is_refused_where_there_is_something(desk: Desk) -> None:
    desk.must_publish(unpublish("news://image/1"))
    outcome = desk.publish_one(image(1, expect=-1))
    assert refusals(outcome)[0][1].startswith("expect: news://image/1 is at offset 0 now, not at -1;")


def test_expect_of_what_was_never_published(desk: Desk) -> None:
    outcome = desk.publish_one(image(1, expect=3))
    assert refusals(outcome)[0][1].startswith("expect: news://image/1 was never published, not at 3;")


@pytest.mark.parametrize(
    "between",
    [
        [],
        [image(2, id="b")],
        # Whatever makes the gateway write early: an id that comes again.
        [image(1, id="a")],
        [image(2, id="b"), image(2, id="b")],
    ],
    ids=["nothing", "another", "the same id again", "another twice"],
)
def test_expect_sees_what_stands_before_it_in_the_same_call(desk: Desk, between: list[Json]) -> None:
    first, *_, late, right = desk.publish(image(1, id="a"), *between, image(1, expect=-1), image(1, expect=0))
    assert first.status == "appended"
    assert refusals(late)[0][1].startswith("expect: news://image/1 is at offset 0 now, not at -1;")
    assert right.status == "appended"


def test_only_one_of_those_that_expect_the_same_wins_in_one_call(desk: Desk) -> None:
    outcomes = desk.publish(*(image(1, expect=-1) for _ in range(5)))
    assert [outcome.status for outcome in outcomes] == ["appended", *["refused"] * 4]


def test_an_id_that_is_there_wins_over_a_stale_expect(desk: Desk) -> None:
    desk.must_publish(image(1, id="a", expect=-1), image(1))
    assert desk.publish_one(image(1, id="a", expect=-1)).status == "present"


# ------------------------------------------------------------------------------------------------------------- holding


def test_a_held_message_waits_for_what_it_refers_to(desk: Desk) -> None:
    outcome = desk.publish_one(article(1, byline="news://byline/1", id="a"), references="hold")
    assert (outcome.status, outcome.receipts) == ("held", [])
    assert desk.uris == []
    assert desk.gateway.release() == []
    desk.must_publish(byline(1))
    assert [receipt.id for receipt in desk.gateway.release()] == ["a"]
    assert desk.uris == ["byline/1", "article/1"]
    assert desk.holding.is_empty()
    assert desk.gateway.release() == []


def test_an_unpublish_of_a_target_does_not_release(desk: Desk) -> None:
    desk.publish(article(1, byline="news://byline/1"), references="hold")
    desk.must_publish(unpublish("news://byline/1"))
    assert desk.gateway.release() == []


def test_what_is_held_survives_its_gateway(desk: Desk) -> None:
    desk.publish([article(1, byline="news://byline/1", tx="t"), image(1, tx="t")], references="hold")
    desk.must_publish(byline(1))
    assert [receipt.uri for receipt in desk.another().release()] == ["news://article/1", "news://image/1"]
    assert [(message.tx, message.tx_end) for message in desk.messages[1:]] == [("t", False), ("t", True)]


def test_a_chain_is_released_link_by_link(desk: Desk) -> None:
    desk.publish(
        article(1, images=["news://image/1"]), image(1, credit="news://byline/1"), article(2), references="hold"
    )
    assert desk.holding.count() == 2
    desk.must_publish(byline(1))
    desk.gateway.release()
    assert desk.uris == ["article/2", "byline/1", "image/1", "article/1"]


def test_those_that_wait_only_for_each_other_are_released_together(desk: Desk) -> None:
    desk.publish(byline(1, photo="news://image/1"), article(1, byline="news://byline/1"), references="hold")
    assert desk.gateway.release() == []
    desk.publish(image(1, credit="news://byline/1"), references="hold")
    desk.gateway.release()
    assert desk.uris == ["byline/1", "article/1", "image/1"]
    assert desk.holding.is_empty()


def test_what_is_ready_is_released_in_the_order_of_arrival(desk: Desk) -> None:
    targets = [3, 1, 2]
    for number in targets:
        desk.publish(article(number, byline="news://byline/1"), references="hold")
    desk.must_publish(byline(1))
    desk.gateway.release()
    assert desk.uris == ["byline/1", *(f"article/{number}" for number in targets)]


def test_a_later_message_of_a_held_asset_goes_behind_it(desk: Desk) -> None:
    desk.publish(article(1, headline="old", byline="news://byline/1"), references="hold")
    assert desk.publish_one(article(1, headline="new"), references="hold").status == "held"
    assert desk.publish_one(unpublish("news://article/1"), references="hold").status == "held"
    assert desk.gateway.release() == []
    desk.must_publish(byline(1))
    desk.gateway.release()
    assert desk.uris == ["byline/1", "article/1", "article/1", "article/1"]
    assert [desk.data(offset)["headline"] for offset in (1, 2)] == ["old", "new"]


def test_a_later_message_stays_behind_although_the_earlier_waits_for_a_third(desk: Desk) -> None:
    desk.publish(
        article(1, headline="old", images=["news://image/1"]),
        article(1, headline="new"),
        image(1, credit="news://byline/1"),
        references="hold",
    )
    desk.must_publish(byline(1))
    desk.gateway.release()
    assert desk.uris == ["byline/1", "image/1", "article/1", "article/1"]
    assert [desk.data(offset)["headline"] for offset in (2, 3)] == ["old", "new"]


@pytest.mark.parametrize("policy", ["reject", "allow"])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_later_message_of_a_held_asset_is_refused_when_it_would_pass_it(
    desk: Desk, policy: References, at_once: bool
) -> None:
    desk.publish(article(1, byline="news://byline/1"), references="hold")
    if at_once:
        desk.must_publish(image(1))
    outcome = desk.publish_one(image(2), article(1), references=policy)
    ((number, reason),) = refusals(outcome)
    assert number == 1
    assert reason == (
        "uri: an earlier message of news://article/1 is held until what it refers to is published; publish that,"
        " or use --references hold to go behind it"
    )


def test_expect_is_refused_behind_a_held_message_of_its_asset(desk: Desk) -> None:
    desk.publish(article(1, byline="news://byline/1", expect=-1), references="hold")
    for policy in ("reject", "hold", "allow"):
        outcome = desk.publish_one(article(1, expect=-1), references=policy)
        assert refusals(outcome)[0][1] == (
            "expect: an earlier message of news://article/1 is held until what it refers to is published; publish that,"
            " or leave expect out"
        )


def test_the_same_id_again_is_still_held(desk: Desk) -> None:
    message = article(1, byline="news://byline/1", id="a")
    outcomes = desk.publish(message, message, references="hold")
    assert [outcome.status for outcome in outcomes] == ["held", "held"]
    assert desk.publish_one(message, references="reject").status == "held"
    assert desk.holding.count() == 1
    desk.must_publish(byline(1))
    (receipt,) = desk.gateway.release()
    assert (desk.publish_one(message).status, desk.publish_one(message).receipts) == ("present", [receipt])


def test_an_id_held_for_another_asset_is_refused(desk: Desk) -> None:
    desk.publish(article(1, byline="news://byline/1", id="a"), references="hold")
    outcome = desk.publish_one(article(2, id="a"))
    assert refusals(outcome) == [(0, "id: 'a' was used for news://article/1, which is held already")]


def test_a_transaction_that_is_partly_held_is_refused(desk: Desk) -> None:
    desk.publish(article(1, byline="news://byline/1", id="a"), references="hold")
    outcome = desk.publish_one(article(1, id="a"), image(2, id="b"))
    assert refusals(outcome) == [(1, "tx: other messages of its transaction are held already; give new ones a new tx")]
    part = desk.publish_one(image(1, id="c"), article(2, byline="news://byline/1", id="d"), references="hold")
    assert part.status == "held"
    assert desk.publish_one(image(1, id="c")).status == "held"


def test_a_release_killed_between_appending_and_forgetting_is_done_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.publish(
        article(1, byline="news://byline/1", id="a"), article(1, byline="news://byline/1", id="b"), references="hold"
    )
    desk.must_publish(byline(1))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Holding, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.gateway.release()
    assert desk.uris == ["byline/1", "article/1", "article/1"]
    assert desk.holding.count() == 2
    other = desk.another()
    assert other.release() == []
    assert desk.holding.count() == 0
    assert [message.id for message in desk.messages[1:]] == ["a", "b"]


def test_a_release_in_portions_keeps_the_order(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "RELEASED_MESSAGES", 3)
    for number in range(10):
        desk.publish([article(number, byline="news://byline/1"), image(number)], references="hold")
    desk.must_publish(byline(1))
    assert len(desk.gateway.release()) == 20
    assert desk.uris[1:] == [f"{kind}/{number}" for number in range(10) for kind in ("article", "image")]


def test_what_could_not_be_appended_is_not_held_either(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any) -> None:
        raise LogBusy("another writer")

    with monkeypatch.context() as patched:
        patched.setattr(type(desk.log), "append", busy)
        with pytest.raises(LogBusy):
            desk.publish(image(1), article(1, byline="news://byline/1"), references="hold")
    assert desk.holding.is_empty()
    assert desk.uris == []


def test_without_a_place_to_hold_nothing_is_held(desk: Desk) -> None:
    gateway = Gateway(desk.log, desk.catalog)
    (outcome,) = gateway.publish([gateway.propose([envelope(article(1, byline="news://byline/1"))])], "hold")
    assert refusals(outcome) == [(0, "nothing can be held here: the gateway has no place to keep it")]
    assert gateway.release() == []


def test_a_place_to_hold_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "held.sqlite"
    path.write_text("not a database, but somebody's notes")
    with pytest.raises(UnusableLog, match=r"held\.sqlite, where held messages are kept, can't be used"):
        Holding(path)
    assert path.read_text() == "not a database, but somebody's notes"


def test_a_long_chain_in_the_worst_order_is_released_in_one_go() -> None:
    count = 20_000
    held = [
        Held(number, {f"id{number}": f"u{number}"}, frozenset([f"u{number}"]), frozenset([f"u{number + 1}"]))
        for number in range(count)
    ]
    assert releasable(held, set()) == []
    assert releasable(held, {f"u{count}"}) == held[::-1]


# -------------------------------------------------------------------------------------------------------------- bounds


def test_a_message_may_take_so_many_bytes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.codec.MESSAGE_BYTES_MAX", 100)
    assert desk.publish_one(image(1, path="x" * 90)).status == "appended"
    outcome = desk.publish_one(image(1, path="x" * 100))
    assert refusals(outcome) == [(0, "data: takes 108 bytes; a message may have 100")]


def test_an_asset_may_have_so_many_references(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_module, "REFERENCES_PER_ASSET_MAX", 3)
    desk.must_publish(image(1))
    assert desk.publish_one(article(1, images=["news://image/1"] * 3)).status == "appended"
    outcome = desk.publish_one(article(1, images=["news://image/1"] * 4))
    assert refusals(outcome) == [(0, "data: has 4 references, at most 3")]


def test_a_transaction_may_have_so_many_messages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "TRANSACTION_MESSAGES_MAX", 3)
    assert desk.publish_one(image(1), image(2), image(3)).status == "appended"
    outcome = desk.publish_one(*(image(number, tx="t") for number in range(4)))
    assert refusals(outcome) == [(3, "tx: has more than 3 messages")]


def test_a_transaction_may_take_so_many_bytes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "TRANSACTION_BYTES_MAX", 100)
    outcome = desk.publish_one(*(image(number, path="x" * 30) for number in range(4)))
    assert refusals(outcome) == [(2, "tx: takes more than 100 bytes")]


def test_so_many_messages_may_be_held(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.gateway.HELD_MESSAGES_MAX", 3)
    messages = [article(number, byline="news://byline/1") for number in range(5)]
    held = desk.publish(*messages[:2], messages[2:4], messages[4], references="hold")
    assert [outcome.status for outcome in held] == ["held", "held", "refused", "held"]
    assert refusals(held[2]) == [(0, "no more than 3 messages are held; publish what they wait for")]
    assert desk.holding.count() == 3
    assert desk.publish_one(messages[3], references="hold").status == "refused"


def test_what_is_remembered_as_published_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "PUBLISHED_KEPT_MAX", 2)
    for number in range(10):
        desk.must_publish(byline(number), article(number, byline=f"news://byline/{number // 2}"))
    assert len(desk.gateway._published) <= 6


# --------------------------------------------------------------------------------------------------- changing catalogs


def changed(**replaced: str) -> Catalog:
    """The catalog with another schema of images."""
    return parse_catalog({**CATALOG, "kinds/image.avsc": _edited(CATALOG["kinds/image.avsc"], replaced)})


def _edited(text: str, replaced: Mapping[str, str]) -> str:
    schema = json.loads(text)
    schema["fields"] = [
        *(one for one in schema["fields"] if one["name"] not in replaced),
        *(json.loads(text) for text in replaced.values() if text),
    ]
    return json.dumps(schema)


COMPATIBLE = {"alt": '{"name": "alt", "type": ["null", "string"], "default": null}'}
INCOMPATIBLE = {
    "a field without a default": {"alt": '{"name": "alt", "type": "string"}'},
    "another type": {"path": '{"name": "path", "type": "int"}'},
}


def test_a_compatible_change_is_registered_as_the_next_version(desk: Desk) -> None:
    desk.must_publish(image(1))
    catalog = changed(**COMPATIBLE)
    gateway = Gateway(desk.log, catalog)
    assert fix_catalog(desk.log, catalog)
    gateway.publish([gateway.propose([envelope(image(2, alt="A flood"))])])
    assert [(schema.kind, schema.version) for schema in desk.log.schemas()] == [
        ("article", 1),
        ("byline", 1),
        ("image", 1),
        ("image", 2),
    ]
    desk.catalog = catalog_of(desk.log, None)
    assert desk.catalog.digest == catalog.digest
    assert desk.data(0) == {"path": "/1.jpg", "credit": None, "alt": None}
    assert desk.data(1) == {"path": "/2.jpg", "credit": None, "alt": "A flood"}


def test_a_catalog_fixed_again_changes_nothing(desk: Desk) -> None:
    assert fix_catalog(desk.log, desk.catalog)
    assert not fix_catalog(desk.log, desk.catalog)
    Gateway(desk.log, desk.catalog)
    assert len(desk.log.schemas()) == 3


@pytest.mark.parametrize("change", INCOMPATIBLE.values(), ids=INCOMPATIBLE)
def test_an_incompatible_change_is_refused_and_changes_nothing(desk: Desk, change: Mapping[str, str]) -> None:
    fix_catalog(desk.log, desk.catalog)
    desk.must_publish(image(1))
    before = (desk.log.schemas(), desk.log.catalog_files(), desk.messages)
    catalog = changed(**change)
    with pytest.raises(IncompatibleSchema, match=r"kinds/image\.avsc can't read what the log holds under version 1"):
        Gateway(desk.log, catalog)
    with pytest.raises(IncompatibleSchema):
        fix_catalog(desk.log, catalog)
    assert (desk.log.schemas(), desk.log.catalog_files(), desk.messages) == before


def test_a_change_must_read_every_version_ever_used(desk: Desk) -> None:
    Gateway(desk.log, changed(**COMPATIBLE))
    with pytest.raises(IncompatibleSchema, match="version 2 of image: alt"):
        Gateway(desk.log, changed(alt='{"name": "alt", "type": ["null", "int"], "default": null}'))


def test_older_schemas_that_come_with_a_catalog_are_registered_first(url: str) -> None:
    newer = _edited(CATALOG["kinds/image.avsc"], COMPATIBLE)
    log = open_log(url)
    Gateway(
        log,
        parse_catalog({**CATALOG, "kinds/image.1.avsc": CATALOG["kinds/image.avsc"], "kinds/image.avsc": newer}),
    )
    versions = [schema for schema in log.schemas() if schema.kind == "image"]
    assert [schema.version for schema in versions] == [1, 2]
    assert "alt" not in versions[0].text
    assert "alt" in versions[1].text
    log.close()


# ------------------------------------------------------------------------------------------------- several at one time

RACERS = 4
ROUNDS = 25


def race(desk: Desk, work: Callable[[Gateway, int], Any]) -> list[Any]:
    """Each racer's answer; all of them begin together, each with a gateway of its own."""
    barrier = Barrier(RACERS)
    gateways = [desk.another() for _ in range(RACERS)]

    def run(number: int) -> Any:
        barrier.wait()
        return work(gateways[number], number)

    with ThreadPoolExecutor(RACERS) as threads:
        return list(threads.map(run, range(RACERS)))


def one(gateway: Gateway, message: Json, references: References | None = None) -> Outcome:
    (outcome,) = gateway.publish([gateway.propose([envelope(message)])], references)
    return outcome


def test_gateways_at_once_append_each_id_once(desk: Desk) -> None:
    def work(gateway: Gateway, _: int) -> list[Receipt]:
        outcomes = [one(gateway, image(number, id=f"id-{number}")) for number in range(ROUNDS)]
        return [receipt for outcome in outcomes for receipt in outcome.receipts]

    answers = race(desk, work)
    assert all(answer == answers[0] for answer in answers)
    assert Counter(message.id for message in desk.messages) == Counter(f"id-{number}" for number in range(ROUNDS))


def test_gateways_at_once_never_both_win_what_they_expect(desk: Desk) -> None:
    def work(gateway: Gateway, racer: int) -> int:
        seen, won = -1, 0
        while won < ROUNDS:
            outcome = one(gateway, image(1, id=f"{racer}/{won}/{seen}", expect=seen))
            if outcome.status == "appended":
                won += 1
                seen = outcome.receipts[0].offset
            else:
                error = outcome.refusals[0].error
                assert isinstance(error, Conflict)
                assert error.present is not None
                assert error.present > seen
                seen = error.present
        return won

    assert race(desk, work) == [ROUNDS] * RACERS
    # What each expected is the one before it.
    assert [message.id.split("/")[2] for message in desk.messages] == [str(n) for n in range(-1, RACERS * ROUNDS - 1)]


def test_gateways_at_once_release_each_message_once(desk: Desk) -> None:
    for number in range(ROUNDS):
        desk.publish(article(number, id=f"{number}", byline="news://byline/1"), references="hold")
    desk.must_publish(byline(1))
    released = [receipt for receipts in race(desk, lambda gateway, _: gateway.release()) for receipt in receipts]
    assert [receipt.id for receipt in released] == [str(number) for number in range(ROUNDS)]
    assert len(desk.messages) == 1 + ROUNDS
    assert desk.holding.is_empty()


def test_gateways_at_once_never_let_a_message_pass_a_held_one(desk: Desk) -> None:
    def work(gateway: Gateway, racer: int) -> list[tuple[int, str]]:
        if racer == 0:
            for number in range(ROUNDS):
                one(gateway, article(number, id=f"first-{number}", byline=f"news://byline/{number}"), "hold")
            return []
        statuses: list[tuple[int, str]] = []
        for number in range(ROUNDS):
            while (
                one(gateway, article(number, id=f"first-{number}", byline=f"news://byline/{number}")).status != "held"
            ):
                pass
            statuses.append((number, one(gateway, article(number, id=f"second-{number}-{racer}")).status))
        return statuses

    for statuses in race(desk, work)[1:]:
        assert statuses == [(number, "refused") for number in range(ROUNDS)]
    assert desk.messages == []


def test_processes_at_once_share_a_log_and_a_home(tmp_path: Path) -> None:
    writer = ROOT / "tests" / "support" / "racing_publisher.py"
    arguments = [sys.executable, str(writer), str(tmp_path), str(ROUNDS)]
    racers = [
        subprocess.Popen([*arguments, str(racer)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for racer in range(RACERS)
    ]
    answers = [json.loads(racer.communicate()[0]) for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * RACERS
    with_log = Desk(f"sqlite:{tmp_path / 'log.sqlite'}", tmp_path, parse_catalog(CATALOG))
    messages = with_log.messages
    assert max(Counter(message.id for message in messages).values()) == 1
    shared = [message for message in messages if message.id.startswith("shared-")]
    assert sorted(message.id for message in shared) == sorted(f"shared-{number}" for number in range(ROUNDS))
    for answer in answers:
        assert {id_: offset for id_, offset in answer.items() if id_.startswith("shared-")} == {
            message.id: message.offset for message in shared
        }
    contested = [message for message in messages if message.uri == "news://image/contested"]
    assert len(contested) == RACERS * ROUNDS
    before = [-1, *(message.offset for message in contested)]
    assert [int(message.id.split("/")[2]) for message in contested] == before[:-1]
    assert with_log.holding.is_empty()
    with_log.close()

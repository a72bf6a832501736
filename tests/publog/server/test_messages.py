"""Publishing over HTTP: what is taken, what is refused and where it says so, and that no body costs too much."""

import gzip
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from publog.server.bodies import receive
from publog.server.limits import BODY_BYTES_MAX, JSON_DEPTH_MAX
from publog.server.newsroom import Newsroom
from publog.server.problems import Problem
from tests.support.newsroom import Json, article, byline, image, lines, unpublish
from tests.support.serving import check_problem, index_now

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ADA = "news://byline/ada"
NDJSON = {"Content-Type": "application/x-ndjson"}


def last_offset(newsroom: Newsroom) -> int:
    with newsroom.reading() as reader:
        return reader.log.last_offset()


def test_one_message_gets_its_receipt(client: TestClient, newsroom: Newsroom) -> None:
    answer = client.post("/v1/messages", json=byline("ada", id="mine"))
    assert answer.status_code == 200
    assert answer.json() == {
        "appended": 1,
        "already_there": 0,
        "held": 0,
        "refused": 0,
        "released": 0,
        "dangling_references": 0,
        "receipts": [{"id": "mine", "uri": ADA, "offset": 0}],
        "held_messages": [],
        "refused_messages": [],
    }
    assert last_offset(newsroom) == 0


def test_the_same_id_again_gets_the_first_receipt(client: TestClient) -> None:
    first = client.post("/v1/messages", json=byline("ada", id="mine")).json()
    again = client.post("/v1/messages", json=byline("ada", id="mine", name="Other")).json()
    assert again["receipts"] == first["receipts"]
    assert (again["appended"], again["already_there"]) == (0, 1)


def test_a_message_without_an_id_is_a_new_one_each_time(client: TestClient) -> None:
    for body, headers in (
        (json.dumps(byline("ada")), {"Content-Type": "application/json"}),
        (lines([byline("ada")]), NDJSON),
    ):
        offsets = [
            client.post("/v1/messages", content=body, headers=headers).json()["receipts"][0]["offset"] for _ in range(2)
        ]
        assert offsets[1] == offsets[0] + 1


def test_an_array_is_one_transaction(client: TestClient, newsroom: Newsroom) -> None:
    answer = client.post("/v1/messages", json=[article(1, byline=ADA), byline("ada")])
    assert answer.json()["appended"] == 2
    with newsroom.reading() as reader:
        assert [message.tx_end for message in reader.log.read()] == [False, True]
    problem = check_problem(
        client.post("/v1/messages", json=[byline("bob"), byline("eve", name=7)]), 422, "invalid-message"
    )
    assert (problem["line"], problem["field"]) == (2, "data.name")
    assert last_offset(newsroom) == 1


def test_an_array_of_two_transactions_is_refused(client: TestClient) -> None:
    problem = check_problem(
        client.post("/v1/messages", json=[byline("a", tx="t"), byline("b", tx="u")]), 422, "invalid-message"
    )
    assert (problem["line"], problem["field"]) == (2, "tx")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", None),
        ("[]", None),
        ("[1", None),
        ("7", None),
        ("{}", "uri"),
        (json.dumps(byline("ada") | {"more": 1}), "more"),
        (json.dumps(byline("ada", name=7)), "data.name"),
        (json.dumps(byline("ada") | {"uri": "nonsense"}), "uri"),
        ('{"uri": "\\ud800"}', None),
    ],
)
def test_what_is_no_message_is_refused_with_its_field(client: TestClient, body: str, field: str | None) -> None:
    answer = client.post("/v1/messages", content=body, headers={"Content-Type": "application/json"})
    assert check_problem(answer, 422, "invalid-message").get("field") == field


def test_a_conflict_names_the_present_offset(client: TestClient) -> None:
    client.post("/v1/messages", json=[byline("ada"), byline("bob")])
    problem = check_problem(client.post("/v1/messages", json=byline("bob", expect=0)), 409, "conflict")
    assert (problem["offset"], problem["field"]) == (1, "expect")
    assert check_problem(client.post("/v1/messages", json=byline("eve", expect=0)), 409, "conflict")["offset"] == -1
    assert client.post("/v1/messages", json=byline("bob", expect=1)).status_code == 200


def test_references_follow_the_policy(client: TestClient) -> None:
    dangling = article(1, id="dangling", byline=ADA)
    assert (
        check_problem(client.post("/v1/messages", json=dangling), 422, "missing-references")["field"] == "data.byline"
    )
    held = client.post("/v1/messages?references=hold", json=dangling).json()
    assert (held["held"], held["receipts"]) == (1, [])
    assert held["held_messages"] == [{"id": "dangling", "uri": "news://article/1"}]
    assert client.get("/v1/receipts/dangling").json()["state"] == "held"
    assert client.post("/v1/messages?references=allow", json=article(2, byline=ADA)).json()["dangling_references"] == 1
    released = client.post("/v1/messages", json=byline("ada")).json()
    assert released["released"] == 1
    assert [receipt["uri"] for receipt in released["receipts"]] == [ADA, "news://article/1"]


def test_lines_are_transactions_of_their_own(client: TestClient) -> None:
    body = lines(
        [
            byline("ada", id="a"),
            byline("bob", name=7),
            article(1, tx="t", byline=ADA),
            article(2, tx="t", byline="news://byline/nobody"),
            byline("ada", id="a"),
            byline("eve", expect=0),
        ]
    )
    answer = client.post("/v1/messages", content=body, headers=NDJSON)
    assert answer.status_code == 207
    told = answer.json()
    assert (told["appended"], told["already_there"], told["refused"]) == (1, 1, 4)
    found = [(place["line"], place.get("field"), place.get("type")) for place in told["refused_messages"]]
    prefix = "urn:publog:problem:"
    assert found == [
        (2, "data.name", prefix + "invalid-message"),
        (3, None, None),
        (4, "data.byline", prefix + "missing-references"),
        (6, "expect", prefix + "conflict"),
    ]
    assert told["refused_messages"][3]["offset"] == -1


def test_lines_that_are_all_well_are_plain_success(client: TestClient) -> None:
    answer = client.post("/v1/messages", content=lines([byline("ada"), article(1, byline=ADA)]), headers=NDJSON)
    assert (answer.status_code, answer.json()["appended"]) == (200, 2)


def test_a_dry_run_writes_nothing_and_counts_the_views(client: TestClient, newsroom: Newsroom) -> None:
    client.post("/v1/messages", json=[byline("ada"), article(1, byline=ADA), article(2, byline=ADA)])
    index_now(newsroom)
    for told in (
        client.post("/v1/messages?dry_run=true", json=byline("ada", name="Countess")).json(),
        client.post(
            "/v1/messages?dry_run=true", content=lines([byline("ada", name="Countess")]), headers=NDJSON
        ).json(),
    ):
        assert (told["dry_run"], told["appended"], told["receipts"]) == (True, 1, [])
        assert told["touched"]["count"] == 3
        assert told["touched"]["counts"] == {"person": 1, "story": 2}
    assert last_offset(newsroom) == 2
    assert client.post("/v1/messages?dry_run=true", json=article(3)).json()["touched"]["counts"] == {"story": 1}
    check_problem(
        client.post("/v1/messages?dry_run=true", json=article(3, byline="news://byline/x")), 422, "missing-references"
    )
    check_problem(client.post("/v1/messages?dry_run=true", json=byline("ada", expect=7)), 409, "conflict")
    assert (
        client.post("/v1/messages?dry_run=true&references=hold", json=article(3, byline="news://byline/x")).json()[
            "held"
        ]
        == 1
    )
    assert newsroom.standing().held == 0
    many = lines(image(number) for number in range(1_001))
    check_problem(client.post("/v1/messages?dry_run=true", content=many, headers=NDJSON), 422, "too-many")


@pytest.mark.parametrize("query", ["references=maybe", "dry_run=perhaps", "dry_run=true&dry_run=true", "when=now"])
def test_parameters_that_mean_nothing_are_refused(client: TestClient, query: str) -> None:
    problem = check_problem(client.post(f"/v1/messages?{query}", json=byline("ada")), 422, "invalid-parameter")
    assert problem["known"] == ["references", "dry_run"]


@pytest.mark.parametrize(
    "type_", ["", "text/plain", "application/json; charset=latin-1", "application/x-www-form-urlencoded"]
)
def test_another_type_of_body_is_refused(client: TestClient, type_: str) -> None:
    answer = client.post("/v1/messages", content=json.dumps(byline("ada")), headers={"Content-Type": type_})
    assert check_problem(answer, 415, "unsupported-media-type")["known"]


# -------------------------------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize(("encoding", "encode"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_bodies_may_be_compressed(client: TestClient, encoding: str, encode: Json) -> None:
    body = lines(image(number) for number in range(3_000))
    halves = encode(body[:100_000]) + encode(body[100_000:])
    for content in (encode(body), halves):
        answer = client.post("/v1/messages", content=content, headers={**NDJSON, "Content-Encoding": encoding})
        assert answer.json()["appended"] == 3_000
    check_problem(
        client.post("/v1/messages", content=encode(body)[:-9], headers={**NDJSON, "Content-Encoding": encoding}),
        400,
        "undecodable",
    )
    check_problem(
        client.post("/v1/messages", content=body, headers={**NDJSON, "Content-Encoding": encoding}), 400, "undecodable"
    )


@pytest.mark.parametrize(("encoding", "encode"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_what_decompresses_to_too_much_is_refused(
    client: TestClient, newsroom: Newsroom, encoding: str, encode: Json
) -> None:
    bomb = encode(b" " * (BODY_BYTES_MAX + 1))
    assert len(bomb) < 100_000
    answer = client.post("/v1/messages", content=bomb, headers={**NDJSON, "Content-Encoding": encoding})
    check_problem(answer, 413, "too-large")
    assert last_offset(newsroom) == -1


def test_an_unknown_encoding_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/messages", json=byline("ada"), headers={"Content-Encoding": "br"})
    assert check_problem(answer, 415, "unsupported-encoding")["known"] == ["identity", "gzip", "zstd"]


def test_a_body_that_is_too_large_is_refused_whatever_it_declares(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publog.server.bodies.BODY_BYTES_MAX", 100)
    check_problem(client.post("/v1/messages", json=byline("ada" * 99)), 413, "too-large")
    check_problem(client.post("/v1/messages", content=(b" " * 60 for _ in range(2)), headers=NDJSON), 413, "too-large")


def test_a_body_that_is_too_slow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publog.server.bodies.BODY_SECONDS_MAX", 0.01)
    request = Request({"type": "http", "headers": []}, anyio.sleep_forever)
    with pytest.raises(Problem) as slow:
        anyio.run(receive, request)
    assert (slow.value.status, slow.value.document.type) == (408, "urn:publog:problem:request-timeout")


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_json_that_is_nested_too_deep_is_refused(client: TestClient, brackets: str, newsroom: Newsroom) -> None:
    opening = '{"a":' if brackets == "{}" else "["
    deep = opening * 100_000
    answer = client.post("/v1/messages", content=deep, headers={"Content-Type": "application/json"})
    check_problem(answer, 422, "too-deep")
    problem = check_problem(
        client.post("/v1/messages", content=lines([byline("ada")]) + deep.encode(), headers=NDJSON), 422, "too-deep"
    )
    assert problem["line"] == 2
    assert last_offset(newsroom) == -1


def test_brackets_in_text_and_side_by_side_are_not_deep(client: TestClient) -> None:
    name = '[{\\"' * (JSON_DEPTH_MAX + 1)
    assert client.post("/v1/messages", json=byline("ada", name=name)).status_code == 200
    assert client.post("/v1/messages", json=[image(number) for number in range(JSON_DEPTH_MAX + 1)]).status_code == 200


def test_many_may_publish_and_look_at_a_time(client: TestClient, newsroom: Newsroom) -> None:
    def work(number: int) -> int:
        answer = client.post("/v1/messages", json=[image(f"{number}-{part}") for part in range(3)])
        assert client.get("/metrics").status_code == 200
        return answer.json()["receipts"][0]["offset"]

    # One event loop for all of them, as in a server.
    with client, ThreadPoolExecutor(8) as pool:
        offsets = list(pool.map(work, range(24)))
    assert sorted(offsets) == list(range(0, 72, 3))
    assert newsroom.standing().last_offset == 71


# ------------------------------------------------------------------------------------------------------------ receipts


def test_a_receipt_says_where_the_message_is(client: TestClient, newsroom: Newsroom) -> None:
    client.post("/v1/messages", json=[byline("ada", id="the one/ä"), article(1, byline=ADA)])
    told = client.get("/v1/receipts/the%20one%2F%C3%A4").json()
    assert (told["id"], told["uri"], told["offset"], told["state"]) == ("the one/ä", ADA, 0, "appended")
    assert told["appended"]["milliseconds"] >= 0
    assert told["appended"]["at"].endswith("Z")
    assert told["searchable"] == {"done": False}
    assert told["applied_through"] == -1
    assert told["views"] == {"count": 0, "counts": {}, "views": []}
    index_now(newsroom)
    told = client.get("/v1/receipts/the%20one%2F%C3%A4").json()
    assert told["views"]["counts"] == {"person": 1, "story": 1}
    assert told["applied"]["done"]


def test_a_receipt_of_a_message_that_came_otherwise_has_no_times(
    indexed: TestClient, indexed_newsroom: Newsroom
) -> None:
    with indexed_newsroom.reading() as reader:
        message = next(reader.log.read(2))
    told = indexed.get(f"/v1/receipts/{message.id}").json()
    assert (told["state"], told["offset"]) == ("searchable", 2)
    assert told["appended"] == told["searchable"] == {"done": True}


def test_an_id_that_nobody_has_seen_is_not_found(client: TestClient) -> None:
    check_problem(client.get("/v1/receipts/nobody"), 404, "not-found")


def test_an_unpublished_asset_is_in_no_view(client: TestClient, newsroom: Newsroom) -> None:
    client.post("/v1/messages", json=byline("ada"))
    client.post("/v1/messages", json=unpublish(ADA, id="end"))
    index_now(newsroom)
    assert client.get("/v1/receipts/end").json()["views"]["count"] == 0

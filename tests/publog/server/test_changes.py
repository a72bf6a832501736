"""The change feed over HTTP: pages that wait, events that go on, positions that fit."""

import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import httpx2
import pytest
from starlette.testclient import TestClient

from assets.catalog import parse_catalog
from publog.server.newsroom import Newsroom
from publog.settings import resolve
from tests.support.newsroom import CATALOG, Json
from tests.support.serving import HISTORY, check_problem, client_of, listening, serving
from tests.support.streaming import until

OTHER_VIEWS = '[views.other]\nroot = "byline"\n'
EVENTS = {"Accept": "text/event-stream"}


def page(client: TestClient, **parameters: Json) -> Json:
    answer = client.get(
        "/v1/changes", params={"wait": 0, **{name.rstrip("_"): one for name, one in parameters.items()}}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_everything_from_the_beginning_in_order_gone_included(indexed: TestClient, indexed_newsroom: Newsroom) -> None:
    told = page(indexed)
    versions = [one["version"] for one in told["changes"]]
    assert versions == sorted(versions)
    expected = dict.fromkeys(json.dumps(json.loads(one.to_line())) for one in indexed_newsroom.index.scan())
    assert {json.dumps(one) for one in told["changes"]} == set(expected)
    assert {one["state"] for one in told["changes"]} == {"live", "gone"}
    info = indexed_newsroom.index.info()
    assert (told["applied_through"], told["generation"], told["catalog"]) == (
        info.applied_through,
        info.generation,
        info.catalog_digest,
    )
    assert not told["has_more"]
    assert page(indexed, from_=told["next"])["changes"] == []


def test_pages_follow_each_other(indexed: TestClient) -> None:
    whole = page(indexed)
    found, position = [], "0"
    for _ in range(len(whole["changes"])):
        one = page(indexed, from_=position, limit=1)
        found += one["changes"]
        position = one["next"]
    assert found == whole["changes"]
    assert position == whole["next"]


def test_an_offset_is_where_it_begins(indexed: TestClient) -> None:
    whole = page(indexed)["changes"]
    for offset in range(10):
        assert page(indexed, from_=offset)["changes"] == [one for one in whole if one["version"] >= offset]
        (last, more) = page(indexed, from_=offset, view="person"), page(indexed, from_=offset, view="story")
        assert {one["view"] for one in last["changes"]} <= {"person"}
        assert len(last["changes"]) + len(more["changes"]) == len(page(indexed, from_=offset)["changes"])


@pytest.mark.parametrize(
    "position", ["-1", "x", "", "1.5", "9" * 20, "1.abcdefg", "\uff11", "0x1", "1.0123456789", " 1"]
)
def test_what_is_no_position_is_refused(position: str, indexed: TestClient) -> None:
    problem = check_problem(indexed.get("/v1/changes", params={"from": position}), 422, "invalid-parameter")
    assert problem["field"] == "from"
    answer = indexed.get("/v1/changes", headers={**EVENTS, "Last-Event-ID": position.encode()})
    assert check_problem(answer, 422, "invalid-parameter")["field"] == "Last-Event-ID"


def test_a_copy_of_other_views_is_told_to_begin_again(indexed: TestClient) -> None:
    for headers in ({}, EVENTS):
        answer = indexed.get("/v1/changes", params={"from": "3.00000000"}, headers=headers)
        check_problem(answer, 410, "other-views")


def test_an_unknown_view_is_refused_with_the_known_ones(indexed: TestClient) -> None:
    for headers in ({}, EVENTS):
        answer = indexed.get("/v1/changes", params={"view": "nonsense"}, headers=headers)
        assert check_problem(answer, 422, "invalid-query")["known"] == ["person", "story"]


def test_without_an_index_it_is_too_early(client: TestClient) -> None:
    check_problem(client.get("/v1/changes"), 503, "no-index")


def test_a_page_waits_for_the_next_change(indexed_copy: "tuple[TestClient, Newsroom]") -> None:
    client, newsroom = indexed_copy
    position = page(client)["next"]
    found = newsroom.index.get("person", "news://byline/ada")
    assert found is not None
    after = newsroom.index.applied_through() + 1
    told: list[Json] = []
    waiting = Thread(target=lambda: told.append(page(client, from_=position, wait=30)))
    waiting.start()
    newsroom.index.write([found._replace(version=after)], applied_through=after)
    waiting.join(30)
    assert [one["version"] for one in told[0]["changes"]] == [after]


@pytest.fixture
def indexed_copy(prepared_home: Path) -> "Iterator[tuple[TestClient, Newsroom]]":
    with closing(Newsroom(resolve(prepared_home / ".publog", environment={}))) as newsroom:
        yield client_of(newsroom), newsroom


# ------------------------------------------------------------------------------------------------------------- events


@contextmanager
def events(url: str, position: str = "0", **headers: str) -> Iterator[Iterator[dict[str, str]]]:
    def read(answer: httpx2.Response) -> Iterator[dict[str, str]]:
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                yield fields
                fields = {}

    with httpx2.stream(
        "GET", f"{url}/v1/changes", params={"from": position}, headers={**EVENTS, **headers}, timeout=60
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield read(answer)


def views_of(told: Iterator[dict[str, str]]) -> tuple[list[Json], str]:
    """All up to the event that says that this is all, and the position behind it."""
    found: list[Json] = []
    for event in told:
        if event.get("event") == "applied":
            return found, event["id"]
        if event.get("event") == "view":
            found.append({**json.loads(event["data"]), "position": event["id"]})
    raise AssertionError("it ended")


def test_events_tell_what_pages_tell_and_go_on_from_any_of_them(prepared_home: Path) -> None:
    with serving(prepared_home) as (server, url):
        paged = httpx2.get(f"{url}/v1/changes", params={"wait": 0}).json()
        with events(url) as told:
            found, position = views_of(told)
            assert [{**one, "position": None} for one in paged["changes"]] == [
                {**one, "position": None} for one in found
            ]
            assert position == paged["next"]
            tag = {**HISTORY[0], "data": {"name": "Ada King"}, "op": "publish", "id": "again"}
            assert httpx2.post(f"{url}/v1/messages", json=tag).status_code == 200
            new, _ = views_of(told)
            assert {one["uri"] for one in new} >= {"news://byline/ada"}
            assert {one["version"] for one in new} == {len(HISTORY)}
        # What is older than the position it knows does not count; the position in the address does not either.
        with events(url, "5", **{"Last-Event-ID": found[3]["position"]}) as told:
            again, _ = views_of(told)
            known = {(one["view"], one["uri"], one["version"]) for one in found[:4]}
            assert not known & {(one["view"], one["uri"], one["version"]) for one in again}
            assert {(one["view"], one["uri"]) for one in again} >= {(one["view"], one["uri"]) for one in new}
            # A server that is to end does not wait for who listens.
            server.send_signal(signal.SIGTERM)
            assert list(told) == []
            assert server.wait(8) == 0


def test_a_key_that_is_revoked_hears_no_more(
    indexed_copy: "tuple[TestClient, Newsroom]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publog.server.changes.FEED_BEAT_SECONDS", 0.05)
    _, newsroom = indexed_copy
    key = newsroom.keys.add(["search"])
    with listening(newsroom) as url, events(url, Authorization=f"Bearer {key}") as told:
        views_of(told)
        newsroom.keys.revoke(newsroom.keys.all()[0].id)
        (last,) = [event for event in told if "event" in event]
        assert (last["event"], json.loads(last["data"])["status"]) == ("problem", 401)


def test_who_listens_to_other_views_is_told(
    indexed_copy: "tuple[TestClient, Newsroom]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publog.server.changes.FEED_BEAT_SECONDS", 0.05)
    _, newsroom = indexed_copy
    with listening(newsroom) as url, events(url) as told:
        views_of(told)
        newsroom.index.load([], catalog=parse_catalog({**CATALOG, "views.toml": OTHER_VIEWS}), applied_through=99)
        (last,) = [event for event in told if "event" in event]
        assert (last["event"], json.loads(last["data"])["status"]) == ("problem", 410)


def test_as_many_listen_as_may(indexed_copy: "tuple[TestClient, Newsroom]", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publog.server.endpoints.FEEDS_MAX", 2)
    _, newsroom = indexed_copy
    with listening(newsroom) as url:
        with events(url) as first, events(url) as second:
            views_of(first)
            views_of(second)
            refused = httpx2.get(f"{url}/v1/changes", headers=EVENTS)
            assert (refused.status_code, refused.json()["type"]) == (503, "urn:publog:problem:busy")
            assert httpx2.get(f"{url}/v1/changes").status_code == 200
        until(lambda: is_let_in(url))


def is_let_in(url: str) -> bool:
    with httpx2.stream("GET", f"{url}/v1/changes", headers=EVENTS) as answer:
        return answer.status_code == 200

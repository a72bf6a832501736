"""Suggestions, slips of the keyboard and related views over HTTP."""

import socket
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from publog.commands.serve import listening
from tests.support.serving import FLOOD, check_problem

CALM = "news://article/calm"


def test_what_is_typed_is_completed_and_found(indexed: TestClient) -> None:
    answer = indexed.get("/v1/suggest?q=FLO&view=story").json()
    assert answer.pop("generation")
    views = answer.pop("views")
    assert answer == {"applied_through": 7, "completions": [{"text": "flood", "count": 2}]}
    assert [view["uri"] for view in views] == [FLOOD, CALM]
    assert views[0] == {
        "view": "story",
        "uri": FLOOD,
        "version": 5,
        "date": None,
        "highlights": {"headline": {"fragment": "Flood at the mill", "marks": [[0, 5]]}},
    }
    assert [one["text"] for one in indexed.get("/v1/suggest?q=calm+after+th").json()["completions"]] == [
        "calm after the"
    ]
    assert (
        indexed.get("/v1/suggest?q=flo&filter=byline.name:Ada+Lovelace&limit=1").json()["completions"][0]["count"] == 1
    )
    assert indexed.get("/v1/suggest").json()["views"] == []


def test_what_is_unpublished_is_not_suggested(indexed: TestClient) -> None:
    answer = indexed.get("/v1/suggest?q=storm").json()
    assert (answer["completions"], answer["views"]) == ([], [])


def test_a_slip_is_put_up_with_where_asked_for(indexed: TestClient) -> None:
    (hit,) = indexed.get("/v1/search?q=clam&fuzzy=true&highlight=true").json()["hits"]
    assert (hit["uri"], hit["highlights"]) == (
        CALM,
        {"headline": {"fragment": "Calm after the flood", "marks": [[0, 4]]}},
    )
    for exact in ("clam", "clam&fuzzy=false", "%22clam%22&fuzzy=true", "headline:clam&fuzzy=true"):
        assert indexed.get(f"/v1/search?q={exact}").json()["total"] == 0


def test_a_search_that_finds_nothing_says_what_may_be_meant(indexed: TestClient) -> None:
    answer = indexed.get("/v1/search?q=(Folod)+-xyz+after").json()
    assert (answer["total"], answer["did_you_mean"]) == (0, "(flood) -xyz after")
    assert indexed.get("/v1/search", params={"q": answer["did_you_mean"]}).json()["total"] == 1
    assert indexed.get("/v1/search?q=unheardof").json()["did_you_mean"] is None
    assert indexed.get("/v1/search?q=flood").json()["did_you_mean"] is None


def test_related_views_are_live_others_of_the_same_view(indexed: TestClient) -> None:
    path = f"/v1/related/story/{quote(FLOOD, safe='')}"
    answer = indexed.get(f"{path}?limit=5&fields=headline").json()
    assert [(hit["uri"], hit["content"]) for hit in answer["hits"]] == [(CALM, {"headline": "Calm after the flood"})]
    assert (answer["applied_through"], bool(answer["generation"])) == (7, True)
    check_problem(indexed.get("/v1/related/story/news%3A%2F%2Farticle%2Fstorm"), 404, "not-found")
    assert check_problem(indexed.get("/v1/related/nope/a"), 422, "invalid-query")["known"] == ["person", "story"]
    assert check_problem(indexed.get(f"{path}?fields=nope"), 422, "invalid-parameter")["field"] == "fields"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/suggest?nope=1", "nope"),
        ("/v1/suggest?q=a&q=b", "q"),
        ("/v1/suggest?limit=51", "limit"),
        ("/v1/suggest?limit=0", "limit"),
        ("/v1/suggest?filter=plain", "filter"),
        ("/v1/suggest?q=" + "a" * 201, "q"),
        ("/v1/search?fuzzy=2", "fuzzy"),
        ("/v1/related/story/a?limit=101", "limit"),
        ("/v1/related/story/a?q=b", "q"),
    ],
)
def test_what_means_nothing_is_refused(indexed: TestClient, path: str, field: str) -> None:
    assert check_problem(indexed.get(path), 422, "invalid-parameter")["field"] == field


def test_without_an_index_there_is_nothing_to_suggest(client: TestClient) -> None:
    check_problem(client.get("/v1/suggest?q=a"), 503, "no-index")
    check_problem(client.get("/v1/related/story/a"), 503, "no-index")


def test_an_answer_does_not_wait_for_its_head_to_be_acknowledged() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1

"""Search, views and assets over HTTP: what is found, as it is and as it was, for any URI; and what is refused."""

import json
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from publog.server.newsroom import Newsroom
from tests.support.newsroom import Json, byline
from tests.support.serving import ADA, FLOOD, check_problem, index_now

AWKWARD = "news://article/a/b 100%25/history"
STORM = "news://article/storm"


def path(uri: str) -> str:
    return quote(uri, safe="")


def uris(answer: Json) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hit["uri"] for hit in answer.json()["hits"]]


# -------------------------------------------------------------------------------------------------------------- search


def test_a_search_finds_with_everything_around_it(indexed: TestClient) -> None:
    answer = indexed.get(
        "/v1/search?q=flood&view=story&facet=byline.name&filter=byline.name:Ada+Lovelace&highlight=true&fields=headline"
    ).json()
    generation = answer.pop("generation")
    assert generation
    hit = answer["hits"][0]
    assert hit.pop("score") > 0
    assert answer == {
        "total": 1,
        "applied_through": 7,
        "cursor": None,
        "did_you_mean": None,
        "facets": {"byline.name": [{"value": "Ada Lovelace", "count": 1}]},
        "hits": [
            {
                "view": "story",
                "uri": FLOOD,
                "version": 5,
                "date": None,
                "highlights": {"headline": {"fragment": "Flood at the mill", "marks": [[0, 5]]}},
                "content": {"headline": "Flood at the mill"},
            }
        ],
    }


def test_nothing_asked_finds_every_live_view_page_by_page(indexed: TestClient) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = indexed.get(f"/v1/search?view=story&limit=2{cursor}").json()
        seen += [hit["uri"] for hit in page["hits"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={quote(page['cursor'])}"
    assert sorted(seen) == sorted([FLOOD, "news://article/calm", AWKWARD])


def test_a_filter_is_exact_however_it_is_written(indexed: TestClient) -> None:
    assert uris(indexed.get("/v1/search?filter=byline.name%3DAda Lovelace")) == [FLOOD]
    assert uris(indexed.get("/v1/search?filter=byline.name:Ada")) == []


def test_a_search_waits_in_bounds_for_an_offset(indexed: TestClient, newsroom: Newsroom, client: TestClient) -> None:
    assert indexed.get("/v1/search?at_least=7&wait=0").status_code == 200
    # What was never published is not waited for.
    problem = check_problem(indexed.get("/v1/search?at_least=8"), 422, "invalid-parameter")
    assert "the log's last offset is 7" in problem["detail"]
    with newsroom.reading() as reader:
        newsroom.index.load([], catalog=reader.catalog, applied_through=-1)
    assert client.post("/v1/messages", json=[byline("a"), byline("b")]).status_code == 200
    answer = client.get("/v1/search?at_least=1&wait=0")
    assert check_problem(answer, 503, "index-behind")["lag"] == 2
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("nope=1", "invalid-parameter", "nope"),
        ("q=a&q=b", "invalid-parameter", "q"),
        ("limit=0", "invalid-parameter", "limit"),
        ("limit=x", "invalid-parameter", "limit"),
        ("limit=100000", "invalid-parameter", "limit"),
        ("sort=best", "invalid-parameter", "sort"),
        ("filter=plain", "invalid-parameter", "filter"),
        ("since=yesterday", "invalid-parameter", "since"),
        ("since=2027&until=2026", "invalid-parameter", "until"),
        ("wait=1", "invalid-parameter", "wait"),
        ("at_least=0&wait=61", "invalid-parameter", "wait"),
        ("at_least=-1", "invalid-parameter", "at_least"),
        ("fields=nope", "invalid-parameter", "fields"),
        ("q=(", "invalid-query", None),
        ("facet=nope", "invalid-query", None),
        ("view=nope", "invalid-query", None),
        ("cursor=nope", "invalid-query", None),
        ("q=" + "x" * 2_001, "invalid-parameter", "q"),
    ],
)
def test_a_search_that_means_nothing_is_refused(indexed: TestClient, query: str, code: str, field: str | None) -> None:
    problem = check_problem(indexed.get(f"/v1/search?{query}"), 422, code)
    assert problem.get("field") == field


def test_a_query_that_goes_wrong_says_where(indexed: TestClient) -> None:
    assert check_problem(indexed.get("/v1/search?q=flood+(mill"), 422, "invalid-query")["position"] == 6
    assert check_problem(indexed.get("/v1/search?view=nope"), 422, "invalid-query")["known"] == ["person", "story"]


def test_without_an_index_there_is_nothing_to_search(client: TestClient) -> None:
    check_problem(client.get("/v1/search"), 503, "no-index")
    check_problem(client.get(f"/v1/views/story/{path(FLOOD)}"), 503, "no-index")


# --------------------------------------------------------------------------------------------------------------- views


def test_a_view_as_it_is_and_as_it_was(indexed: TestClient) -> None:
    now = indexed.get(f"/v1/views/story/{path(FLOOD)}")
    assert now.json()["version"] == 5
    assert now.json()["content"]["byline"]["name"] == "Ada Lovelace"
    assert now.json()["sources"] == {FLOOD: 2, "news://image/flood": 1, ADA: 5}
    then = indexed.get(f"/v1/views/story/{path(FLOOD)}?as_of=4").json()
    assert (then["version"], then["content"]["byline"]["name"]) == (2, "Ada")
    assert indexed.get(f"/v1/views/story/{path(FLOOD)}?as_of=2026-11-23T10:00:00Z").json() == now.json()


def test_who_has_a_version_gets_nothing_again(indexed: TestClient) -> None:
    for address in (
        f"/v1/views/story/{path(FLOOD)}",
        f"/v1/assets/{path(ADA)}",
        f"/v1/views/story/{path(FLOOD)}?as_of=4",
    ):
        first = indexed.get(address)
        again = indexed.get(address, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert indexed.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_what_was_unpublished_is_gone_and_can_be_had_as_it_was(indexed: TestClient) -> None:
    for address in (f"/v1/views/story/{path(STORM)}", f"/v1/assets/{path(STORM)}"):
        assert check_problem(indexed.get(address), 410, "gone")["offset"] == 4
        assert indexed.get(f"{address}?as_of=3").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/v1/views/story/" + path("news://article/none"),
        "/v1/views/story/" + path("news://article/none") + "?as_of=3",
        "/v1/views/person/" + path(FLOOD),
        "/v1/assets/" + path("news://article/none"),
        "/v1/assets/" + path("news://podcast/1"),
        "/v1/assets/" + path("news://article/none") + "/explain?view=story",
        "/v1/assets/news://article/flood",
    ],
)
def test_what_is_not_there_is_not_found(indexed: TestClient, address: str) -> None:
    check_problem(indexed.get(address), 404, "not-found")


@pytest.mark.parametrize(
    ("address", "code", "field"),
    [
        ("/v1/views/nope/" + path(FLOOD), "invalid-parameter", "view"),
        ("/v1/views/story/nonsense", "invalid-uri", "uri"),
        ("/v1/assets/%ff", "invalid-parameter", None),
        ("/v1/assets/" + path(FLOOD) + "?as_of=99", "invalid-parameter", "as_of"),
        ("/v1/assets/" + path(FLOOD) + "?as_of=noon", "invalid-parameter", "as_of"),
        ("/v1/assets/" + path(FLOOD) + "?uri=x", "invalid-parameter", "uri"),
        ("/v1/assets/" + path(FLOOD) + "/diff?a=1", "invalid-parameter", "b"),
        ("/v1/assets/" + path(FLOOD) + "/explain", "invalid-parameter", "view"),
        ("/v1/assets/" + path(FLOOD) + "/history?limit=101", "invalid-parameter", "limit"),
        ("/v1/assets/" + path(FLOOD) + "/history?view=nope", "invalid-parameter", "view"),
    ],
)
def test_what_can_not_be_asked_is_refused(indexed: TestClient, address: str, code: str, field: str | None) -> None:
    assert check_problem(indexed.get(address), 422, code).get("field") == field


# -------------------------------------------------------------------------------------------------------------- assets


@pytest.mark.parametrize("uri", [AWKWARD, FLOOD, ADA])
def test_any_uri_goes_into_a_path_and_comes_back(indexed: TestClient, uri: str) -> None:
    assert indexed.get(f"/v1/assets/{path(uri)}").json()["uri"] == uri
    assert indexed.get(f"/v1/assets/{path(uri)}/history").json()["uri"] == uri
    view = "person" if uri == ADA else "story"
    assert indexed.get(f"/v1/views/{view}/{path(uri)}").json()["uri"] == uri


def test_an_asset_is_its_last_message(indexed: TestClient) -> None:
    assert indexed.get(f"/v1/assets/{path(ADA)}").json() == {
        "uri": ADA,
        "kind": "byline",
        "offset": 5,
        "time": "2026-11-23T09:00:00Z",
        "data": {"name": "Ada Lovelace", "photo": None},
    }
    assert indexed.get(f"/v1/assets/{path(ADA)}?as_of=4").json()["data"]["name"] == "Ada"


def test_a_history_is_newest_first_page_by_page(indexed: TestClient) -> None:
    first = indexed.get(f"/v1/assets/{path(ADA)}/history?limit=1").json()
    assert [(one["offset"], one["state"], one["content"]["name"]) for one in first["versions"]] == [
        (5, "published", "Ada Lovelace")
    ]
    second = indexed.get(f"/v1/assets/{path(ADA)}/history?limit=1&before={first['before']}").json()
    assert [one["offset"] for one in second["versions"]] == [0]
    assert second["before"] is None
    storm = indexed.get(f"/v1/assets/{path(STORM)}/history?view=story").json()["versions"]
    assert [(one["offset"], one["state"]) for one in storm] == [(4, "gone"), (3, "live")]
    assert indexed.get(f"/v1/assets/{path('news://article/none')}/history").json()["versions"] == []


def test_dependents_are_counted_by_view(indexed: TestClient) -> None:
    assert indexed.get(f"/v1/assets/{path(ADA)}/dependents").json() == {
        "count": 2,
        "counts": {"person": 1, "story": 1},
        "views": [{"view": "person", "uri": ADA}, {"view": "story", "uri": FLOOD}],
    }


def test_an_explanation_is_a_tree_and_a_cause(indexed: TestClient) -> None:
    told = indexed.get(f"/v1/assets/{path(FLOOD)}/explain?view=story").json()
    assert told["version"] == 5
    assert told["cause"] == [FLOOD, ADA]
    assert {part["path"] for part in told["root"]["parts"]} == {"byline", "images"}
    assert indexed.get(f"/v1/assets/{path(FLOOD)}/explain?view=story&as_of=4").json()["version"] == 2


def test_a_diff_names_the_innermost_places(indexed: TestClient) -> None:
    assert indexed.get(f"/v1/assets/{path(ADA)}/diff?a=0&b=5").json() == {
        "uri": ADA,
        "a": 0,
        "b": 5,
        "changes": [{"path": "name", "before": "Ada", "after": "Ada Lovelace"}],
    }
    story = indexed.get(f"/v1/assets/{path(FLOOD)}/diff?a=4&b=9999&view=story").json()
    assert {change["path"] for change in story["changes"]} == {"byline.name", "images[0].credit.name"}
    born = indexed.get(f"/v1/assets/{path(FLOOD)}/diff?a=0&b=2").json()
    assert (born["a"], [list(change) for change in born["changes"]]) == (None, [["path", "after"]])


def test_readers_see_what_was_published_since(client: TestClient, newsroom: Newsroom) -> None:
    def dependents() -> int:
        index_now(newsroom)
        return client.get(f"/v1/assets/{path(ADA)}/dependents").json()["count"]

    message = {"uri": ADA, "kind": "byline", "op": "publish", "time": "2026-11-23T09:00:00Z", "data": {"name": "Ada"}}
    assert dependents() == 0
    client.post("/v1/messages", content=json.dumps(message), headers={"Content-Type": "application/json"})
    assert dependents() == 1
    client.post("/v1/messages", json=message | {"op": "unpublish", "data": None})
    assert dependents() == 0

"""How the compatible endpoints refuse, what they never let through, and which hosts they answer for."""

import json
import re
import socket
from collections.abc import Generator
from contextlib import closing
from typing import Any

import pytest
from starlette.testclient import TestClient

from publog.server.app import table
from publog.server.metrics import Metrics
from publog.server.newsroom import Newsroom
from publog.settings import resolve
from tests.contract.index_contract import HOSTILE
from tests.support.courier import Courier
from tests.support.newsroom import CATALOG, Json, publish, run_process, write_catalog, write_lines
from tests.support.serving import check_problem, client_of

MORE_HOSTILE = (
    'section_name:("City" OR t1:*)', "shelf:live", "id:x", "_exists_:shelf", "record:[* TO *]", "f1:x", "tags:x", "a:{1 TO 2}",
    "word_count:[99999999999999999999 TO *]", "word_count:[-9223372036854775808 TO 9223372036854775807]", "pub_date:[* TO *]",
    "pub_date:[0000 TO 9999-99-99]", "pub_date:9999-12-31", "../../etc/passwd", "%2e%2e%2f", "news/tag/x' OR 1=1", "{{7*7}}",
    "news/article/" + "x" * 600, "body:published-since:٣", "body:around:" + "9" * 500, "٣", "1e3", "-0", "20260230", "99999999",
)  # fmt: skip


def endpoints(newsroom: Newsroom) -> list[Any]:
    return [one for one in table(Metrics(newsroom)) if one.manners is not None]


TYPED = {"q", "fq", "tag", "show-blocks"}
"""Where a person types: every hostile text is tried there, elsewhere each text somewhere."""


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def test_hostile_text_is_words_or_is_refused_in_every_parameter(here: TestClient, courier_newsroom: Newsroom) -> None:
    good = {
        "year": "2026",
        "month": "3",
        "source": "all",
        "section": "all",
        "period": "1",
        "url": "x",
        "subject": "tag",
    }
    texts = [text for text in (*HOSTILE, *MORE_HOSTILE) if len(percent(text)) < 50_000]
    statuses: dict[int, int] = {}
    turn = 0
    for endpoint in endpoints(courier_newsroom):
        for name in [*endpoint.in_path, *endpoint.in_query]:
            turn += 1
            whole = name in TYPED and endpoint.shown_path in ("/search", "/svc/search/v2/articlesearch.json")
            for text in texts if whole else texts[turn % 6 :: 6]:
                address = endpoint.shown_path
                for one in endpoint.in_path:
                    address = address.replace("{" + one + "}", percent(text) if one == name else good.get(one, "1"))
                query = {"api-key": "x"} if endpoint.manners.key_parameter else {}
                if name in endpoint.in_query:
                    query[name] = percent(text)
                answer = here.get(f"{address}?{'&'.join(f'{one}={value}' for one, value in query.items())}")
                assert answer.status_code in (200, 400, 404, 422), (address, query, answer.text)
                assert answer.json() is not None
                if "fault" in answer.text and endpoint.shown_path.startswith("/svc"):
                    assert answer.status_code == 200 or "urn:publog:problem:fault" not in answer.text
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
    assert statuses[200] > 200
    assert statuses[400] > 300


def test_an_unknown_parameter_is_refused_with_the_known_ones(here: TestClient, courier_newsroom: Newsroom) -> None:
    for endpoint in endpoints(courier_newsroom):
        address = re.sub(r"\{\w+\}", "1", endpoint.shown_path)
        query = "?api-key=x&verbose=1" if endpoint.manners.key_parameter else "?verbose=1"
        answer = here.get(address + query)
        assert answer.status_code == endpoint.manners.status(422), address
        assert "'verbose' is no parameter of this" in answer.text
        for name in endpoint.in_query:
            assert name in answer.text


def test_a_catalog_without_the_mapping_has_no_such_apis(indexed: TestClient) -> None:
    nyt = indexed.get("/svc/search/v2/articlesearch.json?q=flood")
    assert nyt.status_code == 404
    assert "has no [nyt] in an interfaces.toml" in nyt.json()["fault"]["faultstring"]
    guardian = indexed.get("/search?q=flood")
    assert guardian.status_code == 404
    assert "has no [guardian] in an interfaces.toml" in guardian.json()["message"]
    assert indexed.get("/subjects").json() == ["article", "byline", "image"]


def test_a_path_that_is_none_is_a_problem_unless_a_key_says_which_api_is_meant(here: TestClient) -> None:
    for path in ("/nothing", "/v1/nothing", "/v1/nothing/at/all", "/svc/nothing", "/content/x"):
        check_problem(here.get(path), 404, "not-found")
        check_problem(here.post(path), 404, "not-found")
        assert here.get(f"{path}?api-key=x").json()["response"]["status"] == "error"
    answer = here.get("/v1/messages?api-key=x")
    check_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


EVIL = """Storm <script>alert(1)</script><b onclick="alert(1)"><a href='javascript:alert(1)'>x"""

SMALL = {
    **CATALOG,
    "interfaces.toml": """
        [guardian.stories]
        view = "story"
        search.byline = "byline.name"
        shape.item = { id = { path = "uri", as = "id" }, webTitle = "headline" }
        shape.section = {}
        shape.fields = { body = { path = "headline", as = "markup" }, standfirst = { path = "headline", as = "html" }, trailText = { path = "headline", as = "paragraph" }, thumbnail = { path = "images.path", as = ["first", "address"] } }
        shape.tags = []
        shape.elements = []
        shape.block = {}

        [nyt.stories]
        view = "story"
        search.byline = "byline.name"
        search.headline = "headline"
        shape.document = { _id = "uri", headline = { main = "headline" }, byline = { original = "byline.name" }, multimedia = { default = { url = { path = "images.path", as = ["first", "address"] } } } }
        shape.item = { title = "headline" }
    """,
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Generator[TestClient]:
    tmp_path = tmp_path_factory.mktemp("small")
    write_catalog(tmp_path / "catalog", SMALL)
    history = [
        publish("news://byline/ada", name="Ada"),
        publish("news://image/1", path="javascript:alert(1)"),
        publish("news://image/2", path="/2.jpg"),
        publish("news://article/1", headline="Flood <b>", byline="news://byline/ada", images=["news://image/2"]),
        publish("news://article/2", headline=EVIL, images=["news://image/1"]),
    ]
    write_lines(tmp_path / "history.jsonl", *history)
    assert run_process("publish", "history.jsonl", "--catalog", "catalog", folder=tmp_path).code == 0
    assert run_process("run", "--batch", folder=tmp_path).code == 0
    with closing(Newsroom(resolve(tmp_path / ".publog", environment={}))) as newsroom:
        yield client_of(newsroom)


def test_another_catalog_has_them_by_its_own_mapping(small: TestClient) -> None:
    told = small.get("/svc/search/v2/articlesearch.json", params={"fq": "headline:flood AND byline:ada"}).json()
    assert told["response"]["docs"] == [
        {
            "_id": "news://article/1",
            "headline": {"main": "Flood <b>"},
            "byline": {"original": "Ada"},
            "multimedia": {"default": {"url": "/2.jpg"}},
        }
    ]
    assert told["response"]["meta"]["hits"] == told["response"]["metadata"]["hits"] == 1
    (storm,) = small.get("/svc/search/v2/articlesearch.json?q=storm").json()["response"]["docs"]
    assert storm["multimedia"] == {"default": {"url": None}}
    refused = small.get("/svc/search/v2/articlesearch.json?fq=section_name:City")
    assert refused.status_code == 400
    assert "There is no field 'section_name' to filter by" in refused.json()["fault"]["faultstring"]
    assert small.get("/svc/search/v2/articlesearch.json?fq=persons:Ada").status_code == 404
    assert small.get("/svc/news/v3/content/section-list.json").status_code == 400
    assert small.get("/sections?api-key=x").status_code == 400


def test_markup_from_the_log_is_harmless(small: TestClient) -> None:
    (storm,) = small.get("/search?show-fields=all&q=storm").json()["response"]["results"]
    assert storm["webTitle"] == EVIL
    assert storm["fields"] == {
        "body": 'Storm <b><a rel="noopener noreferrer">x</a></b>',
        "standfirst": "Storm &lt;script&gt;alert(1)&lt;/script&gt;&lt;b onclick=&#34;alert(1)&#34;&gt;&lt;a href=&#39;javascript:alert(1)&#39;&gt;x",
        "trailText": f"<p>{storm['fields']['standfirst']}</p>",
    }


def ask(courier: Courier, head: str) -> tuple[int, bytes]:
    """Send a head as it is; gives the status and the body."""
    with socket.create_connection(("127.0.0.1", int(courier.port)), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"Connection: close\r\n\r\n")
        told = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(told.split()[1]), told.partition(b"\r\n\r\n")[2]


SECTIONS = "/svc/news/v3/content/section-list.json"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"GET http://api.nytimes.com{SECTIONS} HTTP/1.1\nHost: api.nytimes.com\n", 200),
        (f"GET http://API.nytimes.com:80{SECTIONS}?api-key=x HTTP/1.1\nHost: api.nytimes.com\n", 200),
        (
            "GET http://content.guardianapis.com/search?q=ferry&api-key=x HTTP/1.1\nHost: content.guardianapis.com\n",
            200,
        ),
        # The address counts, not the header.
        (f"GET http://127.0.0.1{SECTIONS} HTTP/1.1\nHost: evil.example\n", 200),
        ("GET http://localhost:80/v1/search HTTP/1.1\nHost: localhost\n", 200),
        # A page from elsewhere, whose name resolves to this machine.
        (f"GET {SECTIONS} HTTP/1.1\nHost: api.nytimes.com\n", 421),
        ("GET /search HTTP/1.1\nHost: evil.example\n", 421),
        # Our own endpoints answer for this machine only, and nothing is written for another host.
        ("GET http://evil.example/v1/search HTTP/1.1\nHost: evil.example\n", 421),
        ("GET http://evil.example/v1/search HTTP/1.1\nHost: 127.0.0.1\n", 421),
        ("GET http://evil.example/openapi.json HTTP/1.1\nHost: evil.example\n", 421),
        ("POST http://evil.example/v1/messages HTTP/1.1\nHost: evil.example\nContent-Length: 0\n", 421),
        (f"POST http://api.nytimes.com{SECTIONS} HTTP/1.1\nHost: api.nytimes.com\nContent-Length: 0\n", 421),
        ("GET http://evil.example HTTP/1.1\nHost: evil.example\n", 421),
        ("GET http://evil.example/v1/search?api-key=x HTTP/1.1\nHost: evil.example\n", 404),
        ("GET http://evil.example/healthz HTTP/1.1\nHost: evil.example\n", 421),
        (
            "GET http://content.guardianapis.com/news/tag/ferries?api-key=x HTTP/1.1\nHost: content.guardianapis.com\n",
            200,
        ),
        ("GET http://localhost@evil.example/v1/search HTTP/1.1\nHost: localhost\n", 421),
        ("GET ftp://api.nytimes.com/svc HTTP/1.1\nHost: localhost\n", 404),
    ],
)
def test_only_a_request_to_a_proxy_may_name_another_host_and_only_here(
    courier: Courier, head: str, status: int
) -> None:
    told = ask(courier, head)
    assert told[0] == status, told
    assert json.loads(told[1])


def test_a_sent_highlight_is_text(here: TestClient) -> None:
    for document in here.get("/svc/search/v2/articlesearch.json?q=ferry&hl=1").json()["response"]["docs"]:
        assert re.search(r"<strong>[Ff]err(y|ies)</strong>", document["snippet"])
        assert set(re.findall(r"<[^>]*>", document["snippet"])) == {"<strong>", "</strong>"}


def test_a_page_of_the_newswire_and_of_the_last_hours(here: TestClient, latest: Json) -> None:
    first = here.get("/svc/news/v3/content/all/all.json?limit=3").json()["results"]
    more = here.get("/svc/news/v3/content/all/all.json?limit=3&offset=2").json()["results"]
    assert more[0]["uri"] == first[2]["uri"]
    assert here.get("/svc/news/v3/content/calder-bay-courier/city.json").json()["num_results"] == 20
    assert here.get("/svc/news/v3/content/another/city.json").status_code == 404
    # The demo's stories are of some months ago.
    recent = here.get("/svc/news/v3/content/all/all/720.json").json()["results"]
    assert all(story in first or story["uri"] in latest for story in recent)
    assert here.get("/svc/news/v3/content/all/all/721.json").status_code == 400
    assert here.get("/svc/news/v3/content/all/all.json?limit=21").status_code == 400
    assert here.get("/svc/search/v2/articlesearch.json?page=101").status_code == 400


def test_item_parameters_that_mean_nothing_for_a_story_are_refused(here: TestClient) -> None:
    story = "/news/article/night-ferry-returns?api-key=x"
    assert set(here.get(f"{story}&show-fields=headline").json()["response"]["content"]["fields"]) == {"headline"}
    assert "this is for the stories of a tag or section" in here.get(f"{story}&q=ferry").json()["message"]
    assert here.get("/news/tag/ferries?api-key=x&page-size=1").json()["response"]["pageSize"] == 1


@pytest.mark.parametrize(
    ("blocks", "chosen"),
    [
        ("body:latest", 1), ("body:oldest:3", 1), ("body:key-events", 0), ("body:published-since:0", 1),
        ("body:published-since:4102444800000", 0), ("body:news/article/night-ferry-returns", 1), ("body:other", 0),
        ("body:around:news/article/night-ferry-returns:2", 1),
    ],
)  # fmt: skip
def test_blocks_that_are_asked_for_by_name(here: TestClient, blocks: str, chosen: int) -> None:
    answer = here.get(f"/news/article/night-ferry-returns?api-key=x&show-blocks={blocks}")
    assert len(answer.json()["response"]["content"]["blocks"]["requestedBodyBlocks"][blocks]) == chosen

"""200 strings that mean harm, in every text of every kind of asset and in every parameter: none runs, none breaks a page."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Browser
from starlette.testclient import TestClient

from assets.catalog import newsroom_catalog
from publog.server.app import table
from publog.server.metrics import Metrics
from publog.server.newsroom import Newsroom
from publog.settings import resolve
from tests.support.browsing import Visit, asset_page, serving, view_page
from tests.support.hostile import fill, hostile_strings, wrong_in
from tests.support.newsroom import Json, publish, run_process, write_lines
from tests.support.serving import client_of

STRINGS: Final = hostile_strings()
KINDS: Final = ("tag", "byline", "image", "article")
MIXED: Final = 25
BLOCKS: Final = ("text", "heading", "quote", "list", "image", "embed", "video")
AS_BROWSER: Final = {"Accept": "text/html"}


def uri(kind: str, name: str) -> str:
    return f"news://{kind}/{name}"


def asset(kind: str, name: str, texts: Iterator[str], items: int) -> Json:
    references = {one: uri(one, name) for one in KINDS[: KINDS.index(kind)]}
    data = fill(json.loads(newsroom_catalog().kinds[kind].text), texts, references, items)
    if kind == "article":
        data["body"] = [{**block, "type": type_} for block, type_ in zip(data["body"], cycle(BLOCKS), strict=False)]
    return publish(uri(kind, name), **data)


def assets() -> Iterator[Json]:
    """Each string in every text of an asset of every kind; then many in one; then all in one."""
    for kind in KINDS:
        for number, text in enumerate(STRINGS):
            yield asset(kind, f"{number}", repeat(text), len(BLOCKS))
        for number in range(MIXED):
            begin = number * len(STRINGS) // MIXED
            yield asset(kind, f"mixed-{number}", islice(cycle(STRINGS), begin, None), len(BLOCKS))
        for _ in range(2):
            yield asset(kind, "all", cycle(text[:300] for text in STRINGS), len(STRINGS))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    write_lines(folder / "messages.jsonl", *assets())
    ran = run_process("publish", "messages.jsonl", folder=folder)
    assert ran.code == 0, ran
    assert run_process("run", "--batch", folder=folder).code == 0
    return folder


@pytest.fixture(scope="module")
def newsroom(home: Path) -> Generator[Newsroom]:
    with closing(Newsroom(resolve(home / ".publog", environment={}))) as made:
        yield made


@pytest.fixture(scope="module")
def client(newsroom: Newsroom) -> Generator[TestClient]:
    # As a block it has one event loop for all requests.
    with client_of(newsroom) as made:
        yield made


def check(client: TestClient, address: str) -> None:
    answer = client.get(address, headers=AS_BROWSER, follow_redirects=False)
    assert answer.status_code < 500, (address, answer.text)
    match answer.headers["content-type"].partition(";")[0]:
        case "text/html":
            if answer.status_code == 303:
                return
            assert "script-src 'self'" in answer.headers["content-security-policy"] or "/stories/" in address
            assert wrong_in(answer.text) == set(), address
            assert answer.text.count("<h1") == 1, address
        case "application/rss+xml" | "application/atom+xml" | "application/xml":
            ET.fromstring(answer.content)
        case other:
            assert other == "application/problem+json"


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_of_an_asset_becomes_markup(client: TestClient, kind: str) -> None:
    for number in range(len(STRINGS)):
        check(client, asset_page(uri(kind, f"{number}")))
        if kind == "article":
            check(client, view_page("story", uri(kind, f"{number}"), "?show=why"))
            check(client, f"/pages/stories/{quote(uri(kind, str(number)), safe='')}")
        check(client, f"/pages/publish?uri={uri(kind, str(number))}")


def test_no_text_of_an_asset_breaks_a_feed(client: TestClient) -> None:
    for address in ("/feeds/rss?limit=100", "/feeds/atom?limit=100", "/sitemap-news.xml"):
        answer = client.get(address)
        assert answer.status_code == 200
        root = ET.fromstring(answer.content)
        tag = {"/feeds/rss?limit=100": ".//item", "/feeds/atom?limit=100": "{*}entry", "/sitemap-news.xml": "{*}url"}[
            address
        ]
        assert len(root.findall(tag)) == (len(STRINGS) + MIXED + 1 if "sitemap" in address else 100)


# A text that is looked at as a number, or for one of a few, is soon looked through.
TYPED: Final = {"limit", "before", "a", "b", "days", "show", "from"}


def test_no_parameter_becomes_markup_or_breaks_a_page(client: TestClient, newsroom: Newsroom) -> None:
    seen = 0
    for endpoint in table(Metrics(newsroom)):
        if endpoint.method != "GET" or not (endpoint.is_page or "xml" in endpoint.media_type):
            continue
        texts = [name for name in endpoint.in_query if name not in TYPED]
        # Every one of them in all at once, and a part of them in each alone: what is wrong with one hides the others.
        for names, step in ((texts, 1), *(([name], 8) for name in (*endpoint.in_path, *endpoint.in_query))):
            for text in STRINGS[::step] if names else []:
                values = {
                    "view": "story",
                    "uri": uri("article", "1"),
                    "id": "x",
                    "name": "x",
                    **dict.fromkeys(names, text[:1_500]),
                }
                path = endpoint.path.format_map({one: quote(value, safe="") for one, value in values.items()})
                query = urlencode({name: values[name] for name in names if name in endpoint.in_query})
                check(client, f"{path}?{query}")
                seen += 1
    assert seen > 2_000


@pytest.mark.requires_tool("chromium")
def test_nothing_runs_or_leaves_in_a_browser(browser: Browser, home: Path) -> None:
    with serving(home) as base:
        visit = Visit(browser, base)
        for number in range(MIXED):
            visit.page.goto(view_page("story", uri("article", f"mixed-{number}"), "?show=why"))
            visit.check()
        for kind in KINDS:
            one = uri(kind, "all")
            for address in (
                asset_page(one),
                asset_page(one, "?show=used-by"),
                asset_page(one, "?show=history"),
                asset_page(one, "?show=changes&a=0&b=99999"),
                f"/pages/publish?uri={one}",
                *([] if kind == "image" else [view_page({"article": "story"}.get(kind, kind), one, "?show=past")]),
            ):
                visit.page.goto(address)
                visit.check()
        visit.page.goto(f"/pages/stories/{quote(uri('article', 'all'), safe='')}")
        visit.check()
        for text in STRINGS[::8]:
            visit.page.goto(
                f"/?q={quote(text[:1500], safe='')}&since={quote(text[:300], safe='')}&filter=desk:{quote(text[:300], safe='')}"
            )
            visit.check()
        for address in ("/?sort=newest", "/?sort=oldest", "/pages/log", "/pages/assets"):
            visit.page.goto(address)
            visit.check()
        visit.close()

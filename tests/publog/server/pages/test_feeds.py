"""Stories for readers: their pages, feeds and the sitemap, as their parsers read them."""

import json
from collections.abc import Generator
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from starlette.testclient import TestClient

from publog.server.newsroom import Newsroom
from publog.settings import resolve
from tests.support.newsroom import Json, publish, run_process, write_lines
from tests.support.serving import BASE, check_problem, client_of

NEWS = "{http://www.google.com/schemas/sitemap-news/0.9}"
SITE = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
ATOM = "{http://www.w3.org/2005/Atom}"


def story(number: int, day: str, **rest: Json) -> Json:
    given = {"headline": f"Story {number}", "published_at": f"{day}T09:00:00Z", "section": "World", **rest}
    return publish(f"news://article/{number}", **given)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Generator[TestClient]:
    folder = tmp_path_factory.mktemp("feeds")
    picture = publish("news://image/1", url="https://pictures.example/1.jpg", alt="A mill")
    stories = [
        story(1, "2026-11-20"),
        story(2, "2026-11-21", section="City", lead_image="news://image/1", source="The Mill"),
        story(3, "2026-11-22", web_url="https://mill.example/three"),
    ]
    write_lines(folder / "history.jsonl", picture, *stories)
    assert run_process("publish", "history.jsonl", folder=folder).code == 0
    assert run_process("run", "--batch", folder=folder).code == 0
    with closing(Newsroom(resolve(folder / ".publog", environment={}))) as newsroom:
        yield client_of(newsroom)


def page_of(number: int) -> str:
    return f"/pages/stories/{quote(f'news://article/{number}', safe='')}"


def test_rss_has_the_newest_first_each_with_an_address(client: TestClient) -> None:
    answer = client.get("/feeds/rss")
    assert answer.headers["content-type"].startswith("application/rss+xml")
    items = ET.fromstring(answer.content).findall("channel/item")
    assert [item.findtext("title") for item in items] == ["Story 3", "Story 2", "Story 1"]
    assert [item.findtext("link") for item in items] == [
        "https://mill.example/three",
        BASE + page_of(2),
        BASE + page_of(1),
    ]
    assert parsedate_to_datetime(items[0].findtext("pubDate") or "") == datetime.fromisoformat("2026-11-22T09:00:00Z")


def test_atom_has_the_same_filtered_as_a_search(client: TestClient) -> None:
    answer = client.get("/feeds/atom?filter=section:World&limit=1")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    root = ET.fromstring(answer.content)
    assert [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")] == ["news://article/3"]
    assert root.findtext(f"{ATOM}updated") == "2026-11-22T09:00:00Z"
    found = ET.fromstring(client.get("/feeds/atom?q=headline:2").content)
    assert [entry.findtext(f"{ATOM}title") for entry in found.findall(f"{ATOM}entry")] == ["Story 2"]
    check_problem(client.get("/feeds/atom?filter=nothing:x"), 422, "invalid-query")
    check_problem(client.get("/feeds/rss?limit=101"), 422, "invalid-parameter")


def test_the_news_sitemap_has_what_is_new(client: TestClient) -> None:
    root = ET.fromstring(client.get("/sitemap-news.xml?days=1").content)
    assert root.tag == f"{SITE}urlset"
    urls = root.findall(f"{SITE}url")
    assert [url.findtext(f"{SITE}loc") for url in urls] == ["https://mill.example/three", BASE + page_of(2)]
    news = urls[1].find(f"{NEWS}news")
    assert news is not None
    assert news.findtext(f"{NEWS}publication/{NEWS}name") == "The Mill"
    assert news.findtext(f"{NEWS}publication/{NEWS}language") == "en"
    assert news.findtext(f"{NEWS}title") == "Story 2"
    assert datetime.fromisoformat(news.findtext(f"{NEWS}publication_date") or "").year == 2026
    everything = ET.fromstring(client.get("/sitemap-news.xml").content)
    assert len(everything.findall(f"{SITE}url")) == 3


def test_a_story_has_a_page_of_its_own_that_loads_nothing(client: TestClient) -> None:
    answer = client.get(page_of(2))
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "<img" not in answer.text
    assert 'href="https://pictures.example/1.jpg"' in answer.text
    structured = answer.text.partition('<script type="application/ld+json">')[2].partition("</script>")[0]
    assert json.loads(structured)["headline"] == "Story 2"
    assert "Story 2" in client.get(page_of(2) + "?as_of=3").text
    check_problem(client.get(page_of(9)), 404, "not-found")


def test_a_catalog_without_stories_has_no_feed(tmp_path: Path) -> None:
    (tmp_path / "kinds").mkdir()
    note = {"type": "record", "name": "note", "fields": [{"name": "text", "type": "string"}]}
    (tmp_path / "kinds" / "note.avsc").write_text(json.dumps(note))
    (tmp_path / "views.toml").write_text('[views.note]\nroot = "note"\nsearch.text = ["text"]\n')
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "publog.toml").write_text('catalog = ".."')
    with closing(Newsroom(resolve(tmp_path / "home", environment={}))) as newsroom:
        for address in ("/feeds/rss", "/feeds/atom", "/sitemap-news.xml"):
            check_problem(client_of(newsroom).get(address), 404, "not-found")

"""Search, assets and views as pages: what they show, what they link to, and errors where they belong."""

import re
from html import unescape
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from tests.support.browsing import asset_page, view_page
from tests.support.serving import ADA, FLOOD, PICTURE, check_problem

PAGE = {"Accept": "text/html"}


def text_of(client: TestClient, address: str, status: int = 200) -> str:
    answer = client.get(address, headers=PAGE)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def links_in(page: str) -> list[str]:
    return [unescape(link) for link in re.findall(r'href="([^"]*)"', page)]


def test_a_search_marks_what_it_found_and_narrows_it_down(indexed: TestClient) -> None:
    page = text_of(indexed, "/?q=flood&view=story")
    assert "2 found" in page
    assert "<mark>Flood</mark> at the mill" in page
    (narrower,) = {link for link in links_in(page) if "filter=byline.name" in link}
    narrowed = text_of(indexed, narrower)
    assert "1 found" in narrowed
    assert "Remove the filter" in narrowed
    # The same link again takes the filter away.
    assert [link for link in links_in(narrowed) if link.startswith("/?") and "filter" not in link]


def test_what_is_wrong_with_a_query_is_shown_where_it_is(indexed: TestClient) -> None:
    page = text_of(indexed, f"/?q={quote('flood nowhere:x')}", 422)
    assert '<code>flood <mark class="wrong">nowhere:x</mark></code>' in page
    assert "<code>headline</code>" in page
    assert 'value="flood nowhere:x"' in page
    page = text_of(indexed, "/?since=yesterday", 422)
    assert re.search(r'id="since"[^>]* aria-invalid="true" aria-describedby="since-error"', page)
    assert re.search(r'id="since-error">since: &#39;yesterday&#39; is no date', page)
    for query in ("sort=best", "filter=x", "view=none", "cursor=x", "since=2020&until=2019"):
        page = text_of(indexed, f"/?{query}", 422)
        assert 'role="alert"' in page or 'class="error"' in page, query
    check_problem(indexed.get("/?unknown=1"), 422, "invalid-parameter")
    assert "is no parameter of this" in text_of(indexed, "/?unknown=1", 422)


def test_an_empty_search_says_what_to_do(indexed: TestClient) -> None:
    assert "Nothing found." in text_of(indexed, "/?q=zebra")


def test_every_page_of_a_search_follows_the_one_before(indexed: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    page = text_of(indexed, "/?sort=newest")
    assert 'rel="next"' not in page
    monkeypatch.setattr("publog.server.pages.search.HITS", 2)
    seen: list[str] = []
    address: str | None = "/?sort=newest"
    while address:
        page = text_of(indexed, address)
        seen += [link for link in links_in(page) if link.startswith("/pages/views/")]
        following = re.search(r'href="([^"]*)" rel="next"', page)
        address = unescape(following[1]) if following else None
    assert len(seen) == len(set(seen)) == 4


def test_an_asset_links_what_it_refers_to_and_who_uses_it(indexed: TestClient) -> None:
    assert asset_page(PICTURE) in links_in(text_of(indexed, asset_page(FLOOD)))
    used = text_of(indexed, asset_page(PICTURE, "?show=used-by"))
    assert "1 view shows it" in used
    assert view_page("story", FLOOD) in links_in(used)
    assert "was never published" in text_of(indexed, asset_page("news://image/none", "?show=used-by"), 404)


def test_a_box_opens_a_uri(indexed: TestClient) -> None:
    answer = indexed.get(f"/pages/assets?uri={quote(FLOOD)}", headers=PAGE, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, asset_page(FLOOD))
    assert "This is no asset" in text_of(indexed, "/pages/assets?uri=x", 422)
    awkward = "news://article/a/b 100%25/history"
    assert "An awkward name" in text_of(indexed, f"/pages/assets?uri={quote(awkward)}")


def test_the_history_of_an_asset_shows_what_changed(indexed: TestClient) -> None:
    page = text_of(indexed, asset_page(ADA, "?show=history"))
    (changes,) = {link for link in links_in(page) if "show=changes" in link}
    difference = text_of(indexed, changes)
    assert "Ada</span></del>" in difference
    assert "Ada Lovelace</span></ins>" in difference
    assert "Ada Lovelace" not in text_of(indexed, asset_page(ADA, "?as_of=0"))


def test_a_view_that_is_gone_says_so_and_shows_what_it_was(indexed: TestClient) -> None:
    page = text_of(indexed, view_page("story", "news://article/storm"), 410)
    assert "Unpublished" in page
    (before,) = {link for link in links_in(page) if "as_of=3" in link}
    assert "Storm over the hills" in text_of(indexed, before)


def test_a_time_of_a_form_is_taken_as_utc(indexed: TestClient) -> None:
    answer = indexed.get(view_page("story", FLOOD, "?at=2026-11-23T09:00"), headers=PAGE, follow_redirects=False)
    assert answer.status_code == 303
    assert "You are looking at the past" in text_of(indexed, answer.headers["location"])
    text_of(indexed, view_page("story", FLOOD, "?at=1999-01-01T00:00"), 404)
    text_of(indexed, view_page("story", FLOOD, "?at=noon"), 422)


def test_who_takes_no_pages_gets_problems(indexed: TestClient) -> None:
    check_problem(indexed.get(view_page("story", "news://article/none")), 404, "not-found")
    check_problem(indexed.get("/pages/none"), 404, "not-found")
    assert "There is nothing at this path" in text_of(indexed, "/pages/none", 404)
    assert indexed.head("/").status_code == 200


def test_what_a_page_is_made_with_is_asked_for_once(indexed: TestClient) -> None:
    answer = indexed.get("/pages/static/pages.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    again = indexed.get("/pages/static/pages.css", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    check_problem(indexed.get("/pages/static/..%2Flayout.py"), 404, "not-found")


def test_a_browser_that_has_something_is_shown_the_page_all_the_same(indexed: TestClient) -> None:
    answer = indexed.get(view_page("story", FLOOD), headers={**PAGE, "If-None-Match": "*"})
    assert answer.status_code == 200

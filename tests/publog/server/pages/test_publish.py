"""Publishing by hand, without a script: what becomes of what is sent, and that nothing is published twice or over something."""

import re

import pytest
from starlette.testclient import TestClient

from publog.server.newsroom import Newsroom
from tests.support.newsroom import Json, byline, image, unpublish
from tests.support.serving import ADA

PAGE = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def as_a_browser(client: TestClient) -> None:
    client.headers.update(PAGE)
    client.follow_redirects = False


def form_of(client: TestClient, address: str) -> dict[str, str]:
    """What the page's form would send."""
    page = client.get(address).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    uri = re.search(r'<input id="edit-uri"[^>]* value="([^"]*)"', page)
    assert uri
    return {"uri": uri[1], "references": "", **hidden}


def send(client: TestClient, form: dict[str, str], data: str, action: str = "publish") -> Json:
    return client.post("/pages/publish", data={**form, "data": data, "action": action})


def last_offset(newsroom: Newsroom) -> int:
    return newsroom.standing().last_offset


def test_a_form_that_is_sent_twice_publishes_once(client: TestClient, newsroom: Newsroom) -> None:
    form = form_of(client, f"/pages/publish?uri={ADA}")
    first = send(client, form, '{"name": "Ada"}')
    assert (first.status_code, last_offset(newsroom)) == (303, 0)
    assert send(client, form, '{"name": "Ada"}').headers["location"] == first.headers["location"]
    assert last_offset(newsroom) == 0
    # Another text from the same form is another message, and what it was loaded from has moved on.
    other = send(client, form, '{"name": "Lovelace"}')
    assert other.status_code == 409
    assert "Lovelace" in other.text
    assert last_offset(newsroom) == 0


def test_what_was_loaded_under_another_uri_is_published_as_something_new(
    client: TestClient, newsroom: Newsroom
) -> None:
    client.post("/v1/messages", json=[byline("ada"), byline("bob")])
    form = {**form_of(client, f"/pages/publish?uri={ADA}"), "uri": "news://byline/eve"}
    assert form["expect"] == "0"
    assert send(client, form, '{"name": "Eve"}').status_code == 303
    taken = send(client, {**form, "uri": "news://byline/bob"}, '{"name": "Eve"}')
    assert taken.status_code == 409
    assert "There is such an asset already" in taken.text
    assert last_offset(newsroom) == 2


def test_it_is_published_over_another_version_only_where_that_was_seen(client: TestClient, newsroom: Newsroom) -> None:
    client.post("/v1/messages", json=byline("ada"))
    form = form_of(client, f"/pages/publish?uri={ADA}")
    client.post("/v1/messages", json=byline("ada", name="Second"))
    refused = send(client, form, '{"name": "Mine"}')
    assert 'name="present" value="1"' in refused.text
    client.post("/v1/messages", json=byline("ada", name="Third"))
    again = send(client, {**form, "present": "1"}, '{"name": "Mine"}', "overwrite")
    assert again.status_code == 409
    assert send(client, {**form, "present": "2"}, '{"name": "Mine"}', "overwrite").status_code == 303
    assert last_offset(newsroom) == 3


def test_trying_writes_nothing(client: TestClient, newsroom: Newsroom) -> None:
    client.post("/v1/messages", json=byline("ada"))
    form = form_of(client, f"/pages/publish?uri={ADA}")
    tried = send(client, form, '{"name": "Other"}', "check")
    assert tried.status_code == 200
    assert "it touches 1 view." in tried.text
    assert last_offset(newsroom) == 0


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("", "This is not a JSON object"),
        ("[]", "This is not a JSON object"),
        ('{"name": "a"', "This is not a JSON object"),
        ('{"name": "a"}, "op": "unpublish"', "This is not a JSON object"),
        ("[" * 100_000, "This is not a JSON object"),
        ('{"name": 1}', "expected string"),
        ('{"name": "\\ud800"}', "This is not a JSON object"),
        ('{"name": "a", "photo": "news://image/none"}', "news://image/none"),
        ('{"name": "a", "nmae": "b"}', "nmae"),
    ],
)
def test_what_is_wrong_is_told_and_what_was_written_kept(
    client: TestClient, newsroom: Newsroom, data: str, told: str
) -> None:
    answer = send(client, form_of(client, f"/pages/publish?uri={ADA}"), data)
    assert answer.status_code == 422
    assert told in answer.text
    assert data[:10].replace('"', "&#34;") in answer.text
    assert last_offset(newsroom) == -1


@pytest.mark.parametrize("uri", ["", "no uri", "news://nothing/x", "news://byline/"])
def test_a_uri_that_is_none_is_told(client: TestClient, uri: str) -> None:
    assert send(client, {"uri": uri}, "{}").status_code == 422


def test_what_is_held_waits_with_its_receipt(client: TestClient) -> None:
    form = {**form_of(client, f"/pages/publish?uri={ADA}"), "references": "hold"}
    held = send(client, form, '{"name": "a", "photo": "news://image/later"}')
    assert held.status_code == 303
    receipt = client.get(held.headers["location"])
    assert "<h1>Held</h1>" in receipt.text
    client.post("/v1/messages", json=image("later"))
    assert "<h1>On its way</h1>" in client.get(held.headers["location"]).text


def test_what_was_unpublished_is_edited_from_what_it_was(client: TestClient, newsroom: Newsroom) -> None:
    client.post("/v1/messages", json=[byline("ada", name="Ada before"), unpublish(ADA)])
    page = client.get(f"/pages/publish?uri={ADA}").text
    assert "Ada before" in page
    assert send(client, form_of(client, f"/pages/publish?uri={ADA}"), '{"name": "Ada"}').status_code == 303
    assert last_offset(newsroom) == 2


def test_the_schema_stands_beside_it(client: TestClient) -> None:
    page = client.get("/pages/publish?kind=article").text
    assert "What a article has" not in page
    assert "<code>headline</code>" in page
    assert "URI of byline, or null" in page
    assert "list of URI of image" in page
    assert client.get("/pages/publish?kind=nothing").status_code == 200

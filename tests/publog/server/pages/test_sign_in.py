"""Signing in: what a key opens its session opens, for as long, and for no page from elsewhere."""

import pytest
from starlette.testclient import TestClient

from publog.server.limits import SESSIONS_MAX
from publog.server.newsroom import Newsroom
from publog.server.session import COOKIE, Sessions
from tests.support.newsroom import Json, byline
from tests.support.serving import BASE, check_problem, client_of

PAGE = {"Accept": "text/html,application/xhtml+xml"}
FORM = {**PAGE, "Origin": BASE, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def beyond(newsroom: Newsroom) -> TestClient:
    """A browser on another machine."""
    client = client_of(newsroom, is_loopback=False)
    client.headers.update(FORM)
    client.follow_redirects = False
    return client


def sign_in(client: TestClient, key: str) -> Json:
    return client.post("/pages/sign-in", data={"key": key})


def test_a_session_opens_what_its_key_does_and_ends_with_it(newsroom: Newsroom, beyond: TestClient) -> None:
    refused = beyond.get("/pages/log")
    assert refused.status_code == 401
    assert "/pages/sign-in" in refused.text
    assert refused.headers["content-type"].startswith("text/html")
    assert beyond.get("/pages/sign-in").status_code == 200

    key = newsroom.keys.add(["search"])
    answer = sign_in(beyond, key)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    made = answer.headers["set-cookie"]
    assert key not in made
    for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="):
        assert part in made
    assert "Secure" not in made
    assert beyond.get("/pages/log").status_code == 200
    assert beyond.get("/v1/log").status_code == 200
    assert "Sign out" in beyond.get("/pages/log").text
    for address in ("/pages/keys", "/pages/generations", "/pages/dead-letters"):
        assert beyond.get(address).status_code == 403
    refused = beyond.post(
        "/pages/publish", data={"uri": "news://byline/a", "data": '{"name": "A"}', "action": "publish"}
    )
    assert refused.status_code == 403
    # Only a page's forms and what is read go by the cookie.
    check_problem(beyond.post("/v1/messages", json=byline("a"), headers={"Accept": "*/*"}), 401, "unauthorized")

    newsroom.keys.revoke(newsroom.keys.all()[0].id)
    ended = beyond.get("/pages/log")
    assert ended.status_code == 401
    assert "Max-Age=0" in ended.headers["set-cookie"]
    assert newsroom.standing().last_offset == -1


def test_who_signs_out_is_out(newsroom: Newsroom, beyond: TestClient) -> None:
    sign_in(beyond, newsroom.keys.add(["search"]))
    stolen = beyond.cookies[COOKIE]
    assert beyond.post("/pages/sign-out").status_code == 303
    assert COOKIE not in beyond.cookies
    beyond.cookies.set(COOKIE, stolen)
    assert beyond.get("/pages/log").status_code == 401


def test_what_is_no_key_signs_nobody_in(newsroom: Newsroom, beyond: TestClient) -> None:
    for text in ("", "publog_x", "x" * 10_000, newsroom.keys.add(["search"])[:-1]):
        answer = sign_in(beyond, text)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    beyond.cookies.set(COOKIE, "forged")
    assert beyond.get("/").status_code == 401


def test_behind_tls_the_cookie_is_for_tls_alone(newsroom: Newsroom, beyond: TestClient) -> None:
    beyond.headers["X-Forwarded-Proto"] = "https"
    assert sign_in(beyond, newsroom.keys.add(["search"])).headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("scope", ["publish", "publish:byline"])
def test_who_may_only_publish_is_shown_no_asset(newsroom: Newsroom, beyond: TestClient, scope: str) -> None:
    client_of(newsroom).post("/v1/messages", json=byline("ada", name="Ada Secret"))
    sign_in(beyond, newsroom.keys.add([scope]))
    address = "/pages/publish?uri=news://byline/ada"
    assert "Ada Secret" not in beyond.get(address).text
    assert beyond.get("/pages/assets/news%3A%2F%2Fbyline%2Fada").status_code == 403
    uri = "news://byline/ada"
    form = {"uri": uri, "loaded": uri, "data": '{"name": "Ada New"}', "action": "publish"}
    refused = beyond.post("/pages/publish", data={**form, "expect": "-1"})
    assert refused.status_code == 409
    assert "Ada Secret" not in refused.text
    done = beyond.post("/pages/publish", data=form)
    assert done.status_code == 303
    assert "is message <b>1</b>" in beyond.get(done.headers["location"]).text


def test_a_form_of_one_that_publishes_one_kind_publishes_no_other(newsroom: Newsroom, beyond: TestClient) -> None:
    sign_in(beyond, newsroom.keys.add(["publish:byline"]))
    form = {"uri": "news://image/a", "data": '{"path": "/a"}', "action": "publish"}
    assert beyond.post("/pages/publish", data=form).status_code == 403
    assert newsroom.standing().last_offset == -1


CROSS = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", CROSS)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/keys", "/v1/backfill/start", "/pages/keys", "/pages/sign-in"])
def test_another_site_changes_nothing(client: TestClient, path: str, headers: dict[str, str]) -> None:
    check_problem(client.post(path, content=b"", headers=headers), 403, "cross-site")


def test_programs_and_own_pages_may(client: TestClient) -> None:
    assert client.post("/v1/messages", json=byline("a")).status_code == 200
    assert client.post("/v1/messages", json=byline("a"), headers={"Origin": BASE}).status_code == 200
    assert client.get("/healthz", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_no_more_are_signed_in_than_there_is_room_for() -> None:
    sessions = Sessions()
    first = sessions.begin("one")
    for _ in range(SESSIONS_MAX):
        last = sessions.begin("another")
    assert sessions.key(first) is None
    assert sessions.key(last) == "another"
    sessions.end(last)
    assert sessions.key(last) is None


def test_a_session_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publog.server.session.SESSION_SECONDS_MAX", -1)
    sessions = Sessions()
    assert sessions.key(sessions.begin("one")) is None


def test_every_page_says_what_it_may_load(client: TestClient) -> None:
    for address in ("/", "/pages/log", "/pages/nothing", "/pages/sign-in"):
        headers = client.get(address, headers=PAGE).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


def test_a_key_that_is_made_on_its_page_is_shown_once(newsroom: Newsroom, client: TestClient) -> None:
    client.headers.update(FORM)
    client.follow_redirects = False
    made = client.post("/pages/keys", data={"action": "add", "scope": ["search", "admin"]})
    assert made.status_code == 200
    (key,) = newsroom.keys.all()
    assert key.scopes == ("search", "admin")
    assert f"publog_{key.id}_" in made.text
    assert f"publog_{key.id}_" not in client.get("/pages/keys").text
    # From here on it needs one.
    assert client.post("/pages/keys", data={"action": "add", "scope": "search"}).status_code == 401
    text = made.text[made.text.index(f"publog_{key.id}_") :].partition("<")[0]
    assert sign_in(client, text).status_code == 303
    rotated = client.post("/pages/keys", data={"action": "rotate", "id": key.id})
    assert text not in rotated.text
    assert client.get("/pages/keys").status_code == 401
    fresh = rotated.text[rotated.text.index(f"publog_{key.id}_") :].partition("<")[0]
    sign_in(client, fresh)
    assert client.post("/pages/keys", data={"action": "revoke", "id": key.id}).status_code == 303
    assert client.get("/pages/keys").status_code == 401
    assert newsroom.keys.all()[0].revoked is not None


def test_a_form_that_is_none_is_refused(client: TestClient) -> None:
    client.headers.update(FORM)
    assert client.post("/pages/publish", json={}).status_code == 415
    for content in ("%ff=1", "a=" + "b&c=" * 100, "unknown=1", "action=destroy"):
        answer = client.post(
            "/pages/publish", content=content, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert answer.status_code == 422, content

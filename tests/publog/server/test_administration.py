"""Looking after a newsroom over HTTP: the log, generations and backfills, dead letters, keys, how it is."""

import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from publog.server.newsroom import Newsroom
from publog.settings import resolve
from tests.support.newsroom import Json
from tests.support.serving import ADA, check_problem, client_of
from tests.support.streaming import until


@pytest.fixture
def own(indexed_newsroom: Newsroom, tmp_path: Path) -> Generator[TestClient]:
    """A copy of the indexed newsroom, which may be changed."""
    home = tmp_path / "home"
    shutil.copytree(indexed_newsroom.settings.home, home)
    with closing(Newsroom(resolve(home, environment={}))) as newsroom:
        yield client_of(newsroom)


def step(client: TestClient, path: str) -> Json:
    """Begin a step, wait for its end; how it ended."""
    assert client.post(path).status_code == 202
    check_problem(client.post(path), 409, "at-work")
    until(lambda: not client.get("/v1/backfill").json()["work"]["is_running"])
    return client.get("/v1/backfill").json()["work"]


def test_the_log_is_paged_without_what_is_in_its_messages(indexed: TestClient) -> None:
    last = indexed.get("/v1/log?limit=3").json()
    assert [message["offset"] for message in last["messages"]] == [5, 6, 7]
    assert (last["last_offset"], last["next"]) == (7, 8)
    first = indexed.get("/v1/log?from=0&limit=5").json()
    assert first["next"] == 5
    assert first["messages"][0].keys() == {"offset", "time", "op", "uri", "kind", "id", "tx", "bytes"}
    assert first["messages"][0]["uri"] == ADA
    assert first["messages"][4]["op"] == "unpublish"
    assert indexed.get("/v1/log?from=8").json() == {"last_offset": 7, "next": 8, "messages": []}
    assert indexed.get("/v1/log?from=100").json()["next"] == 100
    check_problem(indexed.get("/v1/log?limit=0"), 422, "invalid-parameter")


def test_the_status_says_how_it_is(indexed: TestClient, client: TestClient) -> None:
    status = indexed.get("/v1/status").json()
    assert status.pop("generation")
    expected = {"last_offset": 7, "applied_through": 7, "lag": 0, "stream_running": False, "dead_letters": 0, "held": 0}
    assert status == expected
    assert client.get("/v1/status").json()["generation"] == ""


def test_a_generation_is_built_and_removed(own: TestClient) -> None:
    (before,) = own.get("/v1/generations").json()["generations"]
    assert (before["state"], before["applied_through"]) == ("searched", 7)
    assert step(own, "/v1/backfill/start")["code"] == 0
    about = own.get("/v1/backfill").json()
    assert about["backfill"]["phase"] == "built"
    assert about["backfill"]["applied_through"] == 7
    assert [one["state"] for one in own.get("/v1/generations").json()["generations"]] == ["searched", "complete"]
    assert step(own, f"/v1/generations/{about['backfill']['generation']}/remove")["code"] == 0
    assert own.get("/v1/generations").json()["generations"] == [before]
    assert own.get("/v1/backfill").json()["backfill"] is None


@pytest.mark.parametrize(
    ("name", "why"), [("cutover", "there is no backfill to go on with"), ("rollback", "there is no former generation")]
)
def test_a_step_that_can_not_be_taken_says_why(own: TestClient, name: str, why: str) -> None:
    work = step(own, f"/v1/backfill/{name}")
    assert work["code"] not in (0, None)
    assert why in " ".join(work["lines"])
    assert why in own.get("/pages/generations", headers={"Accept": "text/html"}).text
    check_problem(own.post("/v1/backfill/destroy"), 422, "invalid-parameter")
    check_problem(own.post("/v1/generations/none/remove"), 404, "not-found")


def test_a_server_that_ends_ends_its_backfill(indexed_newsroom: Newsroom, tmp_path: Path) -> None:
    shutil.copytree(indexed_newsroom.settings.home, tmp_path / "home")
    newsroom = Newsroom(resolve(tmp_path / "home", environment={}))
    client = client_of(newsroom)
    assert client.post("/v1/backfill/start").status_code == 202
    newsroom.close()
    work = newsroom.backfill.work()
    assert work is not None
    assert not work.is_running


def test_dead_letters_are_shown_and_tried_again(own: TestClient, tmp_path: Path) -> None:
    assert own.get("/v1/dead-letters").json() == {"letters": []}
    assert own.post("/v1/dead-letters/replay").json() == {"processed": 0, "views": 0, "left": 0}
    with closing(sqlite3.connect(tmp_path / "home" / "dead-letters.sqlite")) as database, database:
        database.execute("INSERT INTO dead_letters VALUES (5, ?, 'undecodable', 'it <b>was</b> so', X'00ff')", [ADA])
    (letter,) = own.get("/v1/dead-letters").json()["letters"]
    assert (letter["offset"], letter["uri"], letter["value"]) == (5, ADA, "AP8=")
    page = own.get("/pages/dead-letters", headers={"Accept": "text/html"}).text
    assert "it &lt;b&gt;was&lt;/b&gt; so" in page
    replayed = own.post("/pages/dead-letters", headers={"Accept": "text/html"}).text
    assert "1 processed" in replayed
    assert own.get("/v1/dead-letters").json() == {"letters": []}


def test_a_replay_without_an_index_is_a_problem(client: TestClient, newsroom: Newsroom) -> None:
    with closing(sqlite3.connect(newsroom.settings.home / "dead-letters.sqlite")) as database, database:
        database.execute("INSERT INTO dead_letters VALUES (0, 'news://x/y', 'c', 'r', X'')")
    check_problem(client.post("/v1/dead-letters/replay"), 409, "unusable-job")
    page = client.post("/pages/dead-letters", headers={"Accept": "text/html"})
    assert page.status_code == 409
    assert "there is no index yet" in page.text


def test_keys_are_made_rotated_and_revoked(client: TestClient) -> None:
    made = client.post("/v1/keys", json={"scopes": ["admin", "search"]}).json()
    header = {"Authorization": f"Bearer {made['key']}"}
    (listed,) = client.get("/v1/keys", headers=header).json()["keys"]
    assert (listed["id"], listed["scopes"], listed["revoked"]) == (made["id"], ["admin", "search"], None)
    check_problem(client.post("/v1/keys", json={"scopes": ["root"]}, headers=header), 422, "invalid-parameter")
    check_problem(
        client.post("/v1/keys", json={"scopes": ["admin"], "rate": "x"}, headers=header), 422, "invalid-parameter"
    )
    for expires in ("soon", "0d", "2020-01-01T00:00:00Z"):
        wish = {"scopes": ["admin"], "expires": expires}
        check_problem(client.post("/v1/keys", json=wish, headers=header), 422, "invalid-parameter")
    slow = client.post(
        "/v1/keys", json={"scopes": ["search"], "expires": "2099-01-01T00:00:00Z", "rate": "9/hour"}, headers=header
    )
    (found,) = [one for one in client.get("/v1/keys", headers=header).json()["keys"] if one["id"] == slow.json()["id"]]
    assert (found["expires"], found["rate"], found["is_good"]) == ("2099-01-01T00:00:00Z", "9/hour", True)
    check_problem(client.post("/v1/keys", json={"scopes": []}, headers=header), 422, "invalid-parameter")
    check_problem(client.post("/v1/keys", json={"scope": "x"}, headers=header), 422, "invalid-parameter")
    check_problem(client.post("/v1/keys/none/rotate", headers=header), 404, "not-found")
    again = client.post(f"/v1/keys/{made['id']}/rotate", headers=header).json()
    check_problem(client.get("/v1/keys", headers=header), 401, "unauthorized")
    header = {"Authorization": f"Bearer {again['key']}"}
    assert client.post(f"/v1/keys/{made['id']}/revoke", headers=header).json()["revoked"]
    check_problem(client.post("/v1/keys", json={"scopes": ["search"]}, headers=header), 401, "unauthorized")

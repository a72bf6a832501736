"""Keys: what each scope opens, at every endpoint, and what no, a wrong, a revoked or a rotated key does not."""

import sqlite3
import time
from hashlib import sha256
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from publog.keys import Key, Keys
from publog.server.app import table
from publog.server.compatible import EVERY_PATH
from publog.server.metrics import Metrics
from publog.server.newsroom import Newsroom
from publog.settings import UsedWrongly
from tests.support.newsroom import Json, Shell, byline, image, lines
from tests.support.serving import check_problem, check_refused, client_of

SCOPES = ["publish", "publish:byline", "publish:image", "search", "admin"]
OPEN = {"/healthz", "/readyz", "/openapi.json", "/pages/sign-in", "/pages/sign-out", "/pages/static/{name}"}
NDJSON = {"Content-Type": "application/x-ndjson"}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def allowed(path: str, method: str, scope: str) -> bool:
    if path in OPEN:
        return True
    match path.split("/")[1:3]:
        case ["metrics"] | ["v1" | "pages", "generations" | "backfill" | "dead-letters" | "keys"]:
            return scope == "admin"
        case ["v1", "messages"]:
            return scope in ("publish", "publish:byline")
        case ["pages", "publish"] if method == "POST":
            return scope.startswith("publish")
        case ["v1" | "pages", "receipts"] | ["pages", "publish"]:
            return scope.startswith("publish") or scope == "search"
        case _:
            return scope == "search"


def ask(client: TestClient, path: str, method: str, headers: dict[str, str]) -> Json:
    body = {"json": byline("ada")} if method == "POST" else {}
    return client.request(method, path.replace("{", "").replace("}", ""), headers=headers, **body)


@pytest.mark.parametrize("is_loopback", [True, False])
@pytest.mark.parametrize("scope", SCOPES)
def test_every_scope_opens_what_it_says_and_nothing_else(newsroom: Newsroom, scope: str, is_loopback: bool) -> None:
    client = client_of(newsroom, is_loopback=is_loopback)
    key = newsroom.keys.add([scope])
    for endpoint in table(Metrics(newsroom)):
        shown = [(endpoint.shown_path, bearer(key))]
        if endpoint.manners is not None and endpoint.manners.key_parameter:
            shown.append((f"{endpoint.shown_path}?{endpoint.manners.key_parameter}={key}", {}))
        for path, headers in shown:
            answer = ask(client, path, endpoint.method, headers)
            if allowed(endpoint.path, endpoint.method, scope):
                assert answer.status_code not in (401, 403), endpoint.path
            else:
                check_refused(answer, endpoint, 403, "forbidden")
    assert newsroom.standing().last_offset == (0 if scope in ("publish", "publish:byline") else -1)


def test_without_a_key_only_this_machine_reads_and_writes_until_there_is_one(newsroom: Newsroom) -> None:
    here, beyond = client_of(newsroom), client_of(newsroom, is_loopback=False)
    assert here.post("/v1/messages", json=byline("ada")).status_code == 200
    for endpoint in table(Metrics(newsroom)):
        answer = ask(beyond, endpoint.shown_path, endpoint.method, {})
        if endpoint.path in OPEN:
            assert answer.status_code != 401
        elif endpoint is EVERY_PATH:
            check_problem(answer, 404, "not-found")
        else:
            check_refused(answer, endpoint, 401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
    newsroom.keys.add(["search"])
    check_problem(here.post("/v1/messages", json=byline("ada")), 401, "unauthorized")
    newsroom.keys.revoke(newsroom.keys.all()[0].id)
    check_problem(here.post("/v1/messages", json=byline("ada")), 401, "unauthorized")
    assert here.get("/v1/receipts/x").status_code == 404
    assert newsroom.standing().last_offset == 0


def test_a_key_that_is_none_is_refused_even_where_none_is_needed(newsroom: Newsroom, client: TestClient) -> None:
    key = newsroom.keys.add(["search", "publish"])
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    for header in (bearer(wrong), bearer("publog_x"), bearer(""), {"Authorization": f"Basic {key}"}, bearer("ä")):
        encoded = {name: value.encode() for name, value in header.items()}
        check_problem(client.get("/v1/receipts/x", headers=encoded), 401, "unauthorized")
    assert client.get("/v1/receipts/x", headers=bearer(key)).status_code == 404
    again = newsroom.keys.rotate(newsroom.keys.all()[0].id)
    check_problem(client.get("/v1/receipts/x", headers=bearer(key)), 401, "unauthorized")
    assert client.get("/v1/receipts/x", headers=bearer(again)).status_code == 404
    newsroom.keys.revoke(newsroom.keys.all()[0].id)
    check_problem(client.get("/v1/receipts/x", headers=bearer(again)), 401, "unauthorized")


def test_clients_of_other_apis_show_any_key_here_until_there_is_one(newsroom: Newsroom) -> None:
    here, beyond = client_of(newsroom), client_of(newsroom, is_loopback=False)
    path = "/svc/news/v3/content/section-list.json"
    for parameter in ("?api-key=anything", "?api-key=", ""):
        assert here.get(path + parameter).status_code == 404
        assert beyond.get(path + parameter).status_code == 401
    key = newsroom.keys.add(["search"])
    for wrong in ("anything", "", key[:-1], f"{key}x", f"Bearer {key}"):
        assert here.get(path, params={"api-key": wrong}).status_code == 401
        assert here.get("/tags", params={"api-key": wrong}).json()["message"].startswith("This is no key")
    assert here.get(path).status_code == 404
    for client in (here, beyond):
        assert client.get(path, params={"api-key": key}).status_code == 404
        assert client.get(path, params={"api-key": "x"}, headers=bearer(key)).status_code == 404
        # Our own endpoints take no key from an address, which others write down.
        answer = client.get("/v1/receipts/x", params={"api-key": key})
        assert answer.status_code == (401 if client is beyond else 422)
    newsroom.keys.revoke(newsroom.keys.all()[0].id)
    assert here.get(path, params={"api-key": key}).status_code == 401
    assert here.get(path, params={"api-key": "anything"}).status_code == 401


def test_a_key_for_one_kind_publishes_no_other(newsroom: Newsroom, client: TestClient) -> None:
    header = bearer(newsroom.keys.add(["publish:byline"]))
    problem = check_problem(client.post("/v1/messages", json=[byline("a"), image(1)], headers=header), 403, "forbidden")
    assert (problem["line"], problem["field"]) == (2, "kind")
    disguised = {**image(1), "kind": "byline"}
    check_problem(client.post("/v1/messages", json=disguised, headers=header), 422, "invalid-message")
    body = lines([byline("a"), image(1), byline("b", tx="t"), image(2, tx="t")])
    told = client.post("/v1/messages", content=body, headers={**header, **NDJSON}).json()
    assert (told["appended"], told["refused"]) == (1, 3)
    check_problem(client.post("/v1/messages?dry_run=true", json=image(1), headers=header), 403, "forbidden")
    assert newsroom.standing().last_offset == 0


def test_a_home_keeps_no_key_and_shows_its_file_to_nobody(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.sqlite")
    key = keys.add(["publish"])
    keys.close()
    kept = (tmp_path / "keys.sqlite").read_bytes()
    assert key.encode() not in kept
    assert key.rpartition("_")[2].encode() not in kept
    assert (tmp_path / "keys.sqlite").stat().st_mode & 0o077 == 0


def test_keys_are_made_listed_rotated_and_revoked_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path, capsys, monkeypatch)
    assert "no keys" in shell("keys", "list").out
    key = shell("keys", "add", "--scope", "publish:article", "--scope", "search").out.strip()
    id_ = key.split("_")[1]
    assert shell("keys", "list").out.split()[0::2] == [id_, "publish:article"]
    assert shell("keys", "rotate", id_).out.strip() != key
    shell("keys", "revoke", id_)
    assert "revoked" in shell("keys", "list").out
    (record,) = shell("keys", "list", "--json").records
    assert (record["id"], record["scopes"]) == (id_, ["publish:article", "search"])
    assert record["revoked"] >= record["created"]
    shell("keys", "rotate", id_, code=2)
    shell("keys", "revoke", id_, code=2)
    assert "use publish, publish:KIND, search, admin" in shell("keys", "add", "--scope", "root", code=2).err


def test_a_key_ends_when_it_was_to_end(newsroom: Newsroom, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time())
    with pytest.raises(UsedWrongly, match="expired already"):
        newsroom.keys.add(["search"], expires=now)
    key = newsroom.keys.add(["search"], expires=now + 100)
    assert client.get("/v1/receipts/x", headers=bearer(key)).status_code == 404
    monkeypatch.setattr("publog.keys.time.time", lambda: now + 99.5)
    assert client.get("/v1/receipts/x", headers=bearer(key)).status_code == 404
    monkeypatch.setattr("publog.keys.time.time", lambda: now + 100.0)
    check_problem(client.get("/v1/receipts/x", headers=bearer(key)), 401, "unauthorized")
    # It does not count as none: nobody else may do what needed it.
    check_problem(client.post("/v1/messages", json=byline("ada")), 401, "unauthorized")


def test_a_key_makes_as_many_requests_as_it_may(newsroom: Newsroom, client: TestClient) -> None:
    slow, other = newsroom.keys.add(["search"], rate="3/minute"), newsroom.keys.add(["search"])
    statuses = [client.get("/v1/receipts/x", headers=bearer(slow)).status_code for _ in range(5)]
    assert statuses == [404, 404, 404, 429, 429]
    refused = client.get("/v1/receipts/x", headers=bearer(slow))
    assert "3 per 1 minute" in check_problem(refused, 429, "rate-limited")["detail"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert client.get("/v1/receipts/x", headers=bearer(other)).status_code == 404
    # A refused one is not let in by showing it at another door.
    check_problem(client.get("/v1/search", headers=bearer(slow)), 429, "rate-limited")
    with pytest.raises(UsedWrongly, match="600/minute"):
        newsroom.keys.add(["search"], rate="often")


def test_keys_of_before_there_were_ends_and_rates_are_good(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "keys.sqlite") as database:
        database.execute(
            "CREATE TABLE keys (id TEXT PRIMARY KEY, hash TEXT NOT NULL, scopes TEXT NOT NULL, "
            "created INTEGER NOT NULL, revoked INTEGER) STRICT"
        )
        database.execute(
            "INSERT INTO keys VALUES ('000000000000', ?, 'search', 5, NULL)", [sha256(b"a" * 43).hexdigest()]
        )
    database.close()
    keys = Keys(tmp_path / "keys.sqlite")
    found = keys.find("publog_000000000000_" + "a" * 43)
    assert found == Key("000000000000", ("search",), 5, None)
    assert keys.find(keys.add(["admin"], rate="1/day")) is not None
    keys.close()


def test_ends_and_rates_are_said_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path, capsys, monkeypatch)
    shell("keys", "add", "--scope", "search", "--expires", "2099-01-31T00:00:00Z", "--rate", "5/second")
    assert shell("keys", "list").out.strip().endswith("search  5/second  expires 2099-01-31T00:00:00Z")
    shell("keys", "add", "--scope", "search", "--expires", "90d")
    (record,) = [one for one in shell("keys", "list", "--json").records if one["rate"] is None]
    assert record["expires"] - record["created"] in (90 * 86_400 - 1, 90 * 86_400)
    for wrong, told in (
        ("2099-01-31", "zone"),
        ("soon", "no time"),
        ("0d", "expired already"),
        ("-1d", "expired already"),
    ):
        assert told in shell("keys", "add", "--scope", "search", f"--expires={wrong}", code=2).err
    assert "no rate" in shell("keys", "add", "--scope", "search", "--rate", "x", code=2).err

"""What the index on Elasticsearch does when the server is busy, away, or answers for some documents only."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from indexers.counts import bulk_retries
from indexers.elasticsearch.calls import Action, Calls, Missing, Refused
from indexers.elasticsearch.writing import send
from indexers.errors import EngineFailed, NoGeneration, UnusableIndex
from indexers.limits import BULK_BYTES, BULKS_MAX, REQUESTS_MAX

Answer = tuple[int, Any, dict[str, str]] | None
"""Status, body and headers; None: the connection is cut after the request was read."""


class Script:
    """Answers requests one after the other, the last answer again and again; keeps what was asked."""

    def __init__(self, *answers: Answer | Callable[[bytes], Answer]) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    def answer(self, body: bytes) -> Answer:
        self.asked.append(body)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return found(body) if callable(found) else found


@contextmanager
def server(script: Script) -> Iterator[Calls]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            answer = script.answer(self.rfile.read(int(self.headers.get("content-length", 0))))
            if answer is None:
                self.close_connection = True
                return
            status, body, headers = answer
            raw = json.dumps(body).encode()
            self.send_response(status)
            known = {"x-elastic-product": "Elasticsearch", "content-type": "application/json", **headers}
            for name, value in {**known, "content-length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{http.server_address[1]}"
        calls = Calls(url, f"{url}/views")
        try:
            yield calls
        finally:
            calls.close()
            http.shutdown()
            thread.join()


def action(number: int) -> Action:
    return Action(f"{number}", b'{"index":{"_id":"%d"}}\n{}\n' % number)


def items(*statuses: int) -> Answer:
    def item(status: int) -> dict[str, Any]:
        return {"status": status} if status < 300 else {"status": status, "error": {"reason": f"it is {status}"}}

    return 200, {"items": [{"index": item(status)} for status in statuses]}, {}


def ids(body: bytes) -> list[str]:
    return [json.loads(line)["index"]["_id"] for line in body.splitlines()[::2]]


@pytest.mark.parametrize("trouble", [(429, {}, {}), (502, {}, {}), (503, {}, {}), None])
def test_who_is_busy_or_away_is_asked_again(trouble: Answer) -> None:
    script = Script(trouble, trouble, (200, {"took": 1}, {}))
    with server(script) as calls:
        assert calls.ask("POST", "/_search", {}) == {"took": 1}
    assert len(script.asked) == 3


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexers.elasticsearch.calls.CALL_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("indexers.elasticsearch.calls.BULK_PAUSE_SECONDS", 0.01)


def test_it_is_given_up_after_a_bounded_number_of_requests() -> None:
    script = Script((503, {"error": {"reason": "no shard"}}, {}))
    with server(script) as calls, pytest.raises(EngineFailed, match="503: no shard"):
        calls.ask("POST", "/_search", {})
    assert len(script.asked) == REQUESTS_MAX


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks() -> None:
    script = Script((429, {}, {"retry-after": "1"}), (200, {}, {}))
    with server(script) as calls:
        began = time.monotonic()
        calls.ask("POST", "/_search", {})
    assert time.monotonic() - began >= 1


def test_it_may_say_so_as_a_date() -> None:
    def until(_: bytes) -> Answer:
        # A date has no parts of a second.
        return 503, {}, {"retry-after": formatdate(time.time() + 2, usegmt=True)}

    with server(Script(until, (200, {}, {}))) as calls:
        began = time.monotonic()
        calls.ask("POST", "/_search", {})
    assert 1 <= time.monotonic() - began < 10


@pytest.mark.parametrize("nonsense", ["soon", "-5", "Mon, 99 Nov 2026 25:00:00 GMT", "1e400"])
def test_a_wish_that_means_nothing_is_none(nonsense: str) -> None:
    with server(Script((429, {}, {"retry-after": nonsense}), (200, {"took": 1}, {}))) as calls:
        assert calls.ask("POST", "/_search", {}) == {"took": 1}


@pytest.mark.parametrize(("status", "reason"), [(401, "does not know who asks"), (403, "does not allow")])
def test_who_may_not_is_told_what_to_set(status: int, reason: str) -> None:
    script = Script((status, {"error": {"reason": "no"}}, {}))
    with (
        server(script) as calls,
        pytest.raises(UnusableIndex, match=f"{reason}.*{status}.*PUBLOG_ELASTICSEARCH_API_KEY"),
    ):
        calls.ask("POST", "/_search", {})
    assert len(script.asked) == 1


def test_what_is_wrong_is_not_asked_again() -> None:
    script = Script((400, {"error": {"root_cause": [{"reason": "no such thing"}]}}, {}), (404, {}, {}))
    with server(script) as calls:
        with pytest.raises(Refused, match="no such thing"):
            calls.ask("POST", "/_search", {})
        with pytest.raises(Missing):
            calls.ask("POST", "/_search", {})
    assert len(script.asked) == 2


def test_only_busy_documents_are_sent_again_and_newer_ones_there_are_told() -> None:
    script = Script(items(201, 429, 409, 503), items(429, 200), items(200))
    with server(script) as calls:
        assert calls.bulk("views", [action(number) for number in range(4)]).odd == {"2": 409}
    assert [ids(body) for body in script.asked] == [["0", "1", "2", "3"], ["1", "3"], ["1"]]


def test_what_is_sent_again_is_counted_by_its_reason() -> None:
    before = Counter(bulk_retries())
    for answers in (
        ((503, {}, {}), items(200)),
        ((429, {}, {}), items(200)),
        (None, items(200)),
        (items(429), items(200)),
    ):
        with server(Script(*answers)) as calls:
            calls.bulk("views", [action(0)])
    assert Counter(bulk_retries()) - before == {"503": 1, "429": 1, "connection": 1, "items": 1}


def test_busy_documents_and_busy_servers_share_one_budget() -> None:
    script = Script((503, {}, {}), items(201, 429), items(429), items(200))
    with server(script) as calls, pytest.raises(EngineFailed, match="too busy for 1 documents"):
        calls.bulk("views", [action(0), action(1)])
    assert len(script.asked) == REQUESTS_MAX


def test_a_request_that_is_too_large_is_halved() -> None:
    def picky(body: bytes) -> Answer:
        count = len(ids(body))
        return (413, {}, {}) if count > 2 else items(*[201] * count)

    script = Script(picky)
    with server(script) as calls:
        assert calls.bulk("views", [action(number) for number in range(5)]).odd == {}
    assert sorted(id_ for body in script.asked for id_ in ids(body) if len(ids(body)) <= 2) == list("01234")


def test_one_that_is_too_large_alone_is_unfit_and_the_others_are_sent() -> None:
    def picky(body: bytes) -> Answer:
        return (413, {}, {}) if "3" in ids(body) else items(*[201] * len(ids(body)))

    script = Script(picky)
    with server(script) as calls:
        outcome = calls.bulk("views", [action(number) for number in range(8)])
    assert [one.id for one, _ in outcome.unfit] == ["3"]
    taken = [id_ for body in script.asked for id_ in ids(body) if "3" not in ids(body)]
    assert sorted(taken) == list("0124567")


def test_a_document_that_cannot_be_indexed_is_unfit_alone() -> None:
    script = Script(items(201, 400, 429), items(201))
    with server(script) as calls:
        outcome = calls.bulk("views", [action(number) for number in range(3)])
    assert [(one.id, reason) for one, reason in outcome.unfit] == [("1", "it is 400")]
    assert ids(script.asked[1]) == ["2"]


def test_so_many_requests_are_under_way_and_no_more() -> None:
    documents = [
        Action(f"{number}", b'{"index":{"_id":"%d"}}\n"%b"\n' % (number, b"x" * BULK_BYTES)) for number in range(9)
    ]
    made, answered, highest = 0, 0, 0
    busy = threading.Semaphore(BULKS_MAX)
    lock = threading.Lock()

    def actions() -> Iterator[Action]:
        nonlocal made, highest
        for one in documents:
            with lock:
                made += 1
                highest = max(highest, made - answered)
            yield one

    def slow(_: bytes) -> Answer:
        nonlocal answered
        assert busy.acquire(blocking=False), "too many at a time"
        time.sleep(0.02)
        busy.release()
        with lock:
            answered += 1
        return items(201)

    with server(Script(slow)) as calls:
        outcome = send(calls, "views", actions())
    assert (outcome.odd, outcome.unfit, answered) == ({}, [], 9)
    assert 2 <= highest <= BULKS_MAX + 3, "those under way, one that waits, and one that tells that it is full"


def test_where_one_request_fails_no_more_are_begun() -> None:
    documents = [
        Action(f"{number}", b'{"index":{"_id":"%d"}}\n"%b"\n' % (number, b"x" * BULK_BYTES)) for number in range(30)
    ]
    script = Script((400, {"error": {"reason": "no"}}, {}))
    with server(script) as calls, pytest.raises(Refused):
        send(calls, "views", documents)
    assert len(script.asked) <= 2 * BULKS_MAX


def test_an_index_that_is_gone_is_told() -> None:
    with server(Script(items(404))) as calls, pytest.raises(NoGeneration):
        calls.bulk("views", [action(0)], refresh=True)

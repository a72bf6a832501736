"""What the index on Elasticsearch does when the server is busy, away, or answers for some documents only."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from indexers.elasticsearch.calls import Action, Calls, Missing, Refused
from indexers.errors import EngineFailed, InvalidRecord, NoGeneration
from indexers.limits import CALL_ATTEMPTS_MAX

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


def test_it_is_given_up_after_a_bounded_number_of_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexers.elasticsearch.calls.CALL_PAUSE_SECONDS", 0.001)
    script = Script((503, {"error": {"reason": "no shard"}}, {}))
    with server(script) as calls, pytest.raises(EngineFailed, match="503: no shard"):
        calls.ask("POST", "/_search", {})
    assert len(script.asked) == CALL_ATTEMPTS_MAX


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks() -> None:
    script = Script((429, {}, {"retry-after": "1"}), (200, {}, {}))
    with server(script) as calls:
        began = time.monotonic()
        calls.ask("POST", "/_search", {})
    assert time.monotonic() - began >= 1


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
        assert calls.bulk("views", [action(number) for number in range(4)], refresh=True) == {"2": 409}
    assert [ids(body) for body in script.asked] == [["0", "1", "2", "3"], ["1", "3"], ["1"]]


def test_a_request_that_is_too_large_is_halved() -> None:
    def picky(body: bytes) -> Answer:
        count = len(ids(body))
        return (413, {}, {}) if count > 2 else items(*[201] * count)

    script = Script(picky)
    with server(script) as calls:
        assert calls.bulk("views", [action(number) for number in range(5)], refresh=True) == {}
    assert sorted(id_ for body in script.asked for id_ in ids(body) if len(ids(body)) <= 2) == list("01234")


def test_one_that_is_too_large_alone_is_told() -> None:
    with server(Script((413, {}, {}))) as calls, pytest.raises(EngineFailed):
        calls.bulk("views", [action(1)], refresh=True)


def test_a_document_that_cannot_be_indexed_is_named() -> None:
    with server(Script(items(201, 400))) as calls, pytest.raises(InvalidRecord, match=r"1: .*it is 400"):
        calls.bulk("views", [action(0), action(1)], refresh=True)


def test_an_index_that_is_gone_is_told() -> None:
    with server(Script(items(404))) as calls, pytest.raises(NoGeneration):
        calls.bulk("views", [action(0)], refresh=True)

"""A proxy in front of a search server that fails as a script says, over real connections."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Asked(NamedTuple):
    """One request, and what the server behind would answer to it."""

    number: int
    path: str
    headers: Mapping[str, str]
    body: bytes
    forward: Callable[[bytes], Answer]


Fault = Callable[[Asked], Answer | bytes | None]
"""What happens to a request: an answer, a beginning of one behind which the connection is cut, or a cut without any."""


class Proxy:
    def __init__(self, server: str) -> None:
        self.server = urlsplit(server)
        self.fault: Fault = passed
        self.url = ""
        self.asked: list[str] = []
        """Methods and paths of all requests since it was cleared."""
        self.lock = threading.Lock()

    def forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        connection = HTTPConnection(self.server.hostname or "", self.server.port, timeout=60)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() in {"content-type", "accept"}}
            connection.request(method, path, body, kept)
            response = connection.getresponse()
            names = ("content-type", "x-elastic-product")
            return Answer(response.status, {n: response.getheader(n, "") for n in names}, response.read())
        finally:
            connection.close()


def passed(asked: Asked) -> Answer:
    return asked.forward(asked.body)


def refused(status: int, **headers: str) -> Answer:
    body = json.dumps({"error": {"type": "script", "reason": f"the script says {status}"}, "status": status}).encode()
    known = {"content-type": "application/json", "x-elastic-product": "Elasticsearch"}
    return Answer(status, known | {name.replace("_", "-"): value for name, value in headers.items()}, body)


def begun(answer: Answer) -> bytes:
    """The first half of an answer."""
    lines = [f"HTTP/1.1 {answer.status} OK", *(f"{name}: {value}" for name, value in answer.headers.items())]
    head = "\r\n".join([*lines, f"content-length: {len(answer.body)}", "", ""]).encode()
    return head + answer.body[: len(answer.body) // 2]


@contextmanager
def faulty_proxy(server: str, tls: SSLContext | None = None) -> Iterator[Proxy]:
    proxy = Proxy(server)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            with proxy.lock:
                proxy.asked.append(f"{self.command} {self.path}")
                number = len(proxy.asked)
            given = proxy.fault(
                Asked(
                    number,
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    body,
                    lambda raw: proxy.forward(self.command, self.path, dict(self.headers), raw),
                )
            )
            if not isinstance(given, Answer):
                self.wfile.write(given or b"")
                self.close_connection = True
                return
            self.send_response(given.status)
            for name, value in {**given.headers, "content-length": str(len(given.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_one  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Who asked has gone."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        proxy.url = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}"
        try:
            yield proxy
        finally:
            http.shutdown()
            thread.join()

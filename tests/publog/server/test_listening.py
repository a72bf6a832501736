"""Connections that send slowly, read nothing or speak no HTTP."""

import json
import socket
from contextlib import closing
from threading import Event

import pytest

from publog.server.listening import Protocol
from publog.server.newsroom import Newsroom
from tests.support.serving import listening

PATIENCE = 20.0


def connect(url: str, receive_bytes: int = 65_536) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(PATIENCE)
    connection.connect((host, int(port)))
    return connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side ends, in whatever way."""
    found = b""
    try:
        while piece := connection.recv(65_536):
            found += piece
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize("begin", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_head_that_does_not_come_is_not_waited_for(
    begin: bytes, is_first: bool, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publog.server.listening.HEAD_SECONDS_MAX", 0.2)
    with listening(newsroom) as url, closing(connect(url)) as connection:
        if not is_first:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        # A byte now and then does not help; nothing at all after an answer has the bound of idle connections.
        connection.sendall(begin or b"G")
        assert b"HTTP" not in rest(connection)


def test_a_request_that_takes_its_time_is_answered(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publog.server.listening.HEAD_SECONDS_MAX", 0.1)
    newsroom.index.load([], catalog=newsroom_catalog(newsroom), applied_through=0)
    with listening(newsroom) as url, closing(connect(url)) as connection:
        connection.sendall(b"GET /v1/changes?from=5&wait=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 200")


def newsroom_catalog(newsroom: Newsroom):
    with newsroom.reading() as reader:
        return reader.catalog


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET " + b"x" * 99_000,
    ],
)
def test_what_is_no_http_gets_a_problem(sent: bytes, newsroom: Newsroom) -> None:
    with listening(newsroom) as url, closing(connect(url)) as connection:
        connection.sendall(sent)
        head, _, body = rest(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in head
    assert json.loads(body)["type"] == "urn:publog:problem:bad-request"


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no such bound")
def test_who_reads_nothing_is_left(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publog.server.listening.UNREAD_SECONDS_MAX", 0.5)
    lost = Event()
    once = Protocol.connection_lost

    def note(self: Protocol, error: Exception | None) -> None:
        once(self, error)
        lost.set()

    monkeypatch.setattr(Protocol, "connection_lost", note)
    with listening(newsroom) as url, closing(connect(url, 2_048)) as connection:
        request = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        connection.sendall(request * 500)
        assert lost.wait(PATIENCE)

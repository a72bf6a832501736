"""Clients of a search server, in a process of their own: each sends its next request when it has its answer.

    python -m bench.search_load PORT REQUESTS CLIENTS OUTPUT

REQUESTS is a JSON array of paths; OUTPUT becomes one of `[seconds, answer]`, in the same order, the answer as a digest of
what was found. Connections stay open.
"""

import selectors
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson

_READ_BYTES = 1 << 18
_END = b"\r\n\r\n"


class _Client:
    """One connection and the answer that is coming in on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = -1

    def ask(self, number: int, path: str) -> None:
        self.number, self._read, self._wanted = number, bytearray(), -1
        self._begun = perf_counter()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def answer(self) -> tuple[float, bytes] | None:
        """Seconds and body, once it is all there."""
        received = self.socket.recv(_READ_BYTES)
        if not received:
            raise ConnectionError("the server has closed the connection")
        self._read += received
        if self._wanted < 0 and (end := self._read.find(_END)) >= 0:
            status, *headers = self._read[:end].decode("latin-1").lower().split("\r\n")
            if " 200 " not in f"{status} ":
                raise ConnectionError(self._read.decode(errors="replace"))
            lengths = [line.partition(":")[2] for line in headers if line.startswith("content-length:")]
            self._wanted = end + len(_END) + int(lengths[0])
        if len(self._read) != self._wanted:
            return None
        seconds = perf_counter() - self._begun
        return seconds, bytes(self._read[self._read.find(_END) + len(_END) :])


def run(port: int, paths: Sequence[str], clients: int) -> list[tuple[float, bytes]]:
    """The seconds that each answer took, and its body."""
    found: dict[int, tuple[float, bytes]] = {}
    following = 0
    with selectors.DefaultSelector() as selector:
        opened = [_Client(port) for _ in range(min(clients, len(paths)))]
        for client in opened:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.ask(following, paths[following])
            following += 1
        while len(found) < len(paths):
            for key, _ in selector.select():
                client: _Client = key.data
                answer = client.answer()
                if answer is not None:
                    found[client.number] = answer
                    if following < len(paths):
                        client.ask(following, paths[following])
                        following += 1
        for client in opened:
            client.socket.close()
    return [found[number] for number in range(len(paths))]


def _told(body: bytes) -> dict[str, Any]:
    answer = orjson.loads(body)
    hits = [[hit["uri"], hit["version"], hit["score"]] for hit in answer["hits"]]
    return {"total": answer["total"], "hits": hits}


if __name__ == "__main__":
    _port, _requests, _clients, _output = sys.argv[1:]
    _answers = run(int(_port), orjson.loads(Path(_requests).read_bytes()), int(_clients))
    Path(_output).write_bytes(orjson.dumps([[seconds, _told(body)] for seconds, body in _answers]))

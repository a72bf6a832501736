"""The HTTP server underneath: uvicorn, with the bounds and answers that it lacks."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast
from uuid import uuid4

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from publog.server.limits import HEAD_SECONDS_MAX, UNREAD_SECONDS_MAX
from publog.server.problems import Problem


class Server(uvicorn.Server):
    """Ends what would otherwise go on for ever before it waits for what is at work."""

    def __init__(self, before_end: Callable[[], None], config: uvicorn.Config) -> None:
        super().__init__(config)
        self._before_end = before_end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_end()
        await super().shutdown(sockets)


class Protocol(H11Protocol):
    """One connection. Whoever sends a head slowly, or does not read what was sent, is left; what is no HTTP gets a problem."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()
        connection = transport.get_extra_info("socket")
        if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNREAD_SECONDS_MAX * 1000))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._let_head()

    def on_response_complete(self) -> None:
        self._let_head()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        detail = f"What was sent is no HTTP/1.1 request that can be read. ({msg})"
        answer = Problem(400, "bad-request", "This is no request", detail).response(uuid4().hex)
        headers = [*answer.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch_head(self) -> None:
        # There is none before the first request, whatever its type says.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and not cycle.response_complete:
            self._let_head()
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS_MAX, self.transport.abort)

    def _let_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

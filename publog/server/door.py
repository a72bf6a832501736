"""What every request passes first and every answer last: its id, its bounds, its line in the log."""

import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from publog.server.limits import REQUEST_ID_CHARACTERS_MAX, REQUESTS_MAX, RETRY_AFTER_SECONDS
from publog.server.metrics import Metrics
from publog.server.problems import Problem, fault
from publog.server.tracing import request

if TYPE_CHECKING:
    from publog.telemetry.spans import Tracing

access: Final = logging.getLogger("publog.access")
faults: Final = logging.getLogger("publog.fault")

_REQUEST_ID: Final = re.compile(rf"[A-Za-z0-9._\-:/+=]{{1,{REQUEST_ID_CHARACTERS_MAX}}}\Z")
_LOOPBACK_HOST: Final = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?\Z", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(/.*)?\Z", re.IGNORECASE | re.DOTALL)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass
class Exchange:
    """One request and what is known of it so far."""

    request_id: str
    route: str = "unmatched"
    """The path with its parameters in braces, so that there are few."""
    key: str | None = None
    """The id of the key that was shown."""


def misdirected() -> Problem:
    """The problem with a request for another host."""
    return Problem(
        421,
        "misdirected",
        "This is another server",
        "This server answers on this machine only, as localhost, 127.0.0.1 or [::1]; see `publog serve --host`.",
    )


def exchange_of(scope: Scope) -> Exchange:
    """What the door knows of a request."""
    return scope["publog.exchange"]


class Door:
    """Wraps the application."""

    def __init__(
        self, app: ASGIApp, elsewhere: ASGIApp, metrics: Metrics, tracing: "Tracing | None", *, is_loopback: bool
    ) -> None:
        """`elsewhere` answers what is sent as if to a proxy, for another host."""
        self._app = app
        self._elsewhere = elsewhere
        self._metrics = metrics
        self._tracing = tracing
        self._is_loopback = is_loopback
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get(b"x-request-id", "")
        exchange = Exchange(given if _REQUEST_ID.match(given) else uuid4().hex)
        # Routed by what was sent: a percent-encoded slash in a URI separates nothing.
        raw = scope.get("raw_path") or scope["path"].encode()
        host = headers.get(b"host", "")
        absolute = _ABSOLUTE.match(raw)
        if absolute:
            # The whole address, as it is sent to a proxy: its host counts, whatever the header says (RFC 9112, 3.2.2).
            host, raw = absolute[1].decode("latin-1"), absolute[2] or b"/"
        scope = {**scope, "path": raw.decode("latin-1"), "publog.exchange": exchange}
        begun = time.perf_counter()
        status = 500
        is_begun = False

        async def answer(message: Message) -> None:
            nonlocal status, is_begun
            if message["type"] == "http.response.start":
                status, is_begun = message["status"], True
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", exchange.request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._at_work += 1
        with request(self._tracing, method, headers) as answered:
            try:
                is_elsewhere = self._is_loopback and not _LOOPBACK_HOST.match(host)
                # A browser sends a page's requests this way to no server but the proxy that its user chose.
                is_asked_as_proxy = absolute is not None and scope["method"] in ("GET", "HEAD")
                problem = self._refusal(is_misdirected=is_elsewhere and not is_asked_as_proxy)
                if problem is not None:
                    await problem.response(exchange.request_id)(scope, receive, answer)
                else:
                    await (self._elsewhere if is_elsewhere else self._app)(scope, receive, answer)
            except Exception:
                if is_begun:
                    raise
                faults.exception("request %s", exchange.request_id)
                await fault().response(exchange.request_id)(scope, receive, answer)
            finally:
                self._at_work -= 1
                answered(exchange.route, status)
                self._note(scope, exchange, method, status, time.perf_counter() - begun)

    def _refusal(self, *, is_misdirected: bool) -> Problem | None:
        if self._at_work > REQUESTS_MAX:
            return Problem(
                503,
                "busy",
                "Too much at a time",
                f"{REQUESTS_MAX} requests are at work already; come again.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        # A page from elsewhere may have its name resolve to this machine: its requests carry that name.
        return misdirected() if is_misdirected else None

    def _note(self, scope: Scope, exchange: Exchange, method: str, status: int, seconds: float) -> None:
        self._metrics.answered(method, exchange.route, status, seconds)
        client = scope.get("client")
        access.info(
            "request",
            extra={
                "request_id": exchange.request_id,
                "client": client[0] if client else None,
                "method": method,
                "route": exchange.route,
                "path": scope["path"],
                "status": status,
                "milliseconds": round(seconds * 1000, 2),
                **({} if exchange.key is None else {"key": exchange.key}),
            },
        )

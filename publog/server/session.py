"""Who is signed in: a cookie that names a session, which this process alone knows the key of.

The key itself never lies in a browser. A session is worth what its key is worth at that moment: it opens nothing once
that was revoked or rotated, and it ends with this process.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from secrets import token_urlsafe
from threading import Lock
from typing import Final

from starlette.requests import Request

from publog.server.limits import SESSION_SECONDS_MAX, SESSIONS_MAX

COOKIE: Final = "publog-session"


class Sessions:
    """The sessions of one server."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._using = Lock()

    def begin(self, key: str) -> str:
        """A session for a key that is known to be one; returns what the browser shows."""
        name = token_urlsafe(32)
        with self._using:
            self._sessions[name] = key, time.monotonic() + SESSION_SECONDS_MAX
            while len(self._sessions) > SESSIONS_MAX:
                self._sessions.popitem(last=False)
        return name

    def key(self, name: str) -> str | None:
        """The key of a session; None where there is none, or none any more."""
        with self._using:
            key, end = self._sessions.get(name, (None, 0.0))
            if key is not None and time.monotonic() > end:
                del self._sessions[name]
                return None
            return key

    def end(self, name: str) -> None:
        """Forget a session, if there is one."""
        with self._using:
            self._sessions.pop(name, None)


def signed_in(sessions: Sessions, request: Request) -> Request:
    """The request as one that shows the key of the session that its cookie names, unless it shows a key by itself."""
    key = sessions.key(request.cookies.get(COOKIE, ""))
    if key is None or "authorization" in request.headers:
        return request
    headers = [*request.scope["headers"], (b"authorization", f"Bearer {key}".encode("latin-1"))]
    return Request({**request.scope, "headers": headers}, request.receive)


def cookie(request: Request, name: str) -> Mapping[str, str]:
    """The header that makes a browser keep a session, or forget it where the name is empty."""
    kept = f"{COOKIE}={name}; Path=/; HttpOnly; SameSite=Strict"
    kept += f"; Max-Age={SESSION_SECONDS_MAX if name else 0}"
    # Whoever lies about the scheme gets a cookie that it can't use.
    is_secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    return {"Set-Cookie": f"{kept}; Secure" if is_secure else kept}

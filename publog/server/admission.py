"""Who may come in: the key that a request shows, and whether it is enough."""

from typing import Any

from starlette.requests import Request

from publog.keys import Key, Keys
from publog.server.endpoints import Endpoint
from publog.server.problems import Problem


def admit(keys: Keys, request: Request, endpoint: Endpoint[Any], *, is_loopback: bool) -> Key | None:
    """The key that a request shows; None where it needs none and shows none.

    Writing needs one once there is any, and everything does beyond this machine. One that is shown must be good for it.
    Clients of other APIs always show something: on this machine, before there ever was a key, anything is good.

    Raises:
        Problem: it shows none, a wrong one, or one that does not allow this.
    """
    scopes = endpoint.scopes
    if not scopes:
        return None
    header = request.headers.get("authorization") or _in_query(request, endpoint)
    if header is not None and endpoint.manners is not None and is_loopback and not keys.any():
        return None
    if header is None:
        if is_loopback and (request.method in ("GET", "HEAD") or not keys.any()):
            return None
        raise _unknown("This needs a key; send it as `Authorization: Bearer KEY`.")
    scheme, _, text = header.partition(" ")
    key = keys.find(text.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise _unknown("This is no key, or not any more; send one as `Authorization: Bearer KEY`.")
    if not any(key.allows(scope) for scope in scopes):
        wanted = " or ".join(scopes)
        raise Problem(
            403,
            "forbidden",
            "The key does not allow this",
            f"This needs a key with the scope {wanted}.",
            known=list(scopes),
        )
    return key


def _in_query(request: Request, endpoint: Endpoint[Any]) -> str | None:
    name = None if endpoint.manners is None else endpoint.manners.key_parameter
    text = None if name is None else request.query_params.get(name)
    return None if text is None else f"Bearer {text}"


def _unknown(detail: str) -> Problem:
    headers = {"WWW-Authenticate": 'Bearer realm="publog"'}
    return Problem(401, "unauthorized", "Who is it?", detail, headers=headers)

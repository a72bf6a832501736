"""Keys over HTTP: made, listed, rotated, revoked."""

from typing import Annotated, Any, Final

import msgspec

from assets.model import rfc3339
from publog.keys import SCOPES, Key, Keys, parse_expiry
from publog.server.bodies import JSON, check_depth, media_type, receive
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.problems import NotThere, Unusable
from publog.settings import UsedWrongly


class KeyIdParameters(Parameters, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=100, description="Of a key: not a key itself.")]


class KeyWish(msgspec.Struct, forbid_unknown_fields=True):
    """What a new key is to allow."""

    scopes: Annotated[list[Annotated[str, msgspec.Meta(max_length=100)]], msgspec.Meta(min_length=1, max_length=100)]
    """publish, publish:KIND, search, admin."""
    expires: Annotated[str, msgspec.Meta(max_length=100, examples=["90d"])] | None = None
    """Days from now, as 90d, or a time, as 2027-01-31T00:00:00Z; null for never."""
    rate: Annotated[str, msgspec.Meta(max_length=100, examples=["600/minute"])] | None = None
    """Requests in a time, as 600/minute; null for what the server gives every key."""


class KeyDocument(msgspec.Struct):
    """What is known of a key."""

    id: str
    scopes: list[str]
    created: str
    """Of the last rotation."""
    revoked: str | None
    expires: str | None
    rate: str | None
    is_good: bool
    """Whether it may be used now."""


class KeyList(msgspec.Struct):
    """Every key there ever was."""

    keys: list[KeyDocument]


class NewKey(msgspec.Struct):
    """A key, which nobody can be told again."""

    id: str
    key: str


async def keys(call: Call[Any]) -> Reply:
    found = await call.in_thread(call.newsroom.keys.all)
    return Reply(KeyList([_document(key) for key in found]))


async def add(call: Call[Any]) -> Reply:
    media_type(call.request, (JSON,))
    with await receive(call.request) as spool:
        text = spool.read()
    check_depth(text)
    try:
        wish = msgspec.json.decode(text, type=KeyWish)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unusable(f"the body is not what makes a key: {error}", "scopes", list(SCOPES)) from None
    return Reply(await add_key(call, wish))


async def add_key(call: Call[Any], wish: KeyWish) -> NewKey:
    """A new key.

    Raises:
        Unusable: it can't be as it is wished.
    """
    try:
        return _new(await call.in_thread(_add, call.newsroom.keys, wish))
    except UsedWrongly as error:
        raise Unusable(str(error), "scopes", list(SCOPES)) from None


def _add(keys: Keys, wish: KeyWish) -> str:
    until = None if wish.expires is None else parse_expiry(wish.expires)
    return keys.add(wish.scopes, expires=until, rate=wish.rate)


async def rotate(call: Call[KeyIdParameters]) -> Reply:
    try:
        return Reply(_new(await call.in_thread(call.newsroom.keys.rotate, call.parameters.id)))
    except UsedWrongly:
        raise _no_key(call) from None


async def revoke(call: Call[KeyIdParameters]) -> Reply:
    id_ = call.parameters.id
    try:
        await call.in_thread(call.newsroom.keys.revoke, id_)
    except UsedWrongly:
        raise _no_key(call) from None
    found = await call.in_thread(call.newsroom.keys.all)
    return Reply(_document(next(key for key in found if key.id == id_)))


def _new(key: str) -> NewKey:
    return NewKey(key.split("_")[1], key)


def _document(key: Key) -> KeyDocument:
    created, revoked, expires = (
        None if second is None else rfc3339(second * 1_000_000) for second in (key.created, key.revoked, key.expires)
    )
    assert created is not None
    return KeyDocument(key.id, list(key.scopes), created, revoked, expires, key.rate, key.is_good)


def _no_key(call: Call[KeyIdParameters]) -> NotThere:
    return NotThere(f"there is no key {call.parameters.id} in use")


def _post(path: str, name: str, summary: str, handle: Any, answer: tuple[str, Any], parameters: Any) -> Endpoint[Any]:
    bodies = {JSON: KeyWish} if handle is add else {}
    problems = (400, 408, 413, 415) if handle is add else (404,)
    return Endpoint(
        "POST", path, name, summary, handle, {200: answer}, parameters, ("admin",), bodies=bodies, problems=problems
    )


ENDPOINTS: Final[list[Endpoint[Any]]] = [
    Endpoint(
        "GET",
        "/v1/keys",
        "keys",
        "The keys, without what opens doors",
        keys,
        {200: ("By age", KeyList)},
        Parameters,
        scopes=("admin",),
    ),
    _post("/v1/keys", "addKey", "Make a key", add, ("The key, told once", NewKey), Parameters),
    _post(
        "/v1/keys/{id}/rotate",
        "rotateKey",
        "Another secret for a key that allows the same; the former ends at once",
        rotate,
        ("The key, told once", NewKey),
        KeyIdParameters,
    ),
    _post(
        "/v1/keys/{id}/revoke",
        "revokeKey",
        "End a key, at once",
        revoke,
        ("As it is now", KeyDocument),
        KeyIdParameters,
    ),
]

"""Keys over HTTP: made, listed, rotated, revoked."""

from typing import Annotated, Any, Final

import msgspec

from assets.model import rfc3339
from publog.keys import SCOPES, Key
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


class KeyDocument(msgspec.Struct):
    """What is known of a key."""

    id: str
    scopes: list[str]
    created: str
    """Of the last rotation."""
    revoked: str | None


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
    return Reply(await add_key(call, wish.scopes))


async def add_key(call: Call[Any], scopes: list[str]) -> NewKey:
    """A new key.

    Raises:
        Unusable: a scope is none.
    """
    try:
        return _new(await call.in_thread(call.newsroom.keys.add, scopes))
    except UsedWrongly as error:
        raise Unusable(f"scopes: {error}", "scopes", list(SCOPES)) from None


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
    revoked = None if key.revoked is None else rfc3339(key.revoked * 1_000_000)
    return KeyDocument(key.id, list(key.scopes), rfc3339(key.created * 1_000_000), revoked)


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

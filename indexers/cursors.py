"""Cursors: where a page begins, as an opaque word that only fits the search it came from."""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Final

import msgspec

from indexers.errors import InvalidCursor
from indexers.limits import CURSOR_CHARACTERS_MAX
from indexers.port import Query

_DIGEST_BYTES: Final = 8


_Rank = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Score = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]


class Position(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last hit of a page; the next page begins behind it."""

    rank: _Rank
    """In the order by date (`documents.Ranks`) that the search has, or that decides between equal scores."""
    id: str
    score: _Score | None = None
    """Of searches by relevance."""
    start: _Count = 0
    """Of searches by relevance: how many hits came before the first of this score, when the page was made."""


class _Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    digest: bytes
    position: Position


def encode(query: Query, position: Position) -> str:
    """The cursor of the page behind this position."""
    packed = msgspec.msgpack.encode(_Cursor(_digest(query), position))
    return urlsafe_b64encode(packed).decode().rstrip("=")


def decode(query: Query) -> Position | None:
    """The position that a query's cursor names; None for the first page.

    Raises:
        InvalidCursor: it is damaged, or belongs to a search that differs in more than limit, facets and highlights.
    """
    text = query.cursor
    if text is None:
        return None
    if len(text) > CURSOR_CHARACTERS_MAX:
        raise InvalidCursor(f"The cursor is longer than {CURSOR_CHARACTERS_MAX} characters")
    if not text.isascii():
        raise InvalidCursor("The cursor is damaged")
    try:
        cursor = msgspec.msgpack.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Cursor)
    except (binascii.Error, UnicodeDecodeError, msgspec.MsgspecError):
        raise InvalidCursor("The cursor is damaged") from None
    if cursor.digest != _digest(query):
        raise InvalidCursor("The cursor belongs to another search")
    return cursor.position


def _digest(query: Query) -> bytes:
    shaping = (
        *(query.text, query.view, sorted(set(query.filters)), query.since, query.until),
        *(query.sort, query.fuzzy, query.date),
    )
    return hashlib.blake2b(repr(shaping).encode(errors="backslashreplace"), digest_size=_DIGEST_BYTES).digest()

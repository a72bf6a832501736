"""What the fields of a document are called on the server, and what its id is."""

import hashlib
from functools import cache
from typing import Final

from indexers.limits import DOCUMENT_ID_BYTES_MAX

ID: Final = "id"
SHELF: Final = "shelf"
"""State and view in one term, as in the embedded engine; `mark` for the documents that hold numbers."""
VERSION: Final = "version"
TIE: Final = "tie"
NEWEST: Final = "newest"
OLDEST: Final = "oldest"
DATE: Final = "date"
"""The document's date, for whoever asks by hand: seconds since 1970."""
SOURCES: Final = "sources"
RECORD: Final = "record"
"""The record's line, stored as it came."""
WORDS: Final = "words"
TITLE: Final = "title"
THROUGH: Final = "applied_through"

PLAIN: Final = frozenset({ID, SHELF, VERSION, TIE, NEWEST, OLDEST, DATE, SOURCES, RECORD})
"""The fields that a document has whatever its view's text and facets are."""

MARK: Final = "mark"
"""Shelf, and beginning of the ids, of the documents that hold numbers."""
WATERMARK_ID: Final = "#mark applied_through"
SHARE_ID: Final = "#mark share"
LOADED_ID: Final = "#mark loaded"

_TIE_MIDDLE: Final = 1 << 63


@cache
def text(path: str) -> str:
    """The field of a text path."""
    return f"text.{path}"


@cache
def facet(path: str) -> str:
    """The field of a facet path."""
    return f"facet.{path}"


@cache
def number(path: str) -> str:
    """The field of a facet's numbers and times."""
    return f"number.{path}"


@cache
def newest(path: str | None) -> str:
    """The field of the order newest first, by a facet of times or by the document's date."""
    return NEWEST if path is None else f"newest.{path}"


@cache
def oldest(path: str | None) -> str:
    """The field of the order oldest first, by a facet of times or by the document's date."""
    return OLDEST if path is None else f"oldest.{path}"


def key(id_: str) -> str:
    """The server's id of the document with this id."""
    raw = id_.encode(errors="surrogatepass")
    # No view's name begins like this.
    return id_ if len(raw) <= DOCUMENT_ID_BYTES_MAX else f"#{hashlib.blake2b(raw, digest_size=32).hexdigest()}"


def signed(tie: int) -> int:
    """A number below 2^64 as one that the server's `long` holds, in the same order."""
    return tie - _TIE_MIDDLE

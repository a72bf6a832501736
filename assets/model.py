"""The words of the log as values: URIs, messages, transactions, receipts."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from assets.errors import InvalidUri
from assets.limits import URI_ID_CHARACTERS_MAX

NEVER: Final = -1
"""The watermark of something that has seen no message, and the last offset of an empty log."""

# RFC 3986: a path's characters are unreserved, sub-delims, ":", "@", "%" and "/". Real archives have spaces inside as
# well (docs/adr/0008). None of these needs escaping in JSON.
URI_PATTERN: Final = (
    r"([a-z0-9][a-z0-9+.\-]*)://([A-Za-z_][A-Za-z0-9_]*)/((?! )[A-Za-z0-9\-._~!$&'()*+,;=:@/% ]+(?<! ))$"
)
"""What a URI of an asset looks like, as a regular expression from its beginning: scheme, kind and ID."""

_URI: Final = re.compile(URI_PATTERN.removesuffix("$") + r"\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Message(NamedTuple):
    """One record of the log: one asset published (`value` is its payload) or unpublished (`value` is None)."""

    offset: int
    uri: str
    time: int
    """When it was published: microseconds since 1970-01-01T00:00:00Z."""
    id: str
    tx: str | None
    tx_end: bool
    """Whether a transaction ends here; true for a message that stands alone."""
    value: bytes | None
    """Avro in Confluent wire format: magic 0, four bytes of schema id, the payload."""


class Entry(NamedTuple):
    """What a fold takes of a message: which asset is what from now on."""

    offset: int
    uri: str
    value: bytes | None


class Draft(NamedTuple):
    """A message on its way into the log: validated and encoded, without an offset."""

    uri: str
    time: int
    id: str
    value: bytes | None


class Transaction(NamedTuple):
    """Drafts that become visible together or not at all; `tx` is its name, if it has one."""

    tx: str | None
    drafts: Sequence[Draft]


class TraceContext(NamedTuple):
    """The trace that a message was published in, as W3C Trace Context writes it."""

    traceparent: str
    tracestate: str = ""


class Receipt(NamedTuple):
    """What a publisher gets for a message that is durable."""

    id: str
    uri: str
    offset: int


class RegisteredSchema(NamedTuple):
    """A version of a kind's schema as kept beside the log, for ever."""

    id: int
    kind: str
    version: int
    """1 for the first schema of its kind."""
    text: str
    """Avro schema, JSON."""


def check_uri(uri: str) -> str:
    """The kind of an asset's URI.

    Raises:
        InvalidUri: when it is not SCHEME://KIND/ID (DESIGN 3).
    """
    match = _URI.match(uri)
    if match is None:
        raise InvalidUri(uri, "it must be SCHEME://KIND/ID, with RFC 3986 path characters (and inner spaces) in ID")
    if len(match[3]) > URI_ID_CHARACTERS_MAX:
        raise InvalidUri(uri, f"its ID is longer than {URI_ID_CHARACTERS_MAX} characters")
    return match[2]


# The same hubs are referred to again and again.
checked_kind: Final = lru_cache(maxsize=65_536)(check_uri)


def kind_of(uri: str) -> str:
    """The kind in a URI that is known to be well formed."""
    return uri.split("/", 3)[2]


def microseconds(time: datetime) -> int:
    """An aware datetime as microseconds since the epoch."""
    return (time - _EPOCH) // _MICROSECOND


def rfc3339(time: int) -> str:
    """Microseconds since the epoch as RFC 3339 text in UTC, with a fraction only where there is one.

    What is in no year from 1 to 9999, as the gateway lets none in but a log may hold, is told as it is.
    """
    try:
        text = (_EPOCH + time * _MICROSECOND).isoformat()
    except OverflowError:
        return f"{time} microseconds after 1970-01-01T00:00:00Z"
    return text.replace("+00:00", "Z")

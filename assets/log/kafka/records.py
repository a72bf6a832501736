"""A message as a record of the topic, and back: key, value and headers as DESIGN 3 says. No client in here.

The headers are CloudEvents' names in the Kafka protocol binding, its distributed tracing extension among them, and three
of our own: the transaction's name, whether
it ends here, and the time where RFC 3339 can't say it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from assets.errors import CorruptLog
from assets.model import Draft, Entry, Message, RegisteredSchema, TraceContext, Transaction, microseconds, rfc3339

Headers = list[tuple[str, str | bytes | None]]

_SPECVERSION: Final = ("ce_specversion", b"1.0")
_PUBLISHED: Final = ("ce_type", b"publog.published")
_UNPUBLISHED: Final = ("ce_type", b"publog.unpublished")
_TX_END: Final = ("publog_tx_end", b"1")
_TX_GOES_ON: Final = ("publog_tx_end", b"0")
_TIME: Final = "publog_time"

SCHEMA_KEY: Final = b"schema"
CATALOG_KEY: Final = b"catalog"


class Record(NamedTuple):
    """What is produced."""

    key: bytes
    value: bytes | None
    headers: Headers


class Catalog(NamedTuple):
    """The files of a catalog, and their digest."""

    digest: str
    files: Mapping[str, str]


def records_of(
    transactions: Sequence[Transaction], source: str, trace: TraceContext | None = None
) -> Iterator[tuple[Draft, str | None, bool, Record]]:
    """Each draft with its transaction's name, whether it is the last one, and its record."""
    traced = _trace_headers(trace)
    for tx, drafts in transactions:
        for number, draft in enumerate(drafts, 1):
            end = number == len(drafts)
            yield draft, tx, end, _record(draft, tx, source, traced, end=end)


def messages_of(records: Sequence[Any]) -> list[Message]:
    """The messages of records as the client gives them.

    Raises:
        CorruptLog: one is none of ours.
    """
    return [message_of(record.offset(), record.key(), record.value(), record.headers()) for record in records]


def entries_of(records: Sequence[Any]) -> list[Entry]:
    """As `messages_of`, without what only headers say: to take them apart costs more than all the rest.

    Raises:
        CorruptLog: one is none of ours, by its key already.
    """
    try:
        return [Entry(record.offset(), _uri(record.key()), record.value()) for record in records]
    except (TypeError, ValueError):
        return [Entry(message.offset, message.uri, message.value) for message in messages_of(records)]


def _uri(key: bytes) -> str:
    if b"://" not in key:
        raise ValueError(key)
    return key.decode()


def message_of(
    offset: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, Any]] | None
) -> Message:
    """The message of a record.

    Raises:
        CorruptLog: it is none of ours.
    """
    found = dict(headers or ())
    try:
        assert key is not None
        tx = found.get("publog_tx")
        return Message(
            offset,
            key.decode(),
            _time(found),
            found["ce_id"].decode(),
            None if tx is None else tx.decode(),
            found["publog_tx_end"] == b"1",
            value,
        )
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CorruptLog(f"the record at offset {offset} is no message of publog: {error!r}") from error


def trace_of(headers: Sequence[tuple[str, Any]] | None) -> TraceContext | None:
    """The trace that a record carries; None for one that carries none, or none that can be read."""
    found = dict(headers or ())
    parent, state = found.get("ce_traceparent"), found.get("ce_tracestate") or b""
    if parent is None:
        return None
    return TraceContext(parent.decode(errors="replace"), state.decode(errors="replace"))


def schema_record(schema: RegisteredSchema) -> Record:
    return Record(SCHEMA_KEY, orjson.dumps(schema._asdict()), [])


def catalog_record(catalog: Catalog) -> Record:
    return Record(CATALOG_KEY, orjson.dumps({"digest": catalog.digest, "files": dict(catalog.files)}), [])


def control_of(offset: int, key: bytes | None, value: bytes | None) -> RegisteredSchema | Catalog:
    """What a record beside the log registers.

    Raises:
        CorruptLog: it is none of ours.
    """
    try:
        fields = orjson.loads(value or b"")
        if key == SCHEMA_KEY:
            return RegisteredSchema(fields["id"], fields["kind"], fields["version"], fields["text"])
        if key == CATALOG_KEY:
            return Catalog(fields["digest"], fields["files"])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptLog(f"the record at offset {offset} beside the log can't be read: {error!r}") from error
    raise CorruptLog(f"the record at offset {offset} beside the log is neither schema nor catalog: {key!r}")


def _record(draft: Draft, tx: str | None, source: str, traced: Headers, *, end: bool) -> Record:
    headers: Headers = [
        _SPECVERSION,
        ("ce_id", draft.id.encode()),
        ("ce_source", source),
        _UNPUBLISHED if draft.value is None else _PUBLISHED,
        _time_header(draft.time),
        _TX_END if end else _TX_GOES_ON,
    ]
    if tx is not None:
        headers.append(("publog_tx", tx.encode()))
    headers += traced
    return Record(draft.uri.encode(), draft.value, headers)


def _trace_headers(trace: TraceContext | None) -> Headers:
    if trace is None:
        return []
    headers: Headers = [("ce_traceparent", trace.traceparent.encode())]
    return [*headers, ("ce_tracestate", trace.tracestate.encode())] if trace.tracestate else headers


def _time_header(time: int) -> tuple[str, bytes]:
    text = rfc3339(time)
    # What is in no year from 1 to 9999 has no RFC 3339.
    return ("ce_time", text.encode()) if text.endswith("Z") and " " not in text else (_TIME, str(time).encode())


def _time(headers: Mapping[str, Any]) -> int:
    text = headers.get("ce_time")
    return int(headers[_TIME]) if text is None else microseconds(datetime.fromisoformat(text.decode()))

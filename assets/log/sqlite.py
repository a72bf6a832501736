"""The embedded log: one SQLite file, shared by the threads and processes of one machine."""

import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import islice
from pathlib import Path
from threading import Condition
from time import monotonic
from typing import Any, Final

import orjson

from assets.errors import AssetsError, CorruptLog
from assets.limits import FOLLOW_POLL_SECONDS, LOG_PROBLEMS_MAX, READ_MESSAGES, WAL_BYTES
from assets.log.checks import problems_in
from assets.log.sqlite_file import (
    PAGE_BYTES,
    begin,
    commit,
    explained,
    missing_from_schema,
    open_reader,
    open_writer,
    roll_back,
)
from assets.model import NEVER, Entry, Message, Receipt, RegisteredSchema, TraceContext, Transaction

_Row = tuple[int, str, int, str, str | None, int, bytes | None]

_LAST: Final = "SELECT coalesce(max(offset), -1) FROM messages"
# OR ROLLBACK for the reason that the triggers have.
_APPEND: Final = "INSERT OR ROLLBACK INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)"
_READ: Final = "SELECT * FROM messages WHERE offset BETWEEN ? AND ? ORDER BY offset"
_READ_ENTRIES: Final = "SELECT offset, uri, value FROM messages WHERE offset BETWEEN ? AND ? ORDER BY offset"
_HISTORY: Final = "SELECT * FROM messages WHERE uri = ? AND offset <= ? ORDER BY offset DESC LIMIT ?"
# One statement for any number of keys: a statement for each takes two to six times as long.
_RECEIPTS: Final = """SELECT messages.id, messages.uri, messages.offset
FROM json_each(?) AS wanted CROSS JOIN messages ON messages.id = wanted.value"""
_LATEST: Final = """SELECT wanted.value, (SELECT max(offset) FROM messages WHERE uri = wanted.value) AS latest
FROM json_each(?) AS wanted WHERE latest IS NOT NULL"""
_PUBLISHED: Final = """SELECT wanted.value FROM json_each(?) AS wanted
WHERE EXISTS (SELECT 1 FROM messages WHERE messages.uri = wanted.value AND messages.value IS NOT NULL)"""
# No index on time: the scan from the end passes 2,500,000 messages a second, and whoever asks reads the log up to the
# answer, which takes far longer.
_OFFSET_AT: Final = "SELECT offset FROM messages WHERE time <= ? ORDER BY offset DESC LIMIT 1"
# Beside the messages, made with the first trace: a log that has none is as it always was, and so is reading messages.
_MAKE_TRACES: Final = """CREATE TABLE IF NOT EXISTS traces (
    offset INTEGER PRIMARY KEY,
    traceparent TEXT NOT NULL,
    tracestate TEXT NOT NULL
) STRICT"""
_HAS_TRACES: Final = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'traces')"
_TRACE: Final = "INSERT OR ROLLBACK INTO traces VALUES (?, ?, ?)"
_TRACES: Final = "SELECT offset, traceparent, tracestate FROM traces WHERE offset BETWEEN ? AND ?"
_SCHEMAS: Final = "SELECT * FROM schemas ORDER BY id"
_CATALOG: Final = "SELECT * FROM catalogs ORDER BY number DESC LIMIT 1"

# What an append adds to the write-ahead log, roughly: a commit the last pages of the table and its indexes, a message
# its value and its share of the index pages that it shares with others.
_WAL_BYTES_PER_COMMIT: Final = 3 * PAGE_BYTES
_WAL_BYTES_PER_MESSAGE: Final = 1_024


class SqliteLog:
    """A log in one file (with its -wal and -shm beside it while it is open).

    It has two connections, so that `read` never sees what `writing()` has not committed.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        # Not resolved: SQLite follows links by itself. And never opened by other means: to close a second handle on the
        # file drops all locks that this process has on it (https://sqlite.org/howtocorrupt.html, 2.2).
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute leaves `..` in it
        self._reader = open_reader(self._path, create=create)
        self._writer: sqlite3.Connection | None = None
        self._next: int | None = None
        """The offset that the next message gets; None outside `writing()`."""
        self._failure: BaseException | None = None
        """Why what is written inside the present `writing()` is void."""
        self._wal_bytes = 0
        self._appended = Condition()

    @property
    def url(self) -> str:
        return f"sqlite:{self._path}"

    @property
    def contiguous(self) -> bool:
        return True

    @contextmanager
    def writing(self) -> Generator[None]:
        if self._wal_bytes > WAL_BYTES:
            self._move_wal()
        with self._transaction() as writer:
            with self._explained():
                self._next = _number(writer, _LAST) + 1
            self._failure = None
            try:
                yield
            finally:
                self._next = None
            if self._failure is not None:
                raise self._failure
        with self._appended:
            self._appended.notify_all()

    def append(self, transactions: Iterable[Transaction], trace: TraceContext | None = None) -> list[Receipt]:
        if self._next is None or self._writer is None:
            raise RuntimeError("append works only inside writing()")
        # SQLite may have rolled back by itself: what came now would be in no transaction at all.
        if self._failure is not None:
            raise self._failure
        try:
            rows = list(_rows(self._next, transactions))
            with self._explained():
                self._writer.executemany(_APPEND, rows)
                if trace is not None:
                    self._writer.execute(_MAKE_TRACES)
                    self._writer.executemany(_TRACE, ((row[0], *trace) for row in rows))
        except BaseException as error:
            self._failure = error
            raise
        self._next += len(rows)
        self._wal_bytes += _WAL_BYTES_PER_COMMIT + sum(_WAL_BYTES_PER_MESSAGE + len(row[6] or b"") for row in rows)
        return [Receipt(row[3], row[1], row[0]) for row in rows]

    def receipts(self, ids: Sequence[str]) -> Mapping[str, Receipt]:
        return {row[0]: Receipt(*row) for row in self._look_up(_RECEIPTS, ids)}

    def latest(self, uris: Sequence[str]) -> Mapping[str, int]:
        return dict(self._look_up(_LATEST, uris))

    def published(self, uris: Sequence[str]) -> set[str]:
        return {uri for (uri,) in self._look_up(_PUBLISHED, uris)}

    def last_offset(self) -> int:
        with self._explained():
            return _number(self._reader, _LAST)

    def count(self, start: int = 0, last: int | None = None) -> int:
        end = self.last_offset()
        return max((end if last is None else min(last, end)) - max(start, 0) + 1, 0)

    def read(self, start: int = 0, last: int | None = None) -> Iterator[Message]:
        end = self.last_offset()
        return self._read(max(start, 0), end if last is None else min(last, end))

    def entries(self, start: int = 0, last: int | None = None) -> Iterator[Entry]:
        end = self.last_offset()
        return self._entries(max(start, 0), end if last is None else min(last, end))

    def traces(self, start: int, last: int) -> Mapping[int, TraceContext]:
        with self._explained():
            if not _number(self._reader, _HAS_TRACES):
                return {}
            rows = self._reader.execute(_TRACES, (start, last)).fetchall()
        return {offset: TraceContext(*context) for offset, *context in rows}

    def history(self, uri: str, last: int | None = None) -> Iterator[Message]:
        return self._history(uri, self.last_offset() if last is None else last)

    def offset_at(self, time: int) -> int:
        with self._explained():
            found = self._reader.execute(_OFFSET_AT, (time,)).fetchone()
        return NEVER if found is None else found[0]

    def wait_past(self, offset: int, timeout_seconds: float) -> int:
        """Wakes at once for what is appended through this instance, at the next poll for what comes from others."""
        end = monotonic() + timeout_seconds
        with self._appended:
            while (last := self.last_offset()) <= offset and (left := end - monotonic()) > 0:
                self._appended.wait(min(left, FOLLOW_POLL_SECONDS))
        return last

    def register_schema(self, kind: str, text: str) -> RegisteredSchema:
        # Most often it is there, and nobody has to wait for a turn to write.
        return _find_schema(self.schemas(), kind, text) or self._add_schema(kind, text)

    def schemas(self) -> Sequence[RegisteredSchema]:
        with self._explained():
            return _read_schemas(self._reader)

    def save_catalog(self, digest: str, files: Mapping[str, str]) -> None:
        text = orjson.dumps(dict(files), option=orjson.OPT_SORT_KEYS).decode()
        with self._transaction() as writer, self._explained():
            present = writer.execute(_CATALOG).fetchone() or (0, None, None)
            if present[1:] != (digest, text):
                writer.execute("INSERT INTO catalogs VALUES (?, ?, ?)", (present[0] + 1, digest, text))

    def catalog_files(self) -> Mapping[str, str] | None:
        with self._explained():
            found = self._reader.execute(_CATALOG).fetchone()
        return None if found is None else orjson.loads(found[2])

    def verify(self) -> Sequence[str]:
        return list(islice(self._problems(), LOG_PROBLEMS_MAX))

    def close(self) -> None:
        if self._writer is not None:
            # Nothing needs it: what was appended is durable where it is.
            with suppress(AssetsError):
                self._move_wal(patiently=False)
            self._writer.close()
            self._writer = None
        self._reader.close()

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._path)

    # ------------------------------------------------------------------------------------------------------ reading

    def _read(self, start: int, last: int) -> Iterator[Message]:
        for rows in self._rows(_READ, start, last):
            offsets, uris, times, ids, txs, ends, values = zip(*rows, strict=True)
            yield from map(Message._make, zip(offsets, uris, times, ids, txs, map(bool, ends), values, strict=True))

    def _entries(self, start: int, last: int) -> Iterator[Entry]:
        for rows in self._rows(_READ_ENTRIES, start, last):
            yield from map(Entry._make, rows)

    def _rows(self, statement: str, start: int, last: int) -> Iterator[list[Any]]:
        # No read transaction stays open between two chunks, however slow the consumer is: it would keep the write-ahead
        # log from starting again. Small chunks stay in the processor's cache: a scan passes 1,000,000 messages a second
        # in chunks of 256, 600,000 in chunks of 4,096.
        while start <= last:
            stop = min(start + READ_MESSAGES, last + 1)
            with self._explained():
                rows = self._reader.execute(statement, (start, stop - 1)).fetchall()
            if len(rows) != stop - start:
                raise CorruptLog(f"{self._path}: messages are missing between offsets {start} and {stop - 1}")
            if [row[0] for row in rows] != list(range(start, stop)):
                raise CorruptLog(f"{self._path}: messages are out of order between offsets {start} and {stop - 1}")
            yield rows
            start = stop

    def _history(self, uri: str, last: int) -> Iterator[Message]:
        while last >= 0:
            with self._explained():
                rows = self._reader.execute(_HISTORY, (uri, last, READ_MESSAGES)).fetchall()
            yield from (Message._make((*front, bool(tx_end), value)) for *front, tx_end, value in rows)
            last = rows[-1][0] - 1 if len(rows) == READ_MESSAGES else NEVER

    def _look_up(self, statement: str, keys: Sequence[str]) -> list[Any]:
        connection = self._reader if self._next is None else self._writer
        assert connection is not None
        with self._explained():
            return connection.execute(statement, (orjson.dumps(list(keys)).decode(),)).fetchall()

    def _problems(self) -> Iterator[str]:
        try:
            with self._explained():
                # One read transaction as long as it takes: the write-ahead log grows meanwhile.
                found = self._reader.execute(f"PRAGMA integrity_check({LOG_PROBLEMS_MAX})").fetchall()
                yield from (f"{self._path}: {line}." for (line,) in found if line != "ok")
                for line in missing_from_schema(self._reader):
                    yield f"{self._path} has not, or not as it was made: {line}."
            schemas = self.schemas()
            yield from _schema_problems(schemas)
            self.catalog_files()
            yield from problems_in(self.read(), {schema.id: schema.kind for schema in schemas})
        except AssetsError as error:
            yield f"{error}."
        except orjson.JSONDecodeError as error:
            yield f"{self._path}: the catalog can't be read: {error}."

    # ------------------------------------------------------------------------------------------------------ writing

    @contextmanager
    def _transaction(self, *, patiently: bool = True) -> Generator[sqlite3.Connection]:
        """The writer's connection, with all other writers kept out: committed at the end, or nothing of it is."""
        if self._next is not None:
            raise RuntimeError("not inside writing()")
        with self._explained():
            writer = self._open_writer()
            begin(writer, patiently=patiently)
        try:
            yield writer
            with self._explained():
                commit(writer)
        except BaseException:
            roll_back(writer)
            raise

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = open_writer(self._path)
            with suppress(FileNotFoundError):
                # Killed writers may have left it long.
                self._wal_bytes = Path(f"{self._path}-wal").stat().st_size
        return self._writer

    def _move_wal(self, *, patiently: bool = True) -> None:
        """Move the write-ahead log into the database, so that it starts again: a checkpoint, with all writers kept out.

        SQLite's own checkpoints run while others write, and in every version before 3.51.3 can so lose what was
        committed (https://sqlite.org/wal.html#walresetbug). None of our connections makes one, but for the last to be
        closed, which has the file for itself.
        """
        with self._transaction(patiently=patiently), self._explained():
            self._reader.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._wal_bytes = 0

    def _add_schema(self, kind: str, text: str) -> RegisteredSchema:
        with self._transaction() as writer, self._explained():
            schemas = _read_schemas(writer)
            found = _find_schema(schemas, kind, text)
            if found is None:
                version = 1 + sum(schema.kind == kind for schema in schemas)
                found = RegisteredSchema(len(schemas) + 1, kind, version, text)
                writer.execute("INSERT INTO schemas VALUES (?, ?, ?, ?)", found)
        return found


def _number(connection: sqlite3.Connection, statement: str) -> int:
    (number,) = connection.execute(statement).fetchone()
    return number


def _rows(offset: int, transactions: Iterable[Transaction]) -> Iterator[_Row]:
    for tx, drafts in transactions:
        end = offset + len(drafts) - 1
        for uri, time, id_, value in drafts:
            yield offset, uri, time, id_, tx, 1 if offset == end else 0, value
            offset += 1


def _read_schemas(connection: sqlite3.Connection) -> list[RegisteredSchema]:
    return [RegisteredSchema(*row) for row in connection.execute(_SCHEMAS)]


def _find_schema(schemas: Iterable[RegisteredSchema], kind: str, text: str) -> RegisteredSchema | None:
    return next((schema for schema in schemas if (schema.kind, schema.text) == (kind, text)), None)


def _schema_problems(schemas: Sequence[RegisteredSchema]) -> Iterator[str]:
    versions: dict[str, int] = {}
    for number, schema in enumerate(schemas, 1):
        versions[schema.kind] = versions.get(schema.kind, 0) + 1
        if (schema.id, schema.version) != (number, versions[schema.kind]):
            yield f"schema {schema.id} (version {schema.version} of {schema.kind}) is not the next one."

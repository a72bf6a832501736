"""What the topic can't be asked: where an id, an asset and a time are. One SQLite file, a cache of one topic.

It is named by the topic's own id, so it never speaks of another topic, and says up to where it reflects its own. Lost,
damaged or behind, it is made again from the topic.
"""

import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import orjson

from assets.errors import CorruptLog, LogBusy, UnusableLog
from assets.limits import WRITER_WAIT_SECONDS_MAX
from assets.model import NEVER, Message, Receipt

_FORMAT: Final = 2
"""As the schema sets it."""

_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS messages (
    offset INTEGER PRIMARY KEY,
    uri TEXT NOT NULL,
    time INTEGER NOT NULL,
    id TEXT NOT NULL,
    published INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_uri ON messages (uri);
CREATE UNIQUE INDEX IF NOT EXISTS messages_by_id ON messages (id);
CREATE TABLE IF NOT EXISTS reflects (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL,
    messages INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO reflects VALUES (1, 0, 0);
PRAGMA user_version = 2;
COMMIT;
"""
_POSITION: Final = "SELECT position FROM reflects"
_ADD: Final = "INSERT INTO messages VALUES (?, ?, ?, ?, ?)"
_RECEIPTS: Final = """SELECT messages.id, messages.uri, messages.offset
FROM json_each(?) AS wanted CROSS JOIN messages ON messages.id = wanted.value"""
_LATEST: Final = """SELECT wanted.value, (SELECT max(offset) FROM messages WHERE uri = wanted.value) AS latest
FROM json_each(?) AS wanted WHERE latest IS NOT NULL"""
_PUBLISHED: Final = """SELECT wanted.value FROM json_each(?) AS wanted
WHERE EXISTS (SELECT 1 FROM messages WHERE messages.uri = wanted.value AND messages.published)"""
_HISTORY: Final = "SELECT offset FROM messages WHERE uri = ? AND offset <= ? ORDER BY offset DESC LIMIT ?"
_OFFSET_AT: Final = "SELECT offset FROM messages WHERE time <= ? ORDER BY offset DESC LIMIT 1"
_ALL: Final = "SELECT messages FROM reflects"
_COUNT: Final = "SELECT count(*) FROM messages WHERE offset BETWEEN ? AND ?"
_OFFSET_MAX: Final = 2**63 - 1


class Index:
    """The index of one topic; several, in several processes, may share the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnusableLog(f"the index beside the log has no folder {path.parent}: {error.strerror}") from error
        try:
            self._connection = _open(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise UnusableLog(f"the index beside the log, {path}, can't be opened: {error}") from error
            # It is a cache: what is damaged is made again.
            for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
                name.unlink(missing_ok=True)
            self._connection = _open(path)

    def position(self) -> int:
        """The offset behind what it reflects."""
        with self._explained():
            return _number(self._connection, _POSITION)

    @contextmanager
    def adding(self) -> Generator[int]:
        """Hold it for additions, and kept whole or not at all; gives the position."""
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield _number(self._connection, _POSITION)
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def add(self, messages: Iterable[Message], position: int) -> None:
        """Inside `adding()`: these messages, after which it reflects everything before `position`.

        Raises:
            CorruptLog: an id is in the topic twice.
        """
        rows = ((entry.offset, entry.uri, entry.time, entry.id, entry.value is not None) for entry in messages)
        try:
            added = self._connection.executemany(_ADD, rows).rowcount
        except sqlite3.IntegrityError as error:
            raise CorruptLog(f"an id is in the log twice, so another program wrote into it: {error}") from error
        self._connection.execute("UPDATE reflects SET position = ?, messages = messages + ?", (position, max(added, 0)))

    def receipts(self, ids: Sequence[str]) -> Mapping[str, Receipt]:
        return {row[0]: Receipt(*row) for row in self._look_up(_RECEIPTS, ids)}

    def latest(self, uris: Sequence[str]) -> dict[str, int]:
        return dict(self._look_up(_LATEST, uris))

    def published(self, uris: Sequence[str]) -> set[str]:
        return {uri for (uri,) in self._look_up(_PUBLISHED, uris)}

    def history(self, uri: str, last: int, count: int) -> list[int]:
        """The offsets of so many of an asset's messages up to `last`, newest first."""
        with self._explained():
            return [offset for (offset,) in self._connection.execute(_HISTORY, (uri, last, count))]

    def offset_at(self, time: int) -> int:
        with self._explained():
            found = self._connection.execute(_OFFSET_AT, (time,)).fetchone()
        return NEVER if found is None else found[0]

    def count(self, first: int, last: int) -> int:
        """How many messages there are from one offset to another; of the whole log it need not count them."""
        with self._explained():
            if first > 0:
                return _number(self._connection, _COUNT, first, last)
            return _number(self._connection, _ALL) - _number(self._connection, _COUNT, last + 1, _OFFSET_MAX)

    def found(self, last: int) -> int:
        """How many messages it has up to an offset, each of them counted."""
        with self._explained():
            return _number(self._connection, _COUNT, 0, last)

    def close(self) -> None:
        self._connection.close()

    def _look_up(self, statement: str, keys: Sequence[str]) -> list[Any]:
        with self._explained():
            return self._connection.execute(statement, (orjson.dumps(list(keys)).decode(),)).fetchall()

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise LogBusy(f"another process has held {self._path} for too long; try again") from error
            raise UnusableLog(
                f"the index beside the log, {self._path}, can't be used ({error}): see to its disk,"
                " or remove it, and it is made again from the log"
            ) from error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=WRITER_WAIT_SECONDS_MAX, isolation_level=None, check_same_thread=False)
    try:
        # After a loss of power it may be behind, never torn.
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;")
        match _number(connection, "PRAGMA user_version"):
            case 0:
                connection.executescript(_SCHEMA)
            case other if other != _FORMAT:
                raise sqlite3.DatabaseError(f"format {other}")
            case _:
                pass
    except BaseException:
        connection.close()
        raise
    return connection


def _number(connection: sqlite3.Connection, statement: str, *values: int) -> int:
    (number,) = connection.execute(statement, values).fetchone()
    return number

"""The embedded log's file: what is in it, how it is made and opened, and what its errors mean.

It is append-only by its own triggers, whatever program opens it: no update, no delete, no offset but the next one.
"""

import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import uniform
from stat import S_ISREG
from time import monotonic, sleep
from typing import Any, Final

from assets.errors import AssetsError, CorruptLog, InvalidMessage, LogBusy, UnusableLog
from assets.limits import WRITER_RETRY_SECONDS_MAX, WRITER_WAIT_SECONDS_MAX

PAGE_BYTES: Final = 16 * 1024
"""Appending 200,000 messages of 700 bytes, 4,096 at a time, their ids in order and their URIs not, takes 7.1
microseconds of processor time a message with pages of 16 KiB, 8.6 with 8 KiB, 10.9 with 4 KiB; with random ids 9.5,
10.3 and 12.8. At 1.5 million messages 16 KiB is still ahead. One message alone takes 0.4 ms with any of them."""

_CACHE_KIB: Final = 64 * 1024
"""For the writer, whose indexes are hit all over: with 2 MiB an append takes a fifth more processor time. Readers keep
SQLite's 2 MiB: with 64 MiB a scan takes a tenth longer, with mmap_size a fifth."""

_APPLICATION_ID: Final = int.from_bytes(b"publ", "big")
_FORMAT: Final = 1
_SQLITE_NEEDED: Final = (3, 37)
"""The first with STRICT tables."""

_SQLITE_BYTES_MIN: Final = 512
"""The smallest page, and so the smallest database."""

_ID_TAKEN: Final = "append-only: this id is in the log already"
"""As the trigger below says it."""

# An append must leave the rest alone under every conflict clause. `INSERT OR REPLACE` deletes the rows it collides with
# and fires no delete trigger (unless recursive_triggers is on), so the check comes before the insert.
# It raises ROLLBACK, not ABORT: for a statement that might abort halfway SQLite keeps copies of the pages it touches,
# which costs 2 of 10 microseconds a message. A transaction with a wrong offset in it has nothing worth keeping.
# The columns of messages are the fields of a Message, in their order.
_SCHEMA: Final = (
    """CREATE TABLE messages (
    offset INTEGER PRIMARY KEY,
    uri TEXT NOT NULL,
    time INTEGER NOT NULL,
    id TEXT NOT NULL,
    tx TEXT,
    tx_end INTEGER NOT NULL CHECK (tx_end IN (0, 1)),
    value BLOB
) STRICT""",
    "CREATE INDEX messages_by_uri ON messages (uri)",
    "CREATE UNIQUE INDEX messages_by_id ON messages (id)",
    """CREATE TRIGGER messages_append_only BEFORE INSERT ON messages
WHEN new.offset IS NOT (SELECT coalesce(max(offset), -1) + 1 FROM messages)
    OR EXISTS (SELECT 1 FROM messages WHERE id = new.id)
BEGIN
    SELECT CASE WHEN EXISTS (SELECT 1 FROM messages WHERE id = new.id)
        THEN raise(ROLLBACK, 'append-only: this id is in the log already')
        ELSE raise(ROLLBACK, 'append-only: an offset must be the one after the last')
    END;
END""",
    """CREATE TABLE schemas (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT""",
    """CREATE TRIGGER schemas_append_only BEFORE INSERT ON schemas
WHEN new.id IS NOT (SELECT count(*) + 1 FROM schemas)
    OR new.version IS NOT (SELECT count(*) + 1 FROM schemas WHERE kind = new.kind)
    OR EXISTS (SELECT 1 FROM schemas WHERE kind = new.kind AND text = new.text)
BEGIN
    SELECT raise(ROLLBACK, 'append-only: a schema must be new, with the next id and the next version of its kind');
END""",
    """CREATE TABLE catalogs (
    number INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    files TEXT NOT NULL
) STRICT""",
    """CREATE TRIGGER catalogs_append_only BEFORE INSERT ON catalogs
WHEN new.number IS NOT (SELECT count(*) + 1 FROM catalogs)
BEGIN
    SELECT raise(ROLLBACK, 'append-only: a catalog must have the next number');
END""",
    *(
        f"""CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table}
BEGIN
    SELECT raise(ABORT, 'append-only: no {event.lower()} of {table}');
END"""
        for table in ("messages", "schemas", "catalogs")
        for event in ("UPDATE", "DELETE")
    ),
)


def open_reader(path: Path, *, create: bool) -> sqlite3.Connection:
    """A connection that only reads; the log is made first where there is none and `create` says so.

    Raises:
        UnusableLog: there is none, or something else is there.
        LogBusy: another process keeps it locked.
    """
    _check_place(path, create=create)
    with _connected(path) as connection:
        # SQLite does not wait by itself when two make a log at once.
        _when_free(connection, lambda: _check_content(connection, path, create=create), WRITER_WAIT_SECONDS_MAX)
        connection.execute("PRAGMA query_only = ON")
    return connection


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection that writes to a log which is there."""
    with _connected(path) as connection:
        connection.executescript(f"PRAGMA cache_size = -{_CACHE_KIB}; PRAGMA busy_timeout = 0;")  # `begin` waits
    return connection


def begin(connection: sqlite3.Connection, *, patiently: bool = True) -> None:
    """Begin a transaction with all other writers kept out; the impatient raise LogBusy instead of waiting."""
    # SQLite's own busy timeout sleeps longer and longer, up to 0.1 s: beside an import, which frees the log for some
    # microseconds at a time, a writer would starve.
    _when_free(connection, lambda: connection.execute("BEGIN IMMEDIATE"), WRITER_WAIT_SECONDS_MAX if patiently else 0)


def commit(connection: sqlite3.Connection) -> None:
    """Make a transaction durable and visible; when this raises it is neither, and never will be."""
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        roll_back(connection)
        # When it was the sync that failed, all of it may stand in the write-ahead log, and whoever opens the log after a
        # crash would find it there. So something without meaning is written over it.
        with suppress(sqlite3.Error):
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo a transaction, unless SQLite has by itself, as it does after some errors."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def missing_from_schema(connection: sqlite3.Connection) -> Iterator[str]:
    """The first line of each table, index and trigger that is not there, or not as it should be."""
    stored = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema")}
    return (sql.splitlines()[0] for sql in _SCHEMA if sql not in stored)


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Turns SQLite's errors into the log's."""
    try:
        yield
    except sqlite3.Error as error:
        explanation = _explain(path, error)
        if explanation is None:
            raise
        raise explanation from error


def _explain(path: Path, error: sqlite3.Error) -> AssetsError | None:
    """None where only a mistake of ours explains it."""
    # Without a code: Python's module found it, text that is no UTF-8.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    match code and code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_PROTOCOL:
            return LogBusy(f"another process has held {path} for {WRITER_WAIT_SECONDS_MAX:g} seconds; try again")
        case sqlite3.SQLITE_FULL:
            return UnusableLog(f"there is no room for {path} ({error}): nothing was appended; make room and try again")
        case sqlite3.SQLITE_IOERR:
            return UnusableLog(f"the disk under {path} failed ({error}): nothing was appended; see to it and try again")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return UnusableLog(f"{path} can't be used ({error}): see that you may write to it, and to its folder")
        case sqlite3.SQLITE_NOTADB:
            return UnusableLog(f"{path} is no log of publog; give another path, or move that file away")
        case sqlite3.SQLITE_CORRUPT:
            return CorruptLog(f"{path} is damaged ({error}); `publog log verify` says where")
        case None if isinstance(error, sqlite3.OperationalError):
            return CorruptLog(f"{path} is damaged ({error}); `publog log verify` says where")
        case sqlite3.SQLITE_CONSTRAINT if str(error) == _ID_TAKEN:
            return InvalidMessage("id", "is in the log already; its receipt says where")
        case _:
            return None


def _check_place(path: Path, *, create: bool) -> None:
    if sqlite3.sqlite_version_info < _SQLITE_NEEDED:
        raise UnusableLog(f"this Python has SQLite {sqlite3.sqlite_version}; a log needs 3.37 or later")
    try:
        found = path.stat()
    except FileNotFoundError:
        if not create:
            raise UnusableLog(f"there is no log at {path}; publish something into it first") from None
        if not path.parent.is_dir():
            raise UnusableLog(f"there is no folder {path.parent} for a log; make it first") from None
    except OSError as error:
        raise UnusableLog(f"{path} can't be used ({error.strerror}): see that you may read its folder") from error
    else:
        if not S_ISREG(found.st_mode):
            raise UnusableLog(f"{path} is not a file; name one: sqlite:{path / 'log.db'}")
        # To SQLite a file too short to be a database is an empty one.
        if 0 < found.st_size < _SQLITE_BYTES_MIN:
            raise UnusableLog(f"{path} is no log of publog; give another path, or move that file away")


@contextmanager
def _connected(path: Path) -> Generator[sqlite3.Connection]:
    """A connection, closed again if what is done with it first fails."""
    with explained(path):
        connection = sqlite3.connect(
            path, timeout=WRITER_WAIT_SECONDS_MAX, isolation_level=None, check_same_thread=False
        )
        try:
            # What was acknowledged is on the disk (on macOS only a full sync says so); no checkpoint but SqliteLog's own.
            # Secure deletion, the default of some builds, would write zeros over what is never deleted here.
            connection.executescript(
                "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;"
                " PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF; PRAGMA trusted_schema = OFF;"
            )
            yield connection
        except BaseException:
            connection.close()
            raise


def _check_content(connection: sqlite3.Connection, path: Path, *, create: bool) -> None:
    # One look at it: another process may be making the log.
    connection.execute("BEGIN")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    application, format_ = _marks(connection)
    connection.execute("COMMIT")
    if not tables and application == format_ == 0:
        if not create:
            raise UnusableLog(f"{path} is empty; publish something into it first")
        _make(connection)
    elif application != _APPLICATION_ID:
        raise UnusableLog(f"{path} is no log of publog; give another path, or move that file away")
    elif format_ > _FORMAT:
        raise UnusableLog(f"{path} has format {format_}, this publog reads format {_FORMAT}; use a newer publog")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise UnusableLog(f"{path} is on a file system where processes can't share memory; use a local disk")


def _make(connection: sqlite3.Connection) -> None:
    """All of it in one transaction: a log that was killed while it was made is an empty file."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    begin(connection)
    try:
        if _marks(connection) == (0, 0):  # nobody else was faster
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def _when_free(connection: sqlite3.Connection, action: Callable[[], object], wait_seconds: float) -> None:
    """Do it, again and again while another process holds the log."""
    end = monotonic() + wait_seconds
    while True:
        try:
            action()
        except sqlite3.OperationalError as error:
            roll_back(connection)
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() >= end:
                raise
            sleep(uniform(0, WRITER_RETRY_SECONDS_MAX))  # noqa: S311 - jitter
        else:
            return


def _marks(connection: sqlite3.Connection) -> tuple[Any, Any]:
    """The application id and the format number."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (format_,) = connection.execute("PRAGMA user_version").fetchone()
    return application, format_

"""What is the embedded log's own: its file, its guards in the database, what it does beside other connections."""

import os
import sqlite3
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from assets.errors import CorruptLog, UnusableLog
from assets.limits import FOLLOW_POLL_SECONDS
from assets.log import open_log
from assets.log.sqlite import SqliteLog
from assets.model import Message
from tests.contract.log_contract import Waiter, alone, append, draft, fill, run_in_threads
from tests.contract.log_writer import wire


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(path)) as log:
        yield log


@pytest.fixture
def sql(log: SqliteLog, path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection to a log with three messages, with the settings least fit to guard it."""
    log.register_schema("article", "{}")
    log.save_catalog("digest", {})
    append(log, *alone(draft("id0"), draft("id1"), draft("id2")))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA recursive_triggers = OFF")
        connection.execute("PRAGMA foreign_keys = OFF")
        yield connection


# ------------------------------------------------------------------------------------------------------- append-only


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE messages SET value = NULL",
        "UPDATE messages SET offset = 7 WHERE offset = 2",
        "UPDATE OR REPLACE messages SET id = 'id0' WHERE offset = 2",
        "UPDATE OR IGNORE messages SET id = 'other' WHERE offset = 2",
        "DELETE FROM messages",
        "DELETE FROM messages WHERE offset = 2",
        "INSERT INTO messages VALUES (4, 'u', 0, 'new', NULL, 1, NULL)",
        "INSERT INTO messages VALUES (2, 'u', 0, 'new', NULL, 1, NULL)",
        "INSERT INTO messages VALUES (-1, 'u', 0, 'new', NULL, 1, NULL)",
        "INSERT INTO messages VALUES (NULL, 'u', 0, 'new', NULL, 1, NULL)",
        "INSERT INTO messages (uri, time, id, tx_end) VALUES ('u', 0, 'new', 1)",
        "INSERT INTO messages VALUES (3, 'u', 0, 'id1', NULL, 1, NULL)",
        "INSERT INTO messages VALUES (3, 'u', 0, 'a', NULL, 1, NULL), (5, 'u', 0, 'b', NULL, 1, NULL)",
        "INSERT OR REPLACE INTO messages VALUES (2, 'u', 0, 'new', NULL, 1, NULL)",
        "INSERT OR REPLACE INTO messages VALUES (3, 'u', 0, 'id1', NULL, 1, NULL)",
        "REPLACE INTO messages VALUES (2, 'u', 0, 'id2', NULL, 1, NULL)",
        "INSERT OR IGNORE INTO messages VALUES (2, 'u', 0, 'new', NULL, 1, NULL)",
        "INSERT INTO messages VALUES (2, 'u', 0, 'new', NULL, 1, NULL) ON CONFLICT (offset) DO UPDATE SET value = NULL",
        "INSERT INTO messages VALUES (3, 'u', 0, 'id1', NULL, 1, NULL) ON CONFLICT (id) DO UPDATE SET value = NULL",
        "INSERT INTO messages VALUES (3, 'u', 0, 'new', NULL, 2, NULL)",
        "INSERT INTO messages VALUES (3, 'u', 'noon', 'new', NULL, 1, NULL)",
        "INSERT INTO messages VALUES (3, NULL, 0, 'new', NULL, 1, NULL)",
        "INSERT INTO messages VALUES (3, 'u', 0, 'new', NULL, 1, 'text')",
        "UPDATE schemas SET text = ''",
        "DELETE FROM schemas",
        "INSERT INTO schemas VALUES (3, 'image', 1, '{}')",
        "INSERT INTO schemas VALUES (2, 'image', 2, '{}')",
        "INSERT INTO schemas VALUES (2, 'article', 2, '{}')",
        "INSERT OR REPLACE INTO schemas VALUES (1, 'article', 1, '[]')",
        "UPDATE catalogs SET files = ''",
        "DELETE FROM catalogs",
        "INSERT OR REPLACE INTO catalogs VALUES (1, 'other', '{}')",
        "INSERT INTO catalogs VALUES (3, 'other', '{}')",
    ],
)
def test_the_database_refuses_all_but_the_next_one(log: SqliteLog, sql: sqlite3.Connection, statement: str) -> None:
    before = list(sql.iterdump())
    with pytest.raises(sqlite3.IntegrityError):
        sql.execute(statement)
    assert list(sql.iterdump()) == before
    assert list(log.verify()) == []


def test_what_follows_may_be_inserted_by_anyone(log: SqliteLog, sql: sqlite3.Connection) -> None:
    sql.execute("INSERT INTO messages VALUES (3, 'nyt://article/9', 0, 'new', NULL, 1, NULL)")
    sql.execute("INSERT INTO schemas VALUES (2, 'article', 2, '[]')")
    sql.execute("INSERT INTO catalogs VALUES (2, 'other', '{}')")
    assert log.last_offset() == 3
    assert list(log.verify()) == []


def test_the_columns_are_a_messages_fields(sql: sqlite3.Connection) -> None:
    assert tuple(row[1] for row in sql.execute("PRAGMA table_info(messages)")) == Message._fields


# ------------------------------------------------------------------------------------------------------ the file


def test_its_url_is_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    with closing(open_log("sqlite:sub/../log.db")) as log:
        assert log.url == f"sqlite:{tmp_path}/log.db"
        fill(log, 1)
        monkeypatch.chdir("/")
        with closing(open_log(log.url, create=False)) as again:
            assert again.last_offset() == 0


@pytest.mark.parametrize("name", ["a b.db", "50%?x=1#y", "file:x", "ö", ":memory:"])
def test_any_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(open_log(f"sqlite:{name}")) as log:
        fill(log, 1)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_link_leads_to_the_log(log: SqliteLog, path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with closing(open_log(f"sqlite:{link}", create=False)) as linked:
        fill(linked, 1)
    assert log.last_offset() == 0


def make_other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE messages (offset INTEGER PRIMARY KEY)")


def make_newer(path: Path) -> None:
    SqliteLog(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")


UNUSABLE = {
    "postgres:x": "'postgres:x' names no log: a log is sqlite:PATH (",
    "x": "'x' names no log: a log is sqlite:PATH (",
    "": "'' names no log: a log is sqlite:PATH (",
    "memory": "'memory' names no log: a log is sqlite:PATH (",
    "sqlite:": "'sqlite:' names no log: a log is sqlite:PATH (",
    "sqlite:a\0b": r"'sqlite:a\x00b' names no log: a log is sqlite:PATH (",
    "sqlite:folder": "/folder is not a file; name one: sqlite:",
    "sqlite:nowhere/log.db": "there is no folder ",
    "sqlite:text/log.db": "text/log.db can't be used (Not a directory)",
    "sqlite:text": "/text is no log of publog; give another path, or move that file away",
    "sqlite:short": "/short is no log of publog; give another path, or move that file away",
    "sqlite:other.db": "/other.db is no log of publog; give another path, or move that file away",
    "sqlite:newer.db": "/newer.db has format 2, this publog reads format 1; use a newer publog",
    "sqlite:locked/log.db": "/locked/log.db can't be used (",
}


@pytest.mark.parametrize("url", UNUSABLE)
def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "locked").mkdir(mode=0o500)
    (tmp_path / "text").write_text("To be, or not to be. " * 1_000)
    (tmp_path / "short").write_text("x")
    make_other(tmp_path / "other.db")
    make_newer(tmp_path / "newer.db")
    for file in ("text", "short", "other.db", "newer.db"):
        (tmp_path / file).chmod(0o666)
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o711)  # so that anybody may come here
    tmp_path.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    content = {entry: entry.read_bytes() for entry in tmp_path.iterdir() if entry.is_file()}
    with as_nobody(), pytest.raises(UnusableLog) as raised:
        open_log(url)
    assert UNUSABLE[url] in str(raised.value)
    assert {entry: entry.read_bytes() for entry in tmp_path.iterdir() if entry.is_file()} == content


@contextmanager
def as_nobody() -> Generator[None]:
    """Root may write anywhere: be somebody else for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)


@pytest.mark.parametrize("content", [b"", "database"])
def test_an_empty_file_becomes_a_log(path: Path, content: bytes | str) -> None:
    # As they are left by a process that was killed before it had made the log.
    if content == b"":
        path.touch()
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    with pytest.raises(UnusableLog, match="is empty; publish something into it first"):
        open_log(f"sqlite:{path}", create=False)
    with closing(SqliteLog(path)) as log:
        fill(log, 1)


def test_an_old_sqlite_is_told_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    with pytest.raises(UnusableLog, match=r"a log needs 3\.37 or later"):
        SqliteLog(path)
    assert not path.exists()


def test_many_may_make_it_at_once(tmp_path: Path) -> None:
    def make_and_fill(path: Path, barrier: threading.Barrier, number: int) -> None:
        barrier.wait()
        with closing(SqliteLog(path)) as log:
            append(log, *alone(draft(f"id{number}")))

    for log_number in range(20):
        path, barrier = tmp_path / f"log{log_number}.db", threading.Barrier(6)
        run_in_threads([partial(make_and_fill, path, barrier, number) for number in range(6)])
        with closing(SqliteLog(path, create=False)) as log:
            assert sorted(message.id for message in log.read()) == [f"id{number}" for number in range(6)]


def test_one_file_is_left_when_all_have_closed_it(path: Path) -> None:
    first, second = SqliteLog(path), SqliteLog(path)
    fill(first, 10)
    second.close()
    first.close()
    first.close()
    assert list(path.parent.iterdir()) == [path]


# ---------------------------------------------------------------------------------------------------------- durability


def test_what_is_acknowledged_is_synced(log: SqliteLog) -> None:
    fill(log, 1)
    assert log._writer is not None
    for connection in (log._writer, log._reader):
        for pragma, value in {
            "journal_mode": "wal",
            "synchronous": 2,
            "fullfsync": 1,
            "checkpoint_fullfsync": 1,
            "wal_autocheckpoint": 0,
        }.items():
            assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_the_write_ahead_log_starts_again(log: SqliteLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.log.sqlite.WAL_BYTES", 1_000_000)
    moves: list[None] = []
    move_wal = log._move_wal
    monkeypatch.setattr(log, "_move_wal", lambda **options: moves.append(move_wal(**options)))
    sizes: list[int] = []
    begun: list[Iterator[Message]] = []
    for number in range(300):
        append(log, *alone(draft(f"id{number}", value=wire(1, b"x" * 10_000))))
        sizes.append(path.with_name("log.db-wal").stat().st_size)
        begun.append(log.read())
        next(begun[-1])
    assert 3 <= len(moves) <= 30
    assert max(sizes) < 3_000_000
    assert path.stat().st_size > 3_000_000


def test_a_writer_moves_what_a_killed_one_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteLog(path)) as log, closing(SqliteLog(path)) as other:
        append(log, *alone(draft("a", value=wire(1, b"x" * 100_000))))
        left = path.with_name("log.db-wal").stat().st_size
        monkeypatch.setattr("assets.log.sqlite.WAL_BYTES", left - 1)
        assert path.stat().st_size < 100_000
        append(other, *alone(draft("b")))
        append(other, *alone(draft("c")))
        assert path.stat().st_size > 100_000


def test_a_reader_may_be_slow(log: SqliteLog, path: Path) -> None:
    fill(log, 1_000)
    reading, history = log.read(), log.history("nyt://article/1")
    next(reading)
    next(history)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy
    assert len(list(reading)) == 999
    assert len(list(history)) == 499


def test_a_writer_that_failed_goes_on(log: SqliteLog) -> None:
    for number in range(3):
        with suppress(ZeroDivisionError), log.writing():
            assert log.append(alone(draft(f"bad{number}")))[0].offset == number
            raise ZeroDivisionError
        append(log, *alone(draft(f"good{number}")))
    assert [message.id for message in log.read()] == ["good0", "good1", "good2"]


def test_a_writer_gets_its_turn_beside_one_that_never_pauses(path: Path) -> None:
    def write_on() -> None:
        with closing(SqliteLog(path)) as restless:
            while not done.is_set():
                append(restless, *alone(draft(f"restless{restless.last_offset()}")))

    done = threading.Event()
    thread = threading.Thread(target=write_on)
    with closing(SqliteLog(path)) as log:
        thread.start()
        log.wait_past(0, 60)
        for number in range(10):
            append(log, *alone(draft(f"id{number}")))
        # Turn by turn it would be 20; with the waits of SQLite's busy timeout it is tens of thousands.
        assert log.last_offset() < 1_000
        done.set()
        thread.join()


def test_an_append_wakes_who_waits_on_the_same_instance(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.log.sqlite.FOLLOW_POLL_SECONDS", 3_600)
    begun = time.monotonic()
    waiter = Waiter(log, -1)
    fill(log, 1)
    assert waiter.result() == 0
    assert time.monotonic() - begun < 50  # it gives up after 60


def test_waiting_does_not_spin(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    polls: list[float] = []
    last_offset = log.last_offset
    monkeypatch.setattr(log, "last_offset", lambda: (polls.append(time.monotonic()), last_offset())[1])
    assert log.wait_past(-1, 20 * FOLLOW_POLL_SECONDS) == -1
    assert 2 <= len(polls) <= 22


# -------------------------------------------------------------------------------------------------------------- damage


def without_guards(sql: sqlite3.Connection, *statements: str) -> None:
    guards = sql.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        sql.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        sql.execute(statement)
    for _, text in guards:
        sql.execute(text)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM messages WHERE offset = 1", "messages are missing between offsets 0 and 2"),
        ("UPDATE messages SET tx_end = 0, tx = 'a' WHERE offset = 1", "the one before it, a, has no end mark"),
        ("UPDATE messages SET tx_end = 0 WHERE offset = 2", "is the last, but its transaction has no end mark"),
        ("UPDATE schemas SET id = 2", "schema 2 (version 1 of article) is not the next one"),
        ("UPDATE catalogs SET files = '{'", "the catalog can't be read"),
        ("UPDATE messages SET uri = CAST(x'ff' AS TEXT) WHERE offset = 1", "is damaged (Could not decode"),
        ("DROP TRIGGER messages_no_delete", "has not, or not as it was made: CREATE TRIGGER messages_no_delete "),
        ("DROP INDEX messages_by_id", "has not, or not as it was made: CREATE UNIQUE INDEX messages_by_id ON "),
    ],
)
def test_damage_is_found(log: SqliteLog, sql: sqlite3.Connection, statement: str, problem: str) -> None:
    without_guards(sql, statement) if not statement.startswith("DROP") else sql.execute(statement)
    found = log.verify()
    assert [sentence for sentence in found if problem in sentence], found
    assert all(sentence.endswith(".") for sentence in found)


def test_a_gap_is_never_read_over(log: SqliteLog, sql: sqlite3.Connection) -> None:
    without_guards(sql, "DELETE FROM messages WHERE offset = 1")
    with pytest.raises(CorruptLog, match="messages are missing between offsets 0 and 2"):
        list(log.read())


def test_overwritten_pages_are_found(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        log.register_schema("article", "{}")
        fill(log, 2_000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3_000] = b"\xff" * 3_000
    path.write_bytes(content)
    with closing(SqliteLog(path)) as log:
        found = log.verify()
        assert found
        assert all(str(path) in sentence or sentence.startswith("offset ") for sentence in found)

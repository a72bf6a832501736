"""Dead letters: what could not be processed, kept apart with its bytes until it can be."""

import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from denormalizer.fold import DeadLetter
from indexers import Unfit
from pipeline.errors import UnusableFile

DEAD_LETTERS_FILE: Final = "dead-letters.sqlite"
"""In the folder that jobs work in."""

_UNINDEXED: Final = "unindexed:"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS dead_letters (
    offset INTEGER PRIMARY KEY,
    uri TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS unindexed (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    offset INTEGER NOT NULL,
    uri TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (offset, uri, code)
) STRICT;
CREATE TABLE IF NOT EXISTS replays (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    generation TEXT NOT NULL,
    processed INTEGER,
    views INTEGER,
    left INTEGER
) STRICT
"""

_ALL: Final = (
    "SELECT offset, uri, code, reason, value FROM dead_letters"
    " UNION ALL SELECT offset, uri, code, reason, value FROM unindexed"
)


class Replayed(NamedTuple):
    """What a replay did."""

    processed: int
    views: int
    """Brought up to date in the index."""
    left: int
    """Dead letters that still are."""


def unindexed(unfit: Unfit) -> DeadLetter:
    """The dead letter of a view that the index could not take: its version, URI and line."""
    view = unfit.view
    return DeadLetter(view.version, view.uri, f"{_UNINDEXED}{view.view}", unfit.reason, view.to_line())


def is_of_view(letter: DeadLetter) -> bool:
    """Whether it is of a view, and not of a message."""
    return letter.code.startswith(_UNINDEXED)


def letter_line(letter: DeadLetter) -> bytes:
    """A dead letter as a JSON line; its bytes in base64."""
    return orjson.dumps({**letter._asdict(), "value": b64encode(letter.value).decode()}) + b"\n"


def parse_letters(path: Path) -> Iterator[DeadLetter]:
    """The dead letters in a file of such lines."""
    with path.open("rb") as file:
        for line in file:
            fields: dict[str, Any] = orjson.loads(line)
            fields["value"] = b64decode(fields["value"])
            yield DeadLetter(**fields)


class DeadLetters:
    """The dead letters of one log, in a file. One message has at most one, and so has one version of a view."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._explained():
            self._database = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            # Without a write-ahead log: two that make the file at once would meet in the change to it.
            self._database.executescript(f"PRAGMA synchronous=EXTRA; {_SCHEMA};")

    def replace(self, letters: Iterable[DeadLetter]) -> None:
        """Make these the dead letters: what a run over the whole log found."""
        with self._explained():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.execute("DELETE FROM dead_letters")
                self._database.execute("DELETE FROM unindexed")
                self._put(letters)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def add(self, letters: Iterable[DeadLetter]) -> None:
        """Keep these too; durable when it returns."""
        with self._explained():
            self._database.execute("BEGIN IMMEDIATE")
            self._put(letters)
            self._database.execute("COMMIT")

    def add_unfit(self, unfit: Unfit) -> None:
        """Keep a view that the index could not take; durable when it returns."""
        self.add([unindexed(unfit)])

    def _put(self, letters: Iterable[DeadLetter]) -> None:
        for letter in letters:
            table = "unindexed (offset, uri, code, reason, value)" if is_of_view(letter) else "dead_letters"
            self._database.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)", letter)  # noqa: S608

    def mark(self) -> int:
        """A moment: what is kept later of a view is not meant by a `remove` up to it."""
        with self._explained():
            (number,) = self._database.execute("SELECT coalesce(max(id), 0) FROM unindexed").fetchone()
        return number

    def remove(self, letters: Iterable[DeadLetter], mark: int) -> None:
        """Forget these, as they were at that moment: they were processed after all."""
        view = "DELETE FROM unindexed WHERE offset = ? AND uri = ? AND code = ? AND id <= ?"
        message = "DELETE FROM dead_letters WHERE offset = ?"
        with self._explained():
            for letter in letters:
                if is_of_view(letter):
                    self._database.execute(view, (*letter[:3], mark))
                else:
                    self._database.execute(message, letter[:1])

    def all(self) -> Iterator[DeadLetter]:
        """Every dead letter, by offset."""
        with self._explained():
            rows = self._database.execute(f"{_ALL} ORDER BY offset, uri, code").fetchall()
        return map(DeadLetter._make, rows)

    def counts(self) -> dict[str, int]:
        """How many there are, by code."""
        with self._explained():
            counted = f"SELECT code, count(*) FROM ({_ALL}) GROUP BY code ORDER BY code"  # noqa: S608 - nobody's words
            return dict(self._database.execute(counted))

    # A stream has the index for itself, so it is asked to do a replay, here in the file that both have.

    def ask(self, generation: str) -> int:
        """Ask the stream that fills this generation of an index for a replay; returns what names the request."""
        with self._explained():
            number = self._database.execute("INSERT INTO replays (generation) VALUES (?)", (generation,)).lastrowid
        assert number is not None
        return number

    def asked(self, generation: str) -> list[int]:
        """The requests to this stream that wait for an answer."""
        waiting = "SELECT id FROM replays WHERE processed IS NULL AND generation = ?"
        with self._explained():
            return [number for (number,) in self._database.execute(waiting, (generation,))]

    def answer(self, request: int, result: Replayed) -> None:
        """Say what a replay did to whoever asked for it."""
        with self._explained():
            self._database.execute(
                "UPDATE replays SET processed = ?, views = ?, left = ? WHERE id = ?", (*result, request)
            )

    def answer_to(self, request: int) -> Replayed | None:
        """What a replay did; None while it is not done."""
        with self._explained():
            found = self._database.execute("SELECT processed, views, left FROM replays WHERE id = ?", (request,))
            row = found.fetchone()
        return None if row is None or row[0] is None else Replayed(*row)

    def withdraw(self, request: int) -> None:
        """Forget a request, answered or not."""
        with self._explained():
            self._database.execute("DELETE FROM replays WHERE id = ?", (request,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UnusableFile(
                f"{self._path}, where dead letters are kept, can't be used ({error}); see to it and try again"
            ) from error

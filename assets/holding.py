"""Holding: transactions kept aside, durably, until what they refer to is published."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from assets.errors import InvalidMessage
from assets.limits import HELD_MESSAGES_MAX
from assets.model import Draft, Transaction

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS held (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    messages INTEGER NOT NULL,
    summary BLOB NOT NULL,
    content BLOB NOT NULL
) STRICT
"""


class Held(NamedTuple):
    """One transaction that is held, without its payloads."""

    number: int
    """Rises in the order of arrival."""
    ids: frozenset[str]
    uris: frozenset[str]
    references: frozenset[str]
    """What must be published before it, other than what it publishes itself."""


class Holding:
    """A file of held transactions; one gateway process uses it at a time with the log held for writing."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_SCHEMA};")

    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return self._database.execute("SELECT 1 FROM held LIMIT 1").fetchone() is None

    def count(self) -> int:
        """How many messages are held."""
        (count,) = self._database.execute("SELECT coalesce(sum(messages), 0) FROM held").fetchone()
        return count

    def all(self) -> list[Held]:
        """What is held, in the order of arrival."""
        rows = self._database.execute("SELECT number, summary FROM held ORDER BY number")
        return [Held(number, *map(frozenset, msgspec.msgpack.decode(summary))) for number, summary in rows]

    def add(self, entries: Sequence[tuple[Held, Transaction]]) -> None:
        """Keep these; durable when it returns. Their numbers are given here."""
        self._change(
            "INSERT INTO held (messages, summary, content) VALUES (?, ?, ?)",
            [
                (
                    len(transaction.drafts),
                    msgspec.msgpack.encode([sorted(held.ids), sorted(held.uris), sorted(held.references)]),
                    msgspec.msgpack.encode(transaction),
                )
                for held, transaction in entries
            ],
        )

    def check_room(self, messages: int) -> None:
        """Whether that many more messages may be held.

        Raises:
            InvalidMessage: when it would be too many.
        """
        if self.count() + messages > HELD_MESSAGES_MAX:
            raise InvalidMessage("", f"{HELD_MESSAGES_MAX:,} messages are held already; publish what they wait for")

    def transaction(self, number: int) -> Transaction:
        """A held transaction with its payloads."""
        (content,) = self._database.execute("SELECT content FROM held WHERE number = ?", (number,)).fetchone()
        tx, drafts = msgspec.msgpack.decode(content)
        return Transaction(tx, [Draft(*draft) for draft in drafts])

    def remove(self, numbers: Iterable[int]) -> None:
        """Forget these: they are in the log."""
        self._change("DELETE FROM held WHERE number = ?", [(number,) for number in numbers])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _change(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(statement, rows)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

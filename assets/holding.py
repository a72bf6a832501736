"""Holding: transactions kept aside, durably, until what they refer to is published."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from assets.errors import LogBusy, UnusableLog
from assets.limits import WRITER_WAIT_SECONDS_MAX
from assets.model import Draft, Transaction

HELD_FILE: Final = "held.sqlite"
"""In the home."""

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
    messages: Mapping[str, str]
    """The ids of its messages, and their URIs."""
    publishes: frozenset[str]
    """The URIs that it publishes; it may unpublish others."""
    references: frozenset[str]
    """What must be published before it, other than what it publishes itself."""


class Holding:
    """A file of held transactions, shared by the gateways of one home."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._explained():
            self._database = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=WRITER_WAIT_SECONDS_MAX
            )
            # Without a write-ahead log: two gateways that make the file at once would meet in the change to it.
            self._database.executescript(f"PRAGMA synchronous=EXTRA; {_SCHEMA};")

    @contextmanager
    def changing(self) -> Generator[None]:
        """Keep the other gateways of this home out. What is added and removed inside becomes durable at the end, all of
        it, or none of it when the block raises.

        Raises:
            LogBusy: another gateway kept this one out for too long.
        """
        with self._explained():
            self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._explained():
                self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def is_empty(self) -> bool:
        """Whether nothing is held."""
        with self._explained():
            return self._database.execute("SELECT 1 FROM held LIMIT 1").fetchone() is None

    def count(self) -> int:
        """How many messages are held."""
        with self._explained():
            (count,) = self._database.execute("SELECT coalesce(sum(messages), 0) FROM held").fetchone()
        return count

    def all(self) -> list[Held]:
        """What is held, in the order of arrival."""
        with self._explained():
            rows = self._database.execute("SELECT number, summary FROM held ORDER BY number").fetchall()
        summaries = ((number, msgspec.msgpack.decode(summary)) for number, summary in rows)
        return [
            Held(number, messages, frozenset(publishes), frozenset(references))
            for number, (messages, publishes, references) in summaries
        ]

    def add(self, entries: Sequence[tuple[Held, Transaction]]) -> None:
        """Keep these, inside `changing()`. Their numbers are given here."""
        self._change(
            "INSERT INTO held (messages, summary, content) VALUES (?, ?, ?)",
            [
                (
                    len(held.messages),
                    msgspec.msgpack.encode([held.messages, sorted(held.publishes), sorted(held.references)]),
                    msgspec.msgpack.encode(transaction),
                )
                for held, transaction in entries
            ],
        )

    def transaction(self, number: int) -> Transaction:
        """A held transaction with its payloads."""
        with self._explained():
            (content,) = self._database.execute("SELECT content FROM held WHERE number = ?", (number,)).fetchone()
        tx, drafts = msgspec.msgpack.decode(content)
        return Transaction(tx, [Draft(*draft) for draft in drafts])

    def remove(self, numbers: Iterable[int]) -> None:
        """Forget these, inside `changing()`: they are in the log."""
        self._change("DELETE FROM held WHERE number = ?", [(number,) for number in numbers])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _change(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        assert self._database.in_transaction, "changes are made inside changing()"
        with self._explained():
            self._database.executemany(statement, rows)

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise LogBusy(f"another process has held {self._path} for too long; try again") from error
            raise UnusableLog(
                f"{self._path}, where held messages are kept, can't be used ({error}); see to it and try again"
            ) from error


def releasable(held: Sequence[Held], published: AbstractSet[str]) -> list[Held]:
    """What need not wait any longer, in the order in which to append it.

    That is the order of arrival, but each behind what it refers to. Those that wait only for each other, as a portrait
    and its photographer may, go together.
    """
    behind = _behind(held)
    left = {entry.number: entry for entry in held}
    for number in _hopeless(held, published, behind):
        del left[number]
    referrers = _referrers(left.values(), published)
    waits = Counter({entry.number: len(entry.references - published) for entry in left.values()})
    waits.update(later for number in left for later in behind[number])
    ready = [number for number in left if not waits[number]]
    there: set[str] = set()
    order: list[Held] = []
    while left:
        # Where everything waits for something, it is for each other: the first to arrive breaks the circle.
        entry = left.pop(heappop(ready) if ready else next(iter(left)), None)
        if entry is None:
            continue
        order.append(entry)
        new = entry.publishes - there
        there |= new
        for number in chain(behind[entry.number], *(referrers[uri] for uri in new)):
            waits[number] -= 1
            if not waits[number]:
                heappush(ready, number)
    return order


def _hopeless(held: Sequence[Held], published: AbstractSet[str], behind: Mapping[int, Sequence[int]]) -> set[int]:
    """Those that wait for something that is not held either, or stand behind one that does."""
    entries = {entry.number: entry for entry in held}
    referrers = _referrers(held, published)
    coming = Counter(uri for entry in held for uri in entry.publishes)
    hopeless: set[int] = set()
    found = [number for uri, numbers in referrers.items() if not coming[uri] for number in numbers]
    while found:
        number = found.pop()
        if number in hopeless:
            continue
        hopeless.add(number)
        found += behind[number]
        for uri in entries[number].publishes:
            coming[uri] -= 1
            if not coming[uri]:
                found += referrers[uri]
    return hopeless


def _behind(held: Iterable[Held]) -> Mapping[int, Sequence[int]]:
    """For each, those that come next for one of its assets."""
    behind: dict[int, list[int]] = {}
    last: dict[str, int] = {}
    for entry in held:
        behind[entry.number] = []
        for uri in set(entry.messages.values()):
            if uri in last:
                behind[last[uri]].append(entry.number)
            last[uri] = entry.number
    return behind


def _referrers(held: Iterable[Held], published: AbstractSet[str]) -> defaultdict[str, list[int]]:
    """For each URI that is not published yet, those that wait for it."""
    referrers: defaultdict[str, list[int]] = defaultdict(list)
    for entry in held:
        for uri in entry.references - published:
            referrers[uri].append(entry.number)
    return referrers

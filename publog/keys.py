"""Keys: who may publish and read over HTTP. A home keeps what they allow and a hash of each, never a key itself."""

import os
import re
import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from secrets import token_hex, token_urlsafe
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from publog.settings import UsedWrongly

if TYPE_CHECKING:
    from limits import RateLimitItem

KEYS_FILE: Final = "keys.sqlite"
"""In the home."""

EXPIRES_DAYS_MAX: Final = 36_500
"""Days that a key may be good for; more than a hundred years are a hundred."""

SCOPES: Final = ("publish", "publish:KIND", "search", "admin")

_SCOPE: Final = re.compile(r"(publish(:[A-Za-z_][A-Za-z0-9_]*)?|search|admin)\Z")
_KEY: Final = re.compile(r"publog_([0-9a-f]{12})_([A-Za-z0-9_\-]{43})\Z")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER,
    expires INTEGER,
    rate TEXT
) STRICT
"""
_SELECT: Final = "SELECT id, scopes, created, revoked, expires, rate, hash FROM keys "


class Key(NamedTuple):
    """What is known of a key."""

    id: str
    scopes: tuple[str, ...]
    created: int
    """Seconds since 1970-01-01T00:00:00Z, of the last rotation."""
    revoked: int | None
    expires: int | None = None
    """Seconds since 1970-01-01T00:00:00Z from which on it is good for nothing; None for never."""
    rate: str | None = None
    """Requests in a time, as `600/minute`; None for as many as any key may make."""

    @property
    def is_good(self) -> bool:
        """Whether it may be used now."""
        return self.revoked is None and (self.expires is None or time.time() < self.expires)

    def allows(self, scope: str) -> bool:
        """Whether it may be used for this at all; `kinds` says which kinds it may publish."""
        return any(own.partition(":")[0] == scope for own in self.scopes)

    @property
    def kinds(self) -> frozenset[str] | None:
        """The kinds that it may publish; None for every kind."""
        return None if "publish" in self.scopes else frozenset(own[8:] for own in self.scopes if own[:8] == "publish:")


class Keys:
    """The keys of one home; may be used by several threads and processes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._using = Lock()
        with self._explained():
            # Nobody else may read it, from its first moment on.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            self._database.executescript(f"PRAGMA synchronous=EXTRA; {_SCHEMA};")
            # A file of keys that knew neither.
            known = {row[1] for row in self._database.execute("PRAGMA table_info(keys)")}
            for name, type_ in (("expires", "INTEGER"), ("rate", "TEXT")):
                if name not in known:
                    self._database.execute(f"ALTER TABLE keys ADD COLUMN {name} {type_}")

    def add(self, scopes: Sequence[str], *, expires: int | None = None, rate: str | None = None) -> str:
        """A new key, which nobody can be told again.

        Args:
            scopes: what it allows.
            expires: the second (since 1970-01-01T00:00:00Z) from which on it allows nothing.
            rate: requests in a time, as `600/minute`.

        Raises:
            UsedWrongly: a scope is none, the time is over, or the rate is none.
        """
        if expires is not None and expires <= time.time():
            raise UsedWrongly("a key that has expired already is of no use; name a later time")
        if rate is not None:
            parse_rate(rate)
        for scope in scopes:
            if not _SCOPE.match(scope):
                raise UsedWrongly(f"{scope[:100]!r} is no scope; use {', '.join(SCOPES)}")
        id_, secret = token_hex(6), token_urlsafe(32)
        row = (id_, _hash(secret), " ".join(dict.fromkeys(scopes)), int(time.time()))
        self._run("INSERT INTO keys VALUES (?, ?, ?, ?, NULL, ?, ?)", *row, expires, rate)
        return f"publog_{id_}_{secret}"

    def rotate(self, id_: str) -> str:
        """Another secret for a key, which allows the same; the former stops at once.

        Raises:
            UsedWrongly: there is no such key, or it was revoked.
        """
        secret = token_urlsafe(32)
        statement = "UPDATE keys SET hash = ?, created = ? WHERE id = ? AND revoked IS NULL RETURNING id"
        if not self._run(statement, _hash(secret), int(time.time()), id_):
            raise UsedWrongly(f"there is no key {id_} in use; publog keys list has them")
        return f"publog_{id_}_{secret}"

    def revoke(self, id_: str) -> None:
        """End a key, at once.

        Raises:
            UsedWrongly: there is no such key, or it was revoked before.
        """
        statement = "UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL RETURNING id"
        if not self._run(statement, int(time.time()), id_):
            raise UsedWrongly(f"there is no key {id_} in use; publog keys list has them")

    def all(self) -> list[Key]:
        """Every key there ever was."""
        return [_key(row) for row in self._run(_SELECT + "ORDER BY created, id")]

    def any(self) -> bool:
        """Whether there ever was one: to revoke the last opens no door."""
        return bool(self._run("SELECT 1 FROM keys LIMIT 1"))

    def find(self, text: str) -> Key | None:
        """The key that a text is; None where it is none, or one that was revoked or has expired."""
        parts = _KEY.match(text)
        if parts is None:
            return None
        rows = self._run(_SELECT + "WHERE id = ?", parts[1])
        if not rows or not compare_digest(rows[0][-1], _hash(parts[2])):
            return None
        key = _key(rows[0])
        return key if key.is_good else None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _run(self, statement: str, *values: Any) -> list[Any]:
        with self._using, self._explained():
            return self._database.execute(statement, values).fetchall()

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UsedWrongly(f"{self._path}, where keys are kept, can't be used ({error})") from error


def _hash(secret: str) -> str:
    # A secret of 256 random bits can't be guessed, so a slow hash would only be slow.
    return sha256(secret.encode()).hexdigest()


def _key(row: Sequence[Any]) -> Key:
    id_, scopes, *rest, _ = row
    return Key(id_, tuple(scopes.split()), *rest)


def parse_expiry(text: str) -> int:
    """The second (since 1970-01-01T00:00:00Z) that a time, or days from now as `90d`, names.

    Raises:
        UsedWrongly: it names none.
    """
    days = text.removesuffix("d")
    try:
        if days != text:
            return int(time.time()) + min(int(days), EXPIRES_DAYS_MAX) * 86_400
        named = datetime.fromisoformat(text)
    except ValueError:
        raise UsedWrongly(f"{text[:100]!r} is no time; write 90d or 2027-01-31T00:00:00Z") from None
    if named.tzinfo is None:
        raise UsedWrongly(f"{text} has no zone; write {text}Z")
    return int(named.timestamp())


def parse_rate(text: str) -> "RateLimitItem":
    """Requests in a time.

    Raises:
        UsedWrongly: it is none.
    """
    # It imports asyncio and more: every command would wait for it.
    import limits

    try:
        return limits.parse(text)
    except ValueError:
        raise UsedWrongly(f"{text[:100]!r} is no rate; write requests in a time, as 600/minute or 20/second") from None

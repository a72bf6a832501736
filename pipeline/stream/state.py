"""A shard's state on disk: the assets that its views may need, so that a stream need not read the log again.

A cache. It may be older than the index or newer, as the two are not written in one step; the fold takes either. A file
of another format, catalog, generation, log or shard, or one that is damaged, is thrown away and made again from the log.
Never pickled: payloads lie as they are in the log.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from zlib import crc32

import orjson

from assets.log.port import Log
from assets.model import NEVER, Message
from denormalizer.fold import StoredAsset
from pipeline.errors import UnusableFile

FORMAT: Final = 1
"""Rises when states are made otherwise, or when what can be read of a payload changes."""

_SCHEMA: Final = (
    "CREATE TABLE header (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE assets (
    uri TEXT NOT NULL UNIQUE,
    offset INTEGER NOT NULL,
    value BLOB,
    refs TEXT NOT NULL,
    crc INTEGER NOT NULL
) STRICT""",
)

_SAVE: Final = """INSERT INTO assets VALUES (?, ?, ?, ?, ?)
ON CONFLICT (uri) DO UPDATE SET offset = excluded.offset, value = excluded.value, refs = excluded.refs, crc = excluded.crc
"""


class Header(NamedTuple):
    """What a state belongs to."""

    catalog: str
    """Its digest."""
    generation: str
    """Of the index."""
    log: str
    """Its URL."""
    shard: int
    shards: int


class State(NamedTuple):
    """What a shard goes on from."""

    watermark: int
    assets: list[StoredAsset]


EMPTY: Final = State(NEVER, [])


class StateStore:
    """The file of one shard. It has one user at a time, who may move between threads."""

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._header = header
        self._database: sqlite3.Connection | None = None

    def load(self, log: Log) -> State:
        """What is there, for this log; an empty state, in a new file, where it is of no use."""
        if self._path.exists():
            with suppress(sqlite3.Error, _Useless, ValueError, TypeError):
                self._open()
                return self._read(log)
        self._make()
        return EMPTY

    def save(self, assets: Iterable[StoredAsset], last: Message | None) -> None:
        """Take in what changed up to a message, in one step; None: the watermark stays."""
        assert self._database is not None, "load() comes first"
        rows = ((one.uri, one.offset, one.value, refs := _refs(one), _crc(one, refs)) for one in assets)
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(_SAVE, rows)
            if last is not None:
                self._set_header(str(last.offset), last.id)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise UnusableFile(
                f"{self._path}, a stream's state, can't be written ({error}); make room there"
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _open(self) -> None:
        self._database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        # After a power failure it is whole, if a little older: that is all a cache needs.
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")

    def _make(self) -> None:
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        try:
            self._open()
            assert self._database is not None
            self._database.executescript(f"BEGIN; {'; '.join(_SCHEMA)};")
            self._set_header(str(NEVER), "")
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise UnusableFile(f"{self._path}, a stream's state, can't be made ({error}); make room there") from error

    def _set_header(self, watermark: str, last_id: str) -> None:
        assert self._database is not None
        values = {**self._described(), "watermark": watermark, "last_id": last_id}
        values["crc"] = str(crc32(repr(values).encode()))
        self._database.executemany("INSERT OR REPLACE INTO header VALUES (?, ?)", values.items())

    def _described(self) -> dict[str, str]:
        return {"format": str(FORMAT), **{name: str(value) for name, value in self._header._asdict().items()}}

    def _read(self, log: Log) -> State:
        assert self._database is not None
        statements = self._database.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")
        if sorted(sql for (sql,) in statements) != sorted(_SCHEMA):
            raise _Useless
        header: dict[str, str] = dict(self._database.execute("SELECT * FROM header"))
        described = self._described()
        found = {name: header.get(name, "") for name in (*described, "watermark", "last_id")}
        if not described.items() <= found.items() or header.get("crc") != str(crc32(repr(found).encode())):
            raise _Useless
        watermark = int(found["watermark"])
        if watermark > NEVER:
            # A log that was put in the place of another has another message there, or none.
            last = next(iter(log.read(watermark, watermark)), None)
            if last is None or (last.offset, last.id) != (watermark, found["last_id"]):
                raise _Useless
        # Not the quick one, which does not hold the index of URIs against the rows.
        if self._database.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
            raise _Useless
        return State(watermark, list(_assets(self._database.execute("SELECT * FROM assets"))))


class _Useless(Exception):
    """This state is not of use here."""


def _assets(rows: Iterable[Any]) -> Iterator[StoredAsset]:
    for uri, offset, value, refs, crc in rows:
        asset = StoredAsset(uri, offset, value, tuple(orjson.loads(refs)))
        if _crc(asset, refs) != crc:
            raise _Useless
        yield asset


def _refs(asset: StoredAsset) -> str:
    return orjson.dumps(asset.references).decode()


def _crc(asset: StoredAsset, refs: str) -> int:
    return crc32(asset.value or b"", crc32(f"{asset.uri} {asset.offset} {asset.value is None} {refs}".encode()))

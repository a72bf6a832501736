"""What a backfill remembers of itself in the home, so that a killed one can be gone on with."""

import fcntl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import orjson

from backfill.errors import NoBackfill, UnfinishedBackfill
from indexers import files

FOLDER: Final = "backfill"
"""In the home."""

Phase = Literal["building", "built", "current"]


@dataclass(frozen=True)
class Record:
    """One backfill."""

    generation: str
    """What is built."""
    former: str
    """What was searched when it was begun; empty where nothing was."""
    last: int
    """The last message that the build reads; what comes behind, the generation follows."""
    shards: int
    begun: str
    """RFC 3339."""
    memory: int = 0
    """Bytes that the folds of its build may take together; 0: any."""
    phase: Phase = "building"
    verified_through: int | None = None
    """The watermark at which all its documents were found to be what the log says."""

    def at(self, **changes: Any) -> "Record":
        """The same with some of it changed."""
        return replace(self, **changes)


class Switch(NamedTuple):
    """The last change of what is current: noted before it is made, so one that was killed on the way can be ended."""

    current: str
    former: str
    through: int
    """The watermark at which it was about to be made."""
    back: bool = False
    """Whether it is a rollback."""
    settled: bool = False
    """Whether all that goes with it was done."""


class Records:
    """What is remembered in a home. Whoever writes it holds the index's lease."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER
        self._path = self.folder / "record.json"
        self._switch = self.folder / "switch.json"
        self._lock = self.folder / "lock"

    def read(self) -> Record | None:
        """The last backfill, finished or not."""
        try:
            return Record(**orjson.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None

    def unfinished(self) -> Record:
        """The backfill to go on with.

        Raises:
            NoBackfill: there is none, or it is finished.
        """
        record = self.read()
        if record is None or record.phase == "current":
            raise NoBackfill
        return record

    def refuse_unfinished(self) -> None:
        """Raises `UnfinishedBackfill` where there is one."""
        record = self.read()
        if record is not None and record.phase != "current":
            raise UnfinishedBackfill(record.generation)

    def write(self, record: Record) -> None:
        """Keep this; it outlives a crash."""
        _replace(self._path, asdict(record))

    def forget(self) -> None:
        """There is no backfill any more."""
        self._path.unlink(missing_ok=True)

    def switched(self) -> Switch | None:
        """The last change of what is current, None before the first."""
        try:
            return Switch(**orjson.loads(self._switch.read_bytes()))
        except FileNotFoundError:
            return None

    def write_switch(self, switch: Switch) -> None:
        """Keep this; it outlives a crash."""
        _replace(self._switch, switch._asdict())

    @contextmanager
    def at_work(self) -> Generator[None]:
        """Let `is_at_work` say so meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("ab") as lock:
            # Alone already, by the lease.
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    def is_at_work(self) -> bool:
        """Whether a process works on a backfill of this home."""
        try:
            with self._lock.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def work(self, generation: str) -> Path:
        """Where the build of a generation leaves its parts."""
        return self.folder / generation

    def letters(self, generation: str) -> Path:
        """The dead letters of a generation that is not current: another catalog may read other messages."""
        return self.folder / f"{generation}.dead-letters.sqlite"


def _replace(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, orjson.dumps(document, option=orjson.OPT_INDENT_2))

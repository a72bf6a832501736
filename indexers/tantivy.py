"""`tantivy:PATH`: the embedded engine in a folder.

    PATH/generations/NAME/   one generation: the engine's files, and generation.json, which describes it
    PATH/current             the name of the generation that is searched
    PATH/lock                held by the process that writes

A load builds a generation aside and then replaces `current`. Readers look at `current` and at the engine's own commit
file before each search, which costs microseconds and makes them see a commit at once.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec

from assets.catalog import Catalog
from denormalizer.view import View
from indexers import files
from indexers.engine import Engine
from indexers.errors import CorruptIndex, EngineFailed, NoIndex, UnusableIndex
from indexers.generations import NEVER_LOADED, Description, describe
from indexers.limits import OPEN_ATTEMPTS_MAX
from indexers.port import Counts, IndexInfo, Query, Results
from indexers.records import open_parts

_DESCRIPTION: Final = "generation.json"
_OURS: Final = {"generations", "current", "current.new", "lock"}

_Pointer = tuple[int, int]


class TantivyIndex:
    """Generations in a folder, of which one is current."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._pointer = self._path / "current"
        self._generations = self._path / "generations"
        self._lock = files.WriterLock(self._path / "lock", self.url)
        self._writing = Lock()
        self._opening = Lock()
        self._opened: tuple[_Pointer, Engine] | None = None

    @property
    def url(self) -> str:
        return f"tantivy:{self._path}"

    def info(self) -> IndexInfo:
        try:
            return self._present().info()
        except NoIndex:
            return NEVER_LOADED

    def load(
        self,
        parts: Sequence[Path],
        *,
        catalog: Catalog,
        applied_through: int,
        counted: Counts | None = None,  # noqa: ARG002 - each record is looked at anyway
    ) -> IndexInfo:
        with self._writing:
            self._prepare()
            self._lock.take()
            self._sweep()
            description = describe(catalog)
            folder = self._generations / description.generation
            folder.mkdir()
            try:
                self._build(folder, description, catalog, parts, applied_through)
                self._close_engine()
                files.replace(self._pointer, description.generation.encode())
            finally:
                self._sweep()
            return self._present().info()

    def write(self, views: Iterable[View], *, applied_through: int, repair: bool = False) -> None:
        with self._writing:
            engine = self._present()
            self._lock.take()
            engine.write(views, applied_through, repair=repair)

    def get(self, view: str, uri: str) -> View | None:
        return self._present().get(view, uri)

    def scan(self, view: str | None = None) -> Iterator[View]:
        return self._present().scan(view)

    def search(self, query: Query) -> Results:
        return self._present().search(query)

    def close(self) -> None:
        with self._writing:
            self._close_engine()
            self._lock.release()

    def _prepare(self) -> None:
        """Make the folder; one with other things in it is not taken."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            others = {entry.name for entry in self._path.iterdir()} - _OURS
            if others:
                raise UnusableIndex(
                    self.url, f"the folder holds something else ({min(others)})", "Name an empty or a new folder"
                )
            self._generations.mkdir(exist_ok=True)
        except OSError as error:
            raise UnusableIndex(self.url, f"no index can be made there ({error.strerror})", "Name a folder") from None

    def _build(
        self, folder: Path, description: Description, catalog: Catalog, parts: Sequence[Path], applied_through: int
    ) -> None:
        engine = Engine.create(folder, catalog, description.generation, self.url)
        engine.load(open_parts(parts), applied_through)
        (folder / _DESCRIPTION).write_bytes(msgspec.json.encode(description))
        for path in (*folder.iterdir(), folder, self._generations):
            files.sync(path)

    def _sweep(self) -> None:
        """Remove what loads left behind, finished or not: everything but the current generation."""
        current = self._pointer.read_text() if self._pointer.exists() else None
        for folder in self._generations.iterdir():
            if folder.name != current:
                shutil.rmtree(folder)

    def _present(self) -> Engine:
        """The engine of the current generation, opened when it is another than the last time."""
        for _ in range(OPEN_ATTEMPTS_MAX):
            pointer = self._pointed()
            opened = self._opened
            if opened is not None and opened[0] == pointer:
                return opened[1]
            with self._opening:
                try:
                    engine = self._open(self._pointer.read_text())
                except (FileNotFoundError, EngineFailed) as error:
                    if pointer == self._pointed():
                        raise CorruptIndex(self.url, f"its current generation can't be read ({error})") from None
                    continue
                if pointer == self._pointed():
                    self._opened = pointer, engine
                    return engine
        raise EngineFailed(self.url, "it was replaced again and again while it was being opened")

    def _open(self, generation: str) -> Engine:
        folder = self._generations / generation
        try:
            description = msgspec.json.decode((folder / _DESCRIPTION).read_bytes(), type=Description)
        except msgspec.MsgspecError as error:
            raise CorruptIndex(self.url, f"{_DESCRIPTION} is damaged ({error})") from None
        return Engine.open(folder, description.catalog(self.url), description.generation, self.url)

    def _pointed(self) -> _Pointer:
        try:
            status = self._pointer.stat()
        except FileNotFoundError:
            raise NoIndex(self.url) from None
        except NotADirectoryError:
            raise UnusableIndex(self.url, "that is a file", "Name the index's folder") from None
        return status.st_ino, status.st_mtime_ns

    def _close_engine(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

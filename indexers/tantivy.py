"""`tantivy:PATH`: the embedded engine in a folder.

    PATH/generations/NAME/      one generation: the engine's files, and
        generation.json         what describes it; a folder without it is what a crash left behind
        lock                    held by the process that writes the generation
    PATH/current                the name of the generation that is searched; below it, which a load brings or replaces
    PATH/lock                   held by the process that changes which generations there are, and which is current
    PATH/lease, lease.lock      the right to make another one current

A generation is built aside, and then `current` is replaced. Readers look at `current` and at the engine's own commit
file before each search, which costs microseconds and makes them see a commit or a switch at once.
"""

import shutil
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec

from assets.catalog import Catalog
from assets.model import NEVER
from denormalizer.view import View
from indexers import files
from indexers.engine import Engine
from indexers.engine.reading import Reading
from indexers.errors import (
    CorruptIndex,
    EngineFailed,
    IndexBusy,
    NoGeneration,
    NoIndex,
    UnusableIndex,
)
from indexers.following import Following
from indexers.generations import (
    Description,
    check_complete,
    check_expected,
    check_retired,
    check_unfinished,
    created,
    describe,
    is_name,
)
from indexers.leases import FileLease
from indexers.limits import CHANGE_WAIT_SECONDS_MAX, OPEN_ATTEMPTS_MAX
from indexers.port import (
    Counts,
    GenerationInfo,
    IndexInfo,
    Lease,
)
from indexers.records import open_parts

_DESCRIPTION: Final = "generation.json"
_LOCK: Final = "lock"
_OURS: Final = {"generations", "current", "current.new", "lock", "lease", "lease.new", "lease.lock"}

_FileTime = tuple[int, int]


class _Pointer(NamedTuple):
    """What `current` says."""

    current: str
    """Empty when there is none yet."""
    doomed: Sequence[str]
    """Generations that a load brings or replaces: they go, unless they are current."""


class TantivyGeneration(Reading):
    """One generation in its folder. Threads may share it."""

    def __init__(self, folder: Path, description: Description, url: str) -> None:
        self.engine = Engine.open(folder, description.catalog(url), description.generation, url)
        self._folder = folder
        self._url = url
        self._lock = files.FileLock(folder / _LOCK)
        self._writing = Lock()

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        with self._writing:
            self._take_lock()
            self.engine.write(views, applied_through, repair=repair, remove=remove)

    def extend(self, parts: Sequence[Path], loaded: int) -> None:
        """Add records to an unfinished one."""
        with self._writing:
            check_unfinished(self._url, self._take_lock(), self.engine.loaded, loaded)
            self.engine.extend(open_parts(parts), loaded)

    def finish(self, applied_through: int) -> None:
        """Make an unfinished one complete."""
        with self._writing:
            description = self._take_lock()
            check_unfinished(self._url, description)
            self.engine.finish(applied_through)
            _describe(self._folder, description.finished())

    def _reader(self) -> Engine:
        return self.engine

    def close(self) -> None:
        with self._writing:
            self.engine.close()
            self._lock.release()

    def _take_lock(self) -> Description:
        """Be the one that writes; gives the description as it is from then on.

        Raises:
            IndexBusy: another process is.
            NoGeneration: it was removed.
        """
        try:
            if not self._lock.take():
                raise IndexBusy(self._url)
            return _description(self._folder, self._url)
        except OSError as error:
            self._lock.release()
            if isinstance(error, FileNotFoundError):
                raise NoGeneration(self._url, self._folder.name) from None
            raise EngineFailed(self._url, str(error)) from error


class TantivyIndex(Following):
    """Generations in a folder, of which one is current."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path.absolute()
        self._pointer = self._path / "current"
        self._generations = self._path / "generations"
        self._lock = files.FileLock(self._path / _LOCK)
        self._lease = FileLease(self._path / "lease", self.url)
        self._opening = Lock()
        self._opened: tuple[_FileTime, TantivyGeneration] | None = None
        self._handles: WeakValueDictionary[str, TantivyGeneration] = WeakValueDictionary()
        """What is in use: of one generation there is one, as the engine has one writer."""
        self._building: dict[str, TantivyGeneration] = {}
        """Their writers stay open from one `extend` to the next."""

    @property
    def url(self) -> str:
        return f"tantivy:{self._path}"

    def load(
        self,
        parts: Sequence[Path],
        *,
        catalog: Catalog,
        applied_through: int,
        counted: Counts | None = None,  # noqa: ARG002 - each record is looked at anyway
    ) -> IndexInfo:
        with self._changing():
            former = self._pointed().current
            description = describe(catalog)
            name = description.generation
            with self._seized(former):
                # From here on the new one is swept, unless it becomes current; from then on the former one is.
                self._point(former, name)
                try:
                    self._make(description, catalog, parts, applied_through)
                    self._point(name, former)
                finally:
                    self._sweep()
            return self._present().info()

    def generations(self) -> Sequence[GenerationInfo]:
        if not self._generations.exists():
            return []
        current = self._pointed().current
        folders = sorted(self._generations.iterdir())
        return [info for folder in folders if (info := self._about(folder, current)) is not None]

    def generation(self, name: str) -> TantivyGeneration:
        with self._opening:
            check_complete(self.url, self._described(name))
            return self._handle(name)

    def catalog(self, name: str | None = None) -> Catalog:
        for _ in range(OPEN_ATTEMPTS_MAX):
            current = self._pointed().current
            if not (name or current):
                raise NoIndex(self.url)
            try:
                return self._described(name or current).catalog(self.url)
            except NoGeneration:
                if name or current == self._pointed().current:
                    raise
        raise self._never_still()

    def begin(self, catalog: Catalog) -> str:
        with self._changing():
            description = describe(catalog, complete=False)
            self._make(description, catalog, [], NEVER)
            return description.generation

    def extend(self, name: str, parts: Sequence[Path], *, loaded: int) -> None:
        self._build(name).extend(parts, loaded)

    def finish(self, name: str, *, applied_through: int) -> None:
        with _failures(self.url):
            self._build(name).finish(applied_through)
        self._building.pop(name).close()

    def switch(self, name: str, *, expected: str, token: int) -> None:
        with self._changing():
            self._lease.check(token)
            check_expected(self.url, expected, self._pointed().current)
            # It must be one that can be read.
            self.generation(name).info()
            self._point(name)

    def remove(self, name: str) -> None:
        with self._changing():
            folder = self._folder(name)
            check_retired(self.url, name, self._pointed().current)
            with self._seized(name):
                self._delete(folder)

    def lease(self, holder: str) -> AbstractContextManager[Lease]:
        with _failures(self.url):
            self._prepare()
        return self._lease.held(holder)

    def close(self) -> None:
        with self._changes:
            for handle in [*self._handles.values()]:
                handle.close()
            self._building.clear()
            self._opened = None

    # ------------------------------------------------------------------------------------- which generations there are

    @contextmanager
    def _changing(self) -> Generator[None]:
        """One at a time, over all processes; each finds swept what a killed one left behind."""
        with self._changes, _failures(self.url):
            self._prepare()
            if not self._lock.take(CHANGE_WAIT_SECONDS_MAX):
                raise IndexBusy(self.url)
            try:
                self._sweep()
                yield
            finally:
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

    def _make(self, description: Description, catalog: Catalog, parts: Sequence[Path], applied_through: int) -> None:
        """A generation's folder, all of it on the disk."""
        folder = self._generations / description.generation
        folder.mkdir()
        engine = Engine.create(folder, catalog, description.generation, self.url)
        engine.load(open_parts(parts), applied_through)
        for path in (*folder.iterdir(), self._generations, self._path, self._path.parent):
            files.sync(path)
        _describe(folder, description)

    def _point(self, current: str, *doomed: str) -> None:
        files.replace(self._pointer, "\n".join((current, *doomed)).encode())

    def _pointed(self) -> _Pointer:
        try:
            current, *doomed = self._pointer.read_text().split("\n")
        except FileNotFoundError:
            return _Pointer("", ())
        except NotADirectoryError:
            raise self._is_a_file() from None
        return _Pointer(current, doomed)

    def _sweep(self) -> None:
        """Remove what was left behind on the way into being and out of it."""
        current, doomed = self._pointed()
        for folder in self._generations.iterdir():
            if folder.name != current and (folder.name in doomed or not (folder / _DESCRIPTION).exists()):
                self._delete(folder)

    @contextmanager
    def _seized(self, name: str) -> Generator[None]:
        """Nobody writes to this generation meanwhile, we included."""
        folder = self._generations / name
        if not name or not folder.exists():
            yield
            return
        self._building.pop(name, None)
        handle = self._handles.get(name)
        if handle is not None:
            handle.close()
        lock = files.FileLock(folder / _LOCK)
        if not lock.take():
            raise IndexBusy(self.url)
        try:
            yield
        finally:
            lock.release()

    def _delete(self, folder: Path) -> None:
        (folder / _DESCRIPTION).unlink(missing_ok=True)
        files.sync(folder)
        shutil.rmtree(folder)
        self._handles.pop(folder.name, None)

    # ---------------------------------------------------------------------------------------------- what is open of them

    def _present(self) -> TantivyGeneration:
        """The current generation, opened when it is another than the last time."""
        for _ in range(OPEN_ATTEMPTS_MAX):
            time = self._pointed_at()
            opened = self._opened
            if opened is not None and opened[0] == time:
                return opened[1]
            with self._opening:
                current = self._pointed().current
                if not current:
                    raise NoIndex(self.url)
                try:
                    handle = self._handle(current)
                except (NoGeneration, EngineFailed) as error:
                    if time == self._pointed_at():
                        raise CorruptIndex(self.url, f"its current generation can't be read ({error})") from None
                    continue
                if time == self._pointed_at():
                    self._opened = time, handle
                    return handle
        raise self._never_still()

    def _pointed_at(self) -> _FileTime:
        try:
            status = self._pointer.stat()
        except FileNotFoundError:
            raise NoIndex(self.url) from None
        except NotADirectoryError:
            raise self._is_a_file() from None
        return status.st_ino, status.st_mtime_ns

    def _handle(self, name: str) -> TantivyGeneration:
        """What is open of a generation; `_opening` is held."""
        handle = self._handles.get(name)
        if handle is None:
            handle = TantivyGeneration(self._generations / name, self._described(name), self.url)
            self._handles[name] = handle
        return handle

    def _build(self, name: str) -> TantivyGeneration:
        with self._opening:
            self._described(name)
            return self._building.setdefault(name, self._handle(name))

    def _described(self, name: str) -> Description:
        try:
            return _description(self._folder(name), self.url)
        except FileNotFoundError:
            raise NoGeneration(self.url, name) from None

    def _folder(self, name: str) -> Path:
        """Where a generation lies, be it damaged or not.

        Raises:
            NoGeneration: there is none of this name, or it is about to be swept.
        """
        current, doomed = self._pointed()
        folder = self._generations / name
        is_swept = name in doomed and name != current
        if not is_name(name) or is_swept or not (folder / _DESCRIPTION).exists():
            raise NoGeneration(self.url, name)
        return folder

    def _about(self, folder: Path, current: str) -> GenerationInfo | None:
        """What is to be said of a generation; nothing when it is not there any more, or not all of it yet."""
        digest, applied_through, loaded, complete = "", NEVER, 0, False
        try:
            description = self._described(folder.name)
            digest = description.catalog_digest
            with self._opening:
                engine = self._handle(folder.name).engine
            loaded = engine.loaded
            if description.complete:
                applied_through, complete = engine.applied_through, True
        except NoGeneration:
            return None
        except (CorruptIndex, EngineFailed, UnusableIndex):
            pass
        return GenerationInfo(
            name=folder.name,
            catalog_digest=digest,
            applied_through=applied_through,
            loaded=loaded,
            current=folder.name == current,
            complete=complete,
            created=created(folder.name),
            bytes=files.size(folder),
        )

    def _is_a_file(self) -> UnusableIndex:
        return UnusableIndex(self.url, "that is a file", "Name the index's folder")

    def _never_still(self) -> EngineFailed:
        return EngineFailed(self.url, "it was replaced again and again while it was being opened")


def _describe(folder: Path, description: Description) -> None:
    files.replace(folder / _DESCRIPTION, msgspec.json.encode(description))


def _description(folder: Path, url: str) -> Description:
    try:
        return msgspec.json.decode((folder / _DESCRIPTION).read_bytes(), type=Description)
    except msgspec.MsgspecError as error:
        raise CorruptIndex(url, f"{_DESCRIPTION} is damaged ({error})") from None


@contextmanager
def _failures(url: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise EngineFailed(url, str(error)) from error

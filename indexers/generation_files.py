"""Where the generations of `jsonl:PATH` lie, and how another one gets to be the file at PATH.

    PATH                              the current generation's records, described by PATH.meta.json
    PATH.generations/NAME             another generation's, described by NAME.meta.json
    PATH.generations/NAME.lock        held by the process that writes the generation
    PATH.lock                         held by the process that moves, makes or removes any of these files

A generation that lies at PATH lies nowhere else: what bears its name in the folder is a link of a switch under way, or
left of a killed one.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import BinaryIO

from indexers import files
from indexers.described_file import DescribedFile, Meta, beside
from indexers.errors import CorruptIndex, EngineFailed, IndexBusy, NoGeneration, NoIndex, UnusableIndex
from indexers.generations import is_name
from indexers.limits import CHANGE_WAIT_SECONDS_MAX, OPEN_ATTEMPTS_MAX


class GenerationFiles:
    """The files of one index, and the locks that this process has of them. Threads may share it."""

    def __init__(self, path: Path, url: str) -> None:
        self.url = url
        self.in_place = DescribedFile(path, url)
        """Of whichever generation is current."""
        self._path = path
        self._folder = beside(path, ".generations")
        self._lock = files.FileLock(beside(path, ".lock"))
        self._changes = RLock()
        self._writers: dict[str, files.FileLock] = {}

    @property
    def current(self) -> str | None:
        """The generation at PATH, be it damaged or not."""
        try:
            meta, file = self.in_place.open()
        except NoIndex:
            return None
        except (CorruptIndex, UnusableIndex):
            said = self.in_place.said
            return said and said.description.generation
        file.close()
        return meta.description.generation

    def beside(self, name: str) -> DescribedFile:
        """The pair in the folder."""
        return DescribedFile(self._folder / name, self.url)

    def names(self) -> Sequence[str]:
        """Every generation that there is, oldest first."""
        found = {path.name.removesuffix(".meta.json") for path in self._folder.glob("*.meta.json")}
        names = {name for name in found if self.beside(name).is_there}
        current = self.current
        return sorted(names | ({current} if current else set[str]()))

    def open(self, name: str | None) -> tuple[DescribedFile, Meta, BinaryIO]:
        """Where a generation lies, or the current one; and what it says, and its data, which stays readable.

        Raises:
            NoIndex: no name is given, and nothing was ever loaded.
            NoGeneration: there is none of this name.
            UnusableIndex, CorruptIndex: it can't be read.
        """
        if name is None:
            return self.in_place, *self.in_place.open()
        # It may move between two looks.
        for _ in range(OPEN_ATTEMPTS_MAX if is_name(name) else 0):
            if self.current == name:
                meta, file = self.in_place.open()
                if meta.description.generation == name:
                    return self.in_place, meta, file
                file.close()
            place = self.beside(name)
            try:
                return place, *place.open()
            except (NoIndex, UnusableIndex):
                continue
        raise NoGeneration(self.url, name)

    def check_folder(self) -> None:
        """Raises UnusableIndex where no file can be made."""
        if not self._path.parent.is_dir():
            raise UnusableIndex(
                self.url, "nothing can be written there (No such folder)", "Name a file in a folder that exists"
            )

    @contextmanager
    def changing(self) -> Generator[None]:
        """One at a time, over all processes; each finds swept what a killed one left behind."""
        with self._changes:
            try:
                free = self._lock.take(CHANGE_WAIT_SECONDS_MAX)
            except OSError as error:
                raise UnusableIndex(
                    self.url, f"nothing can be written there ({error.strerror})", "Name a file in a folder that exists"
                ) from None
            if not free:
                raise IndexBusy(self.url)
            try:
                self._sweep()
                yield
            except OSError as error:
                raise EngineFailed(self.url, str(error)) from error
            finally:
                self._lock.release()

    def make_folder(self) -> None:
        """Make the folder, once it is needed."""
        if not self._folder.exists():
            self._folder.mkdir()
            files.sync(self._folder.parent)

    def take_writer(self, name: str) -> None:
        """Be the one that writes a generation, until it is released.

        Raises:
            IndexBusy: another process is.
        """
        self.make_folder()
        lock = self._writers.get(name) or files.FileLock(beside(self._folder / name, ".lock"))
        if not lock.take():
            raise IndexBusy(self.url)
        self._writers[name] = lock

    @contextmanager
    def building(self, name: str) -> Generator[None]:
        """An unfinished generation is about to be added to, by us alone.

        Raises:
            NoGeneration: there is none of this name.
            IndexBusy: another process adds to it.
        """
        with self._changes:
            with self.changing():
                if not is_name(name) or name not in self.names():
                    raise NoGeneration(self.url, name)
                self.take_writer(name)
            try:
                yield
            except OSError as error:
                raise EngineFailed(self.url, str(error)) from error

    def release_writers(self, name: str | None) -> None:
        """Let others write a generation, or all of them."""
        with self._changes:
            for held in [*self._writers] if name is None else [name]:
                lock = self._writers.pop(held, None)
                if lock is not None:
                    lock.release()

    @contextmanager
    def replacing(self) -> Generator[None]:
        """The current generation is about to be replaced by a new one: nobody writes it meanwhile."""
        former = self.current
        if former is None or not self._folder.exists():
            yield
            return
        self.release_writers(former)
        self.take_writer(former)
        try:
            yield
        finally:
            self.release_writers(former)
            self._sweep()

    def switch(self, name: str) -> None:
        """Put a generation in place, and the one that is there into the folder."""
        current = self.current
        if name == current:
            return
        if current is not None:
            self.beside(current).take(self.in_place)
        self.in_place.take(self.beside(name))
        self._sweep()

    def remove(self, name: str) -> None:
        """Remove a generation from the folder.

        Raises:
            NoGeneration: there is none of this name.
            IndexBusy: another process writes it.
        """
        if not is_name(name) or not self.beside(name).is_there:
            raise NoGeneration(self.url, name)
        self.release_writers(name)
        self.take_writer(name)
        self.beside(name).remove()
        self.release_writers(name)
        self._sweep()

    def _sweep(self) -> None:
        """Remove what is left of changes that were killed, and of generations that are not there any more."""
        self.in_place.settle()
        if not self._folder.exists():
            return
        current = self.current
        for path in self._folder.iterdir():
            name, _, suffix = path.name.partition(".")
            stays = suffix == "lock" if name == current else self.beside(name).is_there
            if not stays:
                path.unlink(missing_ok=True)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

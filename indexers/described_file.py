"""A file and the description of it beside it, changed together although they are two.

    PATH             the data
    PATH.meta.json   the description; it names the data it speaks for by size and time of change

A change makes both aside, moves the data into place and then the description. The data's move is the one step that
counts: who reads in between, or after a crash there, finds the description still aside, and that it fits.

Data that is still being added to is described by its first bytes; what lies behind them is not there yet.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from indexers import files
from indexers.errors import CorruptIndex, NoIndex, UnusableIndex
from indexers.generations import Description
from indexers.limits import OPEN_ATTEMPTS_MAX


class Meta(msgspec.Struct, frozen=True):
    """The description, and what it speaks for."""

    description: Description
    applied_through: int
    bytes: int
    mtime_ns: int
    loaded: int = 0
    """What `extend` said last."""


class DescribedFile:
    """The pair at one path."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self._url = url
        self._meta = beside(path, ".meta.json")
        self._next_meta = beside(path, ".meta.json.new")
        self._next = beside(path, ".new")

    def open(self) -> tuple[Meta, BinaryIO]:
        """The description and the data it speaks for, which stays readable when it is replaced.

        Raises:
            NoIndex: there is no such file.
            UnusableIndex: it can't be read, or has no description.
            CorruptIndex: the description speaks for other data.
        """
        for _ in range(OPEN_ATTEMPTS_MAX):
            try:
                file = self.path.open("rb")
            except FileNotFoundError:
                raise NoIndex(self._url) from None
            except OSError as error:
                raise UnusableIndex(self._url, f"it can't be read ({error.strerror})", "Name a file") from None
            meta = self._fitting(file)
            if meta is not None:
                return meta, file
            file.close()
        if not self._meta.exists():
            raise UnusableIndex(self._url, f"there is no {self._meta.name} beside it", "Load it again from the log")
        raise CorruptIndex(self._url, f"{self._meta.name} speaks for another file")

    def replace(self, write: Callable[[Path], None], description: Description, applied_through: int) -> Meta:
        """Put what `write` makes at the path it is given in place of the data, with this description.

        Raises:
            OSError: it can't be written; the old pair stays.
        """

        def make(path: Path) -> Meta:
            write(path)
            return _speaking_for(path, description, applied_through)

        return self._put(make)

    def take(self, other: "DescribedFile") -> None:
        """Put another pair in place of this one. The other stays, and shares the data until one of them is replaced.

        Raises:
            OSError: it can't be written; the old pair stays.
        """
        meta, file = other.open()
        file.close()

        def link(path: Path) -> Meta:
            path.hardlink_to(other.path)
            return meta

        self._put(link)

    def begin(self, description: Description) -> None:
        """Make an empty file that is to be added to; it is there once its description is."""
        self.path.write_bytes(b"")
        files.sync(self.path)
        self._describe(Meta(description, -1, 0, 0))

    def extend(self, add: Callable[[Path, int], None], loaded: int) -> None:
        """Let `add` write behind what is there (it is given the path and where that ends), and then describe it."""
        meta, file = self.open()
        file.close()
        add(self.path, meta.bytes)
        files.sync(self.path)
        self._describe(msgspec.structs.replace(meta, bytes=self.path.stat().st_size, loaded=loaded))

    def finish(self, applied_through: int) -> Meta:
        """End the adding: from here on the data is what it is."""
        meta, file = self.open()
        file.close()
        os.truncate(self.path, meta.bytes)
        finished = _speaking_for(self.path, meta.description.finished(), applied_through, meta.loaded)
        self._describe(finished)
        return finished

    def remove(self) -> None:
        """Remove both, the description first: data alone is what a crash left behind."""
        for path in (self._meta, self._next_meta, self._next, self.path):
            path.unlink(missing_ok=True)
            files.sync(self.path.parent)

    def settle(self) -> None:
        """Finish a change that ended between its two moves, and clear away one that ended before.

        A file aside may share its data with one that is in use: nobody is to write into it.
        """
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            if self._read(self._next_meta, file) is not None:
                self._next_meta.replace(self._meta)
                files.sync(self.path.parent)
        self._next.unlink(missing_ok=True)
        self._next_meta.unlink(missing_ok=True)

    @property
    def said(self) -> Meta | None:
        """What the description says, whether it fits or not."""
        try:
            return msgspec.json.decode(self._meta.read_bytes(), type=Meta)
        except (OSError, msgspec.MsgspecError):
            return None

    @property
    def is_there(self) -> bool:
        """Whether there are data and a description, be they good or bad."""
        return self._meta.exists() and self.path.exists()

    def _put(self, make: Callable[[Path], Meta]) -> Meta:
        self.settle()
        try:
            meta = make(self._next)
            self._next_meta.write_bytes(msgspec.json.encode(meta))
            files.sync(self._next_meta)
            files.sync(self.path.parent)
        except BaseException:
            self._next.unlink(missing_ok=True)
            self._next_meta.unlink(missing_ok=True)
            raise
        self._next.replace(self.path)
        files.sync(self.path.parent)
        self._next_meta.replace(self._meta)
        return meta

    def _describe(self, meta: Meta) -> None:
        files.replace(self._meta, msgspec.json.encode(meta))

    def _fitting(self, file: BinaryIO) -> Meta | None:
        return self._read(self._meta, file) or self._read(self._next_meta, file)

    def _read(self, path: Path, file: BinaryIO) -> Meta | None:
        """The description at a path, if it speaks for this file."""
        try:
            meta = msgspec.json.decode(path.read_bytes(), type=Meta)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        status = os.fstat(file.fileno())
        if not meta.description.complete:
            return meta if meta.bytes <= status.st_size else None
        return meta if (meta.bytes, meta.mtime_ns) == (status.st_size, status.st_mtime_ns) else None


def _speaking_for(path: Path, description: Description, applied_through: int, loaded: int = 0) -> Meta:
    """The description of a file, which is on the disk from here on."""
    files.mark_time(path)
    files.sync(path)
    status = path.stat()
    return Meta(description, applied_through, status.st_size, status.st_mtime_ns, loaded)


def beside(path: Path, suffix: str) -> Path:
    """The file that belongs to this one and has its name with a suffix."""
    return path.with_name(path.name + suffix)

"""A file and the description of it beside it, changed together although they are two.

    PATH             the data
    PATH.meta.json   the description; it names the data it speaks for by size and time of change

A change makes both aside, moves the data into place and then the description. The data's move is the one step that
counts: who reads in between, or after a crash there, finds the description still aside, and that it fits.
"""

import os
import time
from collections.abc import Callable
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


class DescribedFile:
    """The pair at one path."""

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
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
                file = self._path.open("rb")
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
        self._settle()
        try:
            write(self._next)
            # Two files made within one tick of the file system's clock would look the same.
            now = time.time_ns()
            os.utime(self._next, ns=(now, now))
            files.sync(self._next)
            status = self._next.stat()
            meta = Meta(description, applied_through, status.st_size, status.st_mtime_ns)
            self._next_meta.write_bytes(msgspec.json.encode(meta))
            files.sync(self._next_meta)
            files.sync(self._path.parent)
        except BaseException:
            self._next.unlink(missing_ok=True)
            self._next_meta.unlink(missing_ok=True)
            raise
        self._next.replace(self._path)
        files.sync(self._path.parent)
        self._next_meta.replace(self._meta)
        return meta

    def _settle(self) -> None:
        """Finish a change that ended between its two moves: its description is about to be overwritten."""
        try:
            with self._path.open("rb") as file:
                if self._read(self._next_meta, file) is not None:
                    self._next_meta.replace(self._meta)
                    files.sync(self._path.parent)
        except FileNotFoundError:
            return

    def _fitting(self, file: BinaryIO) -> Meta | None:
        return self._read(self._meta, file) or self._read(self._next_meta, file)

    def _read(self, path: Path, file: BinaryIO) -> Meta | None:
        """The description at a path, if it speaks for this file."""
        try:
            meta = msgspec.json.decode(path.read_bytes(), type=Meta)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        status = os.fstat(file.fileno())
        return meta if (meta.bytes, meta.mtime_ns) == (status.st_size, status.st_mtime_ns) else None


def beside(path: Path, suffix: str) -> Path:
    """The file that belongs to this one and has its name with a suffix."""
    return path.with_name(path.name + suffix)

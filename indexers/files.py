"""Files that survive a crash: replaced whole, forced to the disk; and the lock that lets one process write."""

import fcntl
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from indexers.errors import IndexBusy


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, data: bytes) -> None:
    """Put a small file in place of another: whoever reads, now or after a crash, finds all of one of them."""
    aside = path.with_name(f"{path.name}.new")
    aside.write_bytes(data)
    sync(aside)
    aside.replace(path)
    sync(path.parent)


def append(parts: Sequence[BinaryIO], target: Path) -> None:
    """Add to a file what is in all of these, in order, inside the kernel where the file system lets us."""
    target.touch()
    # Not opened for appending: the kernel copies nothing into such a file.
    with target.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        for part in parts:
            left = os.fstat(part.fileno()).st_size
            try:
                while left > 0:
                    copied = os.copy_file_range(part.fileno(), file.fileno(), left)
                    if copied == 0:
                        break
                    left -= copied
            except OSError:
                if left < os.fstat(part.fileno()).st_size:
                    raise
                shutil.copyfileobj(part, file, 1 << 20)
            file.seek(0, os.SEEK_END)
        file.flush()
        os.fsync(file.fileno())


class WriterLock:
    """Held by the one process that writes an index; the system takes it back however the process ends."""

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._url = url
        self._file: BinaryIO | None = None

    def take(self) -> None:
        """Take the lock, unless it is held already.

        Raises:
            IndexBusy: another process holds it.
        """
        if self._file is not None:
            return
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise IndexBusy(self._url) from None
        self._file = file

    def release(self) -> None:
        """Let another process write."""
        if self._file is not None:
            self._file.close()
            self._file = None

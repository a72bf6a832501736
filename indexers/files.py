"""Files that survive a crash: replaced whole, forced to the disk; and the lock that lets one process write."""

import fcntl
import os
import shutil
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

_POLL_SECONDS: Final = 0.01


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
    mark_time(aside)
    sync(aside)
    aside.replace(path)
    sync(path.parent)


def mark_time(path: Path) -> None:
    """Give a file a time of change that no other has: two made within one tick of the file system's clock would look
    the same.
    """
    now = time.time_ns()
    os.utime(path, ns=(now, now))


def size(folder: Path) -> int:
    """Bytes of the files in a folder, of those that stay long enough to be looked at."""
    total = 0
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def concatenate(parts: Sequence[BinaryIO], target: Path, start: int = 0) -> None:
    """Write what is in all of these, in order, inside the kernel where the file system lets us.

    From `start` on, and nothing stays of what the file had behind it.
    """
    with target.open("r+b" if start else "wb") as file:
        file.truncate(start)
        file.seek(start)
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


class FileLock:
    """Held by one process, by one object in it; the system takes it back however the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._release: weakref.finalize[..., FileLock] | None = None

    def take(self, wait_seconds: float = 0.0) -> bool:
        """Take the lock, unless it is held already; False if another one holds it, so long."""
        if self._release is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        end = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    os.close(descriptor)
                    return False
                time.sleep(_POLL_SECONDS)
            else:
                # What is forgotten without a word must not hold up the others.
                self._release = weakref.finalize(self, os.close, descriptor)
                return True

    def release(self) -> None:
        """Let another one take it."""
        if self._release is not None:
            self._release()
            self._release = None

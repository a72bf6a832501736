"""A lease in a folder: one process at a time may change what is current, and who comes late is told apart by number.

    PATH.lock   held by the process that has the lease
    PATH        the latest lease granted: its token, who took it, and when

The lock ends with the process that holds it; the token tells the holder of an ended lease from its successor.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from indexers import files
from indexers.errors import CorruptIndex, EngineFailed, LeaseHeld, LeaseLost
from indexers.limits import HOLDER_CHARACTERS_MAX
from indexers.port import Lease

_NEVER_GRANTED = Lease(0, "somebody", 0)


def next_lease(former: Lease | None, holder: str) -> Lease:
    """The lease that follows a former one."""
    token = 1 if former is None else former.token + 1
    return Lease(token, holder[:HOLDER_CHARACTERS_MAX], int(time.time()))


def check_token(url: str, latest: Lease | None, token: int) -> None:
    """See that a lease is the latest granted.

    Raises:
        LeaseLost: another one was granted since, or this one never.
    """
    granted = 0 if latest is None else latest.token
    if token != granted:
        raise LeaseLost(url, token, granted)


class FileLease:
    """The lease that is kept at one path."""

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._url = url

    @contextmanager
    def held(self, holder: str) -> Generator[Lease]:
        """Take the lease until the block ends.

        Raises:
            LeaseHeld: another one has it.
            EngineFailed: the disk is full or failing.
        """
        lock = files.FileLock(self._path.with_name(f"{self._path.name}.lock"))
        try:
            yield self._grant(lock, holder)
        finally:
            lock.release()

    def check(self, token: int) -> None:
        """See that a lease is the latest granted.

        Raises:
            LeaseLost: another one was granted since, or this one never.
        """
        check_token(self._url, self._latest(), token)

    def _grant(self, lock: files.FileLock, holder: str) -> Lease:
        try:
            if not lock.take():
                latest = self._latest() or _NEVER_GRANTED
                raise LeaseHeld(self._url, latest.holder, latest.since)
            lease = next_lease(self._latest(), holder)
            files.replace(self._path, msgspec.json.encode(lease))
        except OSError as error:
            raise EngineFailed(self._url, str(error)) from error
        return lease

    def _latest(self) -> Lease | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Lease)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise CorruptIndex(self._url, f"{self._path.name} can't be read ({error})") from None

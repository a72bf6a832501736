"""Waiting for an index to reflect an offset: how a publisher reads its own write."""

from time import monotonic, sleep

from indexers.errors import IndexBehind
from indexers.limits import WAIT_POLL_SECONDS
from indexers.port import Index


def wait_for(index: Index, offset: int, timeout_seconds: float) -> None:
    """Wait until an index reflects an offset.

    Raises:
        IndexBehind: the time is up.
    """
    end = monotonic() + timeout_seconds
    while (applied := index.applied_through()) < offset:
        left = end - monotonic()
        if left <= 0:
            raise IndexBehind(index.url, offset, applied, timeout_seconds)
        sleep(min(WAIT_POLL_SECONDS, left))

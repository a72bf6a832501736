"""Waiting for an index to reflect an offset: how a publisher reads its own write."""

from time import monotonic, sleep

from indexers.errors import IndexBehind
from indexers.limits import WAIT_POLL_SECONDS
from indexers.port import Index, IndexInfo


def wait_for(index: Index, offset: int, timeout_seconds: float) -> IndexInfo:
    """Wait until an index reflects an offset; returns what it then says of itself.

    Raises:
        IndexBehind: the time is up.
    """
    end = monotonic() + timeout_seconds
    while (info := index.info()).applied_through < offset:
        left = end - monotonic()
        if left <= 0:
            raise IndexBehind(index.url, offset, info.applied_through, timeout_seconds)
        sleep(min(WAIT_POLL_SECONDS, left))
    return info

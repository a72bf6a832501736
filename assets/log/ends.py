"""The last messages of a log, whose offsets may have gaps."""

from collections import deque
from collections.abc import Sequence

from assets.log.port import Log
from assets.model import Message


def last_messages(log: Log, last: int, count: int) -> Sequence[Message]:
    """The last so many up to offset `last`, oldest first."""
    span = count
    while span:
        start = max(last + 1 - span, 0)
        found = deque(log.read(start, last), maxlen=count)
        if len(found) == count or start == 0:
            return found
        span *= 2
    return ()

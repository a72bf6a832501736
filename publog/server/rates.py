"""How many requests each key makes in a time."""

import math
import time
from typing import Final

from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from publog.keys import Key, parse_rate
from publog.server.limits import KEY_RATE
from publog.server.problems import Problem

_KEY_RATE: Final = parse_rate(KEY_RATE)


class Rates:
    """Counts the requests of each key."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, key: Key) -> None:
        """One more request of this key.

        Raises:
            Problem: that is one too many.
        """
        rate = _KEY_RATE if key.rate is None else parse_rate(key.rate)
        if self._limiter.hit(rate, key.id):
            return
        seconds = max(1, math.ceil(self._limiter.get_window_stats(rate, key.id).reset_time - time.time()))
        raise Problem(
            429,
            "rate-limited",
            "Too many requests with this key",
            f"The key {key.id} may make {rate}; come again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )

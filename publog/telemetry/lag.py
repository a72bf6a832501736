"""How long an index has been behind its log. A message says when it was published, which may be years before it came."""

from collections import deque
from threading import Lock
from typing import Final, NamedTuple

SAMPLES_MAX: Final = 1_024
"""Ends of the log that are remembered with their times; of more, every other one is forgotten."""


class _Sample(NamedTuple):
    seconds: float
    last: int


class LagClock:
    """Remembers when this process saw the log grow. It knows of nothing that came before it began to look."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        self._changing = Lock()

    def seen(self, last: int, applied_through: int, now: float) -> None:
        """The log ends at `last` and the index reflects `applied_through`; `now` is of a clock that never goes back."""
        with self._changing:
            samples = self._samples
            while samples and samples[0].last <= applied_through:
                samples.popleft()
            if last > (samples[-1].last if samples else applied_through):
                samples.append(_Sample(now, last))
            if len(samples) > SAMPLES_MAX:
                self._samples = deque([*samples][::2])

    def seconds(self, now: float) -> float:
        """Since when a message is there that the index does not reflect; 0 where there is none."""
        with self._changing:
            return max(now - self._samples[0].seconds, 0.0) if self._samples else 0.0

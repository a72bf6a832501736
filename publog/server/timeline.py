"""When what came in through this server was appended, and when searches found it: publish-to-visible, message by message."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Condition, Thread
from typing import Final

import msgspec

MESSAGES_KEPT_MAX: Final = 10_000
"""Messages whose times are remembered, the latest."""

POLL_SECONDS: Final = 0.02
"""How often the index is looked at while something is not searchable yet."""

PATIENCE_SECONDS: Final = 120.0
"""How long the index is looked at in vain: nothing may be filling it."""


class Times(msgspec.Struct):
    """Seconds since 1970-01-01T00:00:00Z."""

    offset: int
    received: float
    appended: float
    searchable: float | None = None


class Timeline:
    """The times of the latest messages. Looks at the index only while there is something to wait for."""

    def __init__(self, applied_through: Callable[[], int], on_searchable: Callable[[float], None]) -> None:
        """`on_searchable` is told how many seconds a message took from its arrival."""
        self._applied_through = applied_through
        self._on_searchable = on_searchable
        self._times: OrderedDict[str, Times] = OrderedDict()
        self._waiting: list[Times] = []
        self._changed = Condition()
        self._is_closed = False
        self._thread: Thread | None = None

    def appended(self, messages: Iterable[tuple[str, int]], received: float) -> None:
        """These ids and offsets are durable as of now."""
        now = time.time()
        with self._changed:
            for id_, offset in messages:
                if id_ in self._times:
                    continue
                self._times[id_] = made = Times(offset, received, now)
                self._waiting.append(made)
            while len(self._times) > MESSAGES_KEPT_MAX:
                self._times.popitem(last=False)
            del self._waiting[:-MESSAGES_KEPT_MAX]
            if self._waiting and self._thread is None:
                self._thread = Thread(target=self._watch, name="timeline", daemon=True)
                self._thread.start()

    def of(self, id_: str) -> Times | None:
        """What is known of a message."""
        with self._changed:
            return self._times.get(id_)

    def close(self) -> None:
        """Look no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _watch(self) -> None:
        seen = -1
        moved = time.monotonic()
        while True:
            applied = self._look(seen)
            now = time.time()
            with self._changed:
                for times in self._waiting:
                    if times.offset <= applied:
                        times.searchable = now
                        self._on_searchable(now - times.received)
                self._waiting = [times for times in self._waiting if times.searchable is None]
                if applied > seen:
                    seen, moved = applied, time.monotonic()
                if time.monotonic() - moved > PATIENCE_SECONDS:
                    self._waiting.clear()
                if not self._waiting or self._is_closed:
                    self._thread = None
                    return
                self._changed.wait(POLL_SECONDS)

    def _look(self, otherwise: int) -> int:
        try:
            return self._applied_through()
        except Exception:  # noqa: BLE001 - an index that can't be read now may be the next time
            return otherwise

"""Waiting for the index to reflect an offset: however many wait, one looks."""

from collections.abc import Callable
from threading import Event

import anyio
from anyio.to_thread import run_sync

from assets.model import NEVER
from publog.server.limits import WAIT_POLL_SECONDS


class Watch:
    """What the index reflects, for those who wait in one event loop."""

    def __init__(self, applied_through: Callable[[], int]) -> None:
        self._applied_through = applied_through
        self._looking: anyio.Event | None = None
        self._ended = Event()
        self.seen = NEVER
        """What the last look saw."""

    async def past(self, offset: int, seconds: float) -> bool:
        """Whether the index reflects an offset, at the latest after these seconds or when the server is to end."""
        await self._look()
        with anyio.move_on_after(seconds):
            while self.seen < offset and not self._ended.is_set():
                await self._next()
        return self.seen >= offset

    def end(self) -> None:
        """Let nobody wait any more. A signal's handler may call it."""
        self._ended.set()

    @property
    def is_ended(self) -> bool:
        return self._ended.is_set()

    async def _next(self) -> None:
        if self._looking is not None:
            await self._looking.wait()
            return
        # Whoever comes first looks for all; when that one goes, another does.
        self._looking = looking = anyio.Event()
        try:
            await anyio.sleep(WAIT_POLL_SECONDS)
            await self._look()
        finally:
            self._looking = None
            looking.set()

    async def _look(self) -> None:
        self.seen = await run_sync(self._applied_through)

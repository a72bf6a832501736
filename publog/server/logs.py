"""The server's log on standard error, written beside the event loop: nobody waits for who does not read it."""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from queue import Full, Queue
from threading import Thread
from typing import Final

from publog.server.limits import LOG_LINES_MAX, LOG_STOP_SECONDS_MAX


class LinesHandler(logging.Handler):
    """Gives lines to a thread. Those for which there is no room are counted instead."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Final[Queue[str | None]] = Queue(LOG_LINES_MAX)
        self._lost = 0
        # It may wait for ever, and must not keep the process.
        self._thread = Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except Full:
            self._lost += 1

    def close(self) -> None:
        """Write what is left, if somebody reads it."""
        with suppress(Full):
            self._lines.put(None, timeout=LOG_STOP_SECONDS_MAX)
            self._thread.join(LOG_STOP_SECONDS_MAX)
        super().close()

    def _write(self) -> None:
        with suppress(OSError, ValueError):
            while (line := self._lines.get()) is not None:
                lost, self._lost = self._lost, 0
                if lost:
                    line = f"{lost} lines of this log are lost: nobody read them\n{line}"
                sys.stderr.write(line + "\n")
                sys.stderr.flush()


@contextmanager
def logging_lines() -> Generator[None]:
    """Everything that is logged goes to standard error like this, while the block lasts."""
    handler = LinesHandler()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:], root.level = before
        handler.close()

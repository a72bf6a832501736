"""The server's log on standard error, written beside the event loop: nobody waits for who does not read it."""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from queue import Full, Queue
from threading import Thread
from typing import Final

from publog.server.limits import LOG_LINES_MAX, LOG_STOP_SECONDS_MAX
from publog.telemetry.logs import Form, form_of, telling

_log: Final = logging.getLogger("publog.log")


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
                    text = f"{lost} lines of this log are lost: nobody read them"
                    told = _log.makeRecord(_log.name, logging.WARNING, __file__, 0, text, (), None)
                    line = f"{self.format(told)}\n{line}"
                sys.stderr.write(line + "\n")
                sys.stderr.flush()


@contextmanager
def logging_lines() -> Generator[Form]:
    """Everything that is logged goes to standard error like this, while the block lasts; gives in which form."""
    form = form_of() or ("text" if sys.stderr.isatty() else "json")
    handler = LinesHandler()
    try:
        with telling(handler, form):
            yield form
    finally:
        handler.close()

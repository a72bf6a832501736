"""The one log that keeps what is published, for ever: a port, and an adapter for each place it can live in.

Messages go in as whole transactions and come out in offset order; schemas and catalogs stay beside them, so that a log
can be read by itself. Nothing here validates an asset or looks inside a payload.
"""

from pathlib import Path
from typing import Final

from assets.errors import UnusableLog
from assets.log.memory import MemoryLog
from assets.log.port import Log
from assets.log.sqlite import SqliteLog

__all__ = ["Log", "open_log"]

_URLS: Final = (
    "a log is sqlite:PATH (a file, made when it is not there), memory:NAME (shared inside this process, gone with it)"
    ", memory: (a new one, for nobody else), or kafka://HOST:PORT/TOPIC"
)


def open_log(url: str, *, create: bool = True) -> Log:
    """Open a log; `create` makes one where there is none.

    Raises:
        UnusableLog: the URL names nothing that can be opened; its message says what to do.
        LogBusy: another process keeps it locked.
        LogUnreachable: its server doesn't answer.
    """
    scheme, separator, place = url.partition(":")
    match scheme:
        case "memory" if separator:
            return MemoryLog(place, create=create)
        case "sqlite" if place and "\0" not in place:
            return SqliteLog(Path(place), create=create)
        case "kafka":
            # Not before it is asked for: nobody else waits for the client to load.
            from assets.log.kafka import KafkaLog  # noqa: PLC0415

            return KafkaLog(url, create=create)
        case _:
            raise UnusableLog(f"{url!r} names no log: {_URLS}")

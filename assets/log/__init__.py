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

__all__ = ["Log", "create_log", "open_log"]

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


def create_log(url: str, replication: int | None = None, min_insync_replicas: int | None = None) -> bool:
    """Make a log; False where it was there already, which is left as it is.

    Args:
        url: As for `open_log`.
        replication: On Kafka, how many brokers keep each message; by default what the brokers say.
        min_insync_replicas: On Kafka, how many of them must have it before it is acknowledged.

    Raises:
        UnusableLog: it can't be made; on Kafka as when there are fewer brokers than `replication`.
    """
    if url.startswith("kafka:"):
        from assets.log.kafka.place import parse_place  # noqa: PLC0415 - as above
        from assets.log.kafka.topics import BROKERS_DEFAULT, create_topics  # noqa: PLC0415

        return create_topics(parse_place(url), replication or BROKERS_DEFAULT, min_insync_replicas)
    if replication is not None or min_insync_replicas is not None:
        raise UnusableLog(f"{url} is no log on Kafka: it is kept in one place, without replication")
    try:
        open_log(url, create=False).close()
    except UnusableLog:
        open_log(url).close()
        return True
    return False

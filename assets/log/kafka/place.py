"""Where a log on Kafka is: its URL, and the client's settings."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from confluent_kafka import KafkaError

from assets.errors import UnusableLog
from assets.limits import (
    KAFKA_FOLLOW_BYTES,
    KAFKA_FOLLOW_SECONDS,
    KAFKA_POLL_SECONDS,
    KAFKA_QUEUE_BYTES,
    KAFKA_RECORD_BYTES_MAX,
    KAFKA_TRANSACTION_SECONDS_MAX,
)

RULE: Final = (
    "kafka://HOST:PORT[,HOST:PORT]/TOPIC[?index=FOLDER][&client=FILE] (index: where the index beside it is kept;"
    " client: librdkafka's settings for TLS and SASL, a NAME=VALUE a line)"
)

CLIENT: Final = "PUBLOG_KAFKA_CLIENT"
"""The client's settings for every log, in the environment; a URL's own file wins."""
USERNAME: Final = "PUBLOG_KAFKA_USERNAME"
PASSWORD: Final = "PUBLOG_KAFKA_PASSWORD"  # noqa: S105 - its name

_SERVERS: Final = re.compile(r"[A-Za-z0-9.\-_]+:\d{1,5}(,[A-Za-z0-9.\-_]+:\d{1,5})*")
_TOPIC: Final = re.compile(r"(?!\.\.?$)[A-Za-z0-9._\-]{1,200}")
_OURS: Final = re.compile(
    r"bootstrap\.servers|group\.id|transactional\.id|enable\.idempotence|acks|isolation\.level|auto\.offset\.reset"
    r"|request\.required\.acks"
)


@dataclass(frozen=True)
class Place:
    """A topic on a cluster, and where this machine keeps what it knows of it."""

    servers: str
    topic: str
    index: Path | None
    client: Path | None
    extra: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False, compare=False)
    """The client's settings, secrets among them."""
    refusals: list[str] = field(default_factory=list[str], repr=False, hash=False, compare=False)
    """Why brokers did not let us in, or why we did not believe them: calls only know that nobody answered in time."""

    @property
    def url(self) -> str:
        given = {"index": self.index, "client": self.client}
        query = urlencode({name: path for name, path in given.items() if path is not None}, safe="/", quote_via=quote)
        return f"kafka://{self.servers}/{self.topic}" + (f"?{query}" if query else "")

    @property
    def control(self) -> str:
        """The topic of the schemas and catalogs."""
        return f"{self.topic}.catalog"

    @property
    def writer(self) -> str:
        """Whoever begins to write under this name ends what its last bearer had begun, and shuts it out."""
        return f"publog.{self.topic}"

    @property
    def folder(self) -> Path:
        """Where the index is: any number of logs may share it."""
        cache = os.environ.get("XDG_CACHE_HOME")
        return self.index or (Path(cache) if cache else Path.home() / ".cache") / "publog" / "kafka"

    def common(self) -> dict[str, Any]:
        # The client's own log would say on stderr, every 50 ms, what our errors say once.
        ours = {"client.id": "publog", "log_level": 2, "error_cb": self._hear}
        return {**ours, **self.extra, "bootstrap.servers": self.servers}

    def _hear(self, error: KafkaError) -> None:
        if error.code() in {KafkaError._AUTHENTICATION, KafkaError._SSL}:  # noqa: SLF001 - so named by librdkafka
            self.refusals[:] = [error.str()]

    def consumer(self) -> dict[str, Any]:
        wait = round(KAFKA_POLL_SECONDS * 1000)
        return self.common() | {
            # No group is ever joined: what to read is assigned, and nothing is committed.
            "group.id": "publog",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # An offset that is not there any more is an error, never another offset.
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": wait,
            "fetch.queue.backoff.ms": wait,
            "queued.max.messages.kbytes": KAFKA_QUEUE_BYTES // 1024,
            "fetch.message.max.bytes": KAFKA_QUEUE_BYTES // 8,
        }

    def follower(self) -> dict[str, Any]:
        """A consumer that waits at the end: the broker answers when there is something."""
        return self.consumer() | {
            "enable.partition.eof": False,
            "fetch.wait.max.ms": round(KAFKA_FOLLOW_SECONDS * 1000),
            "queued.max.messages.kbytes": KAFKA_FOLLOW_BYTES // 1024,
            "fetch.message.max.bytes": KAFKA_FOLLOW_BYTES,
        }

    def producer(self) -> dict[str, Any]:
        return self.common() | {
            "transactional.id": self.writer,
            "enable.idempotence": True,
            "acks": "all",
            "transaction.timeout.ms": KAFKA_TRANSACTION_SECONDS_MAX * 1000,
            "message.max.bytes": KAFKA_RECORD_BYTES_MAX,
            "compression.type": "lz4",
            "queue.buffering.max.kbytes": KAFKA_QUEUE_BYTES // 1024,
        }


def parse_place(url: str) -> Place:
    """The place that a URL names.

    Raises:
        UnusableLog: it names none, or its client's settings can't be read.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    topic = parts.path.removeprefix("/")
    if (
        not _SERVERS.fullmatch(parts.netloc)
        or not _TOPIC.fullmatch(topic)
        or parts.fragment
        or not query.keys() <= {"index", "client"}
        or not all(query.values())
    ):
        raise UnusableLog(f"{url!r} names no log on Kafka: it must be {RULE}")
    index, client = (Path(os.path.abspath(query[name])) if name in query else None for name in ("index", "client"))  # noqa: PTH100 - Path.absolute leaves `..` in it
    extra = _from_environment() | ({} if client is None else _read_client(client))
    return Place(parts.netloc, topic, index, client, extra)


def _read_client(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableLog(f"the client's settings {path} can't be read: {error}") from error
    return _settings(str(path), lines)


def _from_environment() -> dict[str, str]:
    """What a container is given without a file: settings, and user and password by themselves, as secrets come."""
    settings = _settings(CLIENT, os.environ.get(CLIENT, "").splitlines())
    given = {"sasl.username": os.environ.get(USERNAME), "sasl.password": os.environ.get(PASSWORD)}
    return settings | {name: value for name, value in given.items() if value}


def _settings(place: str, lines: Sequence[str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, separator, value = (part.strip() for part in line.partition("="))
        if not separator or not name:
            raise UnusableLog(f"{place}:{number}: a setting must be NAME=VALUE")
        if _OURS.fullmatch(name):
            raise UnusableLog(f"{place}:{number}: {name} is not yours to set: the log's safety rests on it")
        settings[name] = value
    return settings

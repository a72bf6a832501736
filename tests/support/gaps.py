"""A log in memory whose offsets have gaps, as Kafka's have: what is computed from offsets is no count."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from assets.log.memory import MemoryLog
from assets.model import NEVER, Entry, Message, Receipt, RegisteredSchema, TraceContext, Transaction

Moved = TypeVar("Moved", Message, Receipt)

STEP = 3
FIRST = 2
"""The offset of the first message."""


class GappyLog:
    """Messages stand at offsets 2, 5, 8 and so on."""

    def __init__(self, name: str, *, create: bool = True) -> None:
        self._log = MemoryLog(name, create=create)

    @property
    def url(self) -> str:
        return self._log.url

    @property
    def contiguous(self) -> bool:
        return False

    def writing(self) -> AbstractContextManager[None]:
        return self._log.writing()

    def append(self, transactions: Iterable[Transaction], trace: TraceContext | None = None) -> list[Receipt]:
        return [_moved(receipt) for receipt in self._log.append(transactions, trace)]

    def receipts(self, ids: Sequence[str]) -> Mapping[str, Receipt]:
        return {id_: _moved(receipt) for id_, receipt in self._log.receipts(ids).items()}

    def latest(self, uris: Sequence[str]) -> Mapping[str, int]:
        return {uri: offset_of(number) for uri, number in self._log.latest(uris).items()}

    def published(self, uris: Sequence[str]) -> set[str]:
        return self._log.published(uris)

    def last_offset(self) -> int:
        return offset_of(self._log.last_offset())

    def count(self, start: int = 0, last: int | None = None) -> int:
        return self._log.count(*_range(start, last))

    def read(self, start: int = 0, last: int | None = None) -> Iterator[Message]:
        return map(_moved, self._log.read(*_range(start, last)))

    def entries(self, start: int = 0, last: int | None = None) -> Iterator[Entry]:
        return (Entry(message.offset, message.uri, message.value) for message in self.read(start, last))

    def traces(self, start: int, last: int) -> Mapping[int, TraceContext]:
        first, end = _range(start, last)
        return {offset_of(number): trace for number, trace in self._log.traces(first, end or 0).items()}

    def history(self, uri: str, last: int | None = None) -> Iterator[Message]:
        return map(_moved, self._log.history(uri, _range(0, last)[1]))

    def offset_at(self, time: int) -> int:
        return offset_of(self._log.offset_at(time))

    def wait_past(self, offset: int, timeout_seconds: float) -> int:
        return offset_of(self._log.wait_past((offset - FIRST) // STEP, timeout_seconds))

    def register_schema(self, kind: str, text: str) -> RegisteredSchema:
        return self._log.register_schema(kind, text)

    def schemas(self) -> Sequence[RegisteredSchema]:
        return self._log.schemas()

    def save_catalog(self, digest: str, files: Mapping[str, str]) -> None:
        self._log.save_catalog(digest, files)

    def catalog_files(self) -> Mapping[str, str] | None:
        return self._log.catalog_files()

    def verify(self) -> Sequence[str]:
        return self._log.verify()

    def close(self) -> None:
        self._log.close()


def offset_of(number: int) -> int:
    """Of the message of this number, from 0 on."""
    return NEVER if number == NEVER else number * STEP + FIRST


def _moved(entry: Moved) -> Moved:
    return entry._replace(offset=offset_of(entry.offset))


def _range(start: int, last: int | None) -> tuple[int, int | None]:
    return max(-((FIRST - start) // STEP), 0), None if last is None else (last - FIRST) // STEP

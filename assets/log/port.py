"""What every log must do; the contract suite in tests/contract says it as tests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from assets.model import Entry, Message, Receipt, RegisteredSchema, TraceContext, Transaction


class Log(Protocol):
    """One ordered log, kept for ever, with the schemas and catalogs that explain it beside it.

    Readers see whole transactions only, in offset order, without gaps in what was committed. An instance may
    move between threads but is used by one at a time; several instances, in several processes, may share a log.
    Every method raises UnusableLog where the storage fails, LogUnreachable where its server doesn't answer, and
    CorruptLog where what it holds can't be true.
    """

    @property
    def url(self) -> str:
        """The URL that opens this log again, in any process and working directory."""
        ...

    @property
    def contiguous(self) -> bool:
        """Whether offsets rise by exactly one (Kafka's may have gaps)."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Hold the log for writing: what is read inside stays true until the end, what is appended becomes durable
        and visible at the end, all of it, or none of it when the block raises. It does not nest.

        Raises:
            LogBusy: when another writer held it for too long.
            UnusableLog: when the storage failed, or was full: nothing was appended, and it will not appear later.
        """
        ...

    def append(self, transactions: Iterable[Transaction], trace: TraceContext | None = None) -> list[Receipt]:
        """Append whole transactions, inside `writing()`. The receipts count only once `writing()` has ended well.

        Their messages carry the trace that they are published in, if there is one: it is no part of a message.

        When it raises, everything in this `writing()` is void: its end raises the same, even where it was caught here.

        Raises:
            InvalidMessage: an id is in the log already, or comes twice.
        """
        ...

    def receipts(self, ids: Sequence[str]) -> Mapping[str, Receipt]:
        """The receipts of those ids that are in the log; inside `writing()` with what was appended there."""
        ...

    def latest(self, uris: Sequence[str]) -> Mapping[str, int]:
        """The offset of each URI's last message, for those that have one; inside `writing()` as above."""
        ...

    def published(self, uris: Sequence[str]) -> set[str]:
        """Those of the URIs that were published at least once (unpublished since or not); inside `writing()` as above."""
        ...

    def last_offset(self) -> int:
        """The offset of the last message, -1 in an empty log."""
        ...

    def count(self, start: int = 0, last: int | None = None) -> int:
        """How many messages `read` gives from `start` to `last`: where offsets have gaps, no difference of two says so."""
        ...

    def read(self, start: int = 0, last: int | None = None) -> Iterator[Message]:
        """Messages from offset `start` to offset `last`, both included, or to the log's end as of this call.

        Only what is committed, even inside `writing()`; so do `count`, `entries`, `traces`, `history`, `offset_at` and
        `last_offset`.
        """
        ...

    def entries(self, start: int = 0, last: int | None = None) -> Iterator[Entry]:
        """As `read`, of each message only what a fold takes, which is read faster."""
        ...

    def traces(self, start: int, last: int) -> Mapping[int, TraceContext]:
        """The traces of those messages from offset `start` to offset `last`, both included, that carry one."""
        ...

    def history(self, uri: str, last: int | None = None) -> Iterator[Message]:
        """One URI's messages up to offset `last`, newest first."""
        ...

    def offset_at(self, time: int) -> int:
        """The highest offset of a message published at or before `time` (microseconds since the epoch), -1 if none."""
        ...

    def wait_past(self, offset: int, timeout_seconds: float) -> int:
        """Wait until the log's last offset is above `offset`, or the time is up; returns the last offset.

        Another thread may use the instance meanwhile.
        """
        ...

    def register_schema(self, kind: str, text: str) -> RegisteredSchema:
        """Keep a schema for ever; the same text again gives the same registration. Not inside `writing()`."""
        ...

    def schemas(self) -> Sequence[RegisteredSchema]:
        """Every schema ever registered, by id."""
        ...

    def save_catalog(self, digest: str, files: Mapping[str, str]) -> None:
        """Make these files (path inside the catalog: text) the log's catalog; earlier ones are kept.

        Not inside `writing()`.
        """
        ...

    def catalog_files(self) -> Mapping[str, str] | None:
        """The files of the log's present catalog, None before one was saved."""
        ...

    def verify(self) -> Sequence[str]:
        """What is wrong with the storage itself, one sentence each; empty when all is well."""
        ...

    def close(self) -> None:
        """Release what is open; the log itself stays."""
        ...

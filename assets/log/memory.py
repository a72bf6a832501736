"""The log in memory: for tests and for trying things out. It ends with its process."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, islice
from threading import Condition, Lock
from typing import Final
from weakref import WeakValueDictionary

from assets.errors import InvalidMessage, LogBusy, UnusableLog
from assets.limits import LOG_PROBLEMS_MAX, WRITER_WAIT_SECONDS_MAX
from assets.log.checks import problems_in
from assets.model import NEVER, Entry, Message, Receipt, RegisteredSchema, TraceContext, Transaction


class _Store:
    """What the instances of one log share. Lists only grow, so whoever knows how long one was may read so far."""

    def __init__(self) -> None:
        self.writer = Lock()
        self.grown = Condition()
        """Held where messages and what finds them must agree; notified when there are more."""
        self.messages: list[Message] = []
        self.by_id: dict[str, Message] = {}
        self.by_uri: dict[str, list[Message]] = {}
        self.traces: dict[int, TraceContext] = {}
        self.schemas: list[RegisteredSchema] = []
        self.catalogs: list[tuple[str, Mapping[str, str]]] = []


class MemoryLog:
    """A log that lives as long as its process (a nameless one: as long as somebody has it open)."""

    def __init__(self, name: str, *, create: bool = True) -> None:
        self._store, self._name = _store(name, create=create)
        self._pending: list[Message] | None = None
        self._pending_ids: dict[str, Message] = {}
        self._pending_traces: dict[int, TraceContext] = {}
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """Opens this log again inside this process."""
        return f"memory:{self._name}"

    @property
    def contiguous(self) -> bool:
        return True

    @contextmanager
    def writing(self) -> Generator[None]:
        with self._held():
            self._pending, self._pending_ids, self._pending_traces, self._failure = [], {}, {}, None
            try:
                yield
                if self._failure is not None:
                    raise self._failure
                self._commit(self._pending)
            finally:
                self._pending, self._pending_ids, self._pending_traces = None, {}, {}

    def append(self, transactions: Iterable[Transaction], trace: TraceContext | None = None) -> list[Receipt]:
        if self._pending is None:
            raise RuntimeError("append works only inside writing()")
        if self._failure is not None:
            raise self._failure
        try:
            taken = self._take(transactions)
            if trace is not None:
                self._pending_traces.update((message.offset, trace) for message in taken)
            return [_receipt(message) for message in taken]
        except BaseException as error:
            self._failure = error
            raise

    def receipts(self, ids: Sequence[str]) -> Mapping[str, Receipt]:
        with self._store.grown:
            messages = (self._store.by_id.get(id_) or self._pending_ids.get(id_) for id_ in ids)
            return {message.id: _receipt(message) for message in messages if message is not None}

    def latest(self, uris: Sequence[str]) -> Mapping[str, int]:
        with self._store.grown:
            found = {uri: self._store.by_uri[uri][-1].offset for uri in uris if uri in self._store.by_uri}
        wanted = set(uris)
        found.update((message.uri, message.offset) for message in self._pending or () if message.uri in wanted)
        return found

    def published(self, uris: Sequence[str]) -> set[str]:
        with self._store.grown:
            by_uri = self._store.by_uri
            found = {uri for uri in uris if any(message.value is not None for message in by_uri.get(uri, ()))}
        pending = {message.uri for message in self._pending or () if message.value is not None}
        return found | pending.intersection(uris)

    def last_offset(self) -> int:
        return len(self._store.messages) - 1

    def count(self, start: int = 0, last: int | None = None) -> int:
        end = self.last_offset()
        return max((end if last is None else min(last, end)) - max(start, 0) + 1, 0)

    def read(self, start: int = 0, last: int | None = None) -> Iterator[Message]:
        end = self.last_offset() if last is None else min(last, self.last_offset())
        return map(self._store.messages.__getitem__, range(max(start, 0), end + 1))

    def entries(self, start: int = 0, last: int | None = None) -> Iterator[Entry]:
        return (Entry(message.offset, message.uri, message.value) for message in self.read(start, last))

    def traces(self, start: int, last: int) -> Mapping[int, TraceContext]:
        with self._store.grown:
            return {offset: trace for offset, trace in self._store.traces.items() if start <= offset <= last}

    def history(self, uri: str, last: int | None = None) -> Iterator[Message]:
        with self._store.grown:
            messages = list(self._store.by_uri.get(uri, ()))
        return (message for message in reversed(messages) if last is None or message.offset <= last)

    def offset_at(self, time: int) -> int:
        messages = self._store.messages
        return next((offset for offset in range(len(messages) - 1, -1, -1) if messages[offset].time <= time), NEVER)

    def wait_past(self, offset: int, timeout_seconds: float) -> int:
        with self._store.grown:
            self._store.grown.wait_for(lambda: self.last_offset() > offset, timeout_seconds)
        return self.last_offset()

    def register_schema(self, kind: str, text: str) -> RegisteredSchema:
        with self._held():
            schemas = self._store.schemas
            for schema in schemas:
                if (schema.kind, schema.text) == (kind, text):
                    return schema
            version = 1 + sum(schema.kind == kind for schema in schemas)
            schemas.append(RegisteredSchema(len(schemas) + 1, kind, version, text))
            return schemas[-1]

    def schemas(self) -> Sequence[RegisteredSchema]:
        return tuple(self._store.schemas)

    def save_catalog(self, digest: str, files: Mapping[str, str]) -> None:
        with self._held():
            if self._store.catalogs[-1:] != [(digest, files)]:
                self._store.catalogs.append((digest, dict(files)))

    def catalog_files(self) -> Mapping[str, str] | None:
        return dict(self._store.catalogs[-1][1]) if self._store.catalogs else None

    def verify(self) -> Sequence[str]:
        kinds = {schema.id: schema.kind for schema in self._store.schemas}
        return list(islice(problems_in(self.read(), kinds), LOG_PROBLEMS_MAX))

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def _held(self) -> Generator[None]:
        """The store, for this writer alone."""
        if self._pending is not None:
            raise RuntimeError(
                "the log is held already: writing() does not nest, and schemas and catalogs stay outside"
            )
        if not self._store.writer.acquire(timeout=WRITER_WAIT_SECONDS_MAX):
            raise LogBusy(f"another writer has held {self.url} for {WRITER_WAIT_SECONDS_MAX} seconds; try again")
        try:
            yield
        finally:
            self._store.writer.release()

    def _take(self, transactions: Iterable[Transaction]) -> list[Message]:
        assert self._pending is not None
        taken: list[Message] = []
        offset = self.last_offset() + 1 + len(self._pending)
        for tx, drafts in transactions:
            for number, draft in enumerate(drafts, 1):
                if draft.id in self._store.by_id or draft.id in self._pending_ids:
                    raise InvalidMessage("id", "is in the log already; its receipt says where")
                message = Message(offset, draft.uri, draft.time, draft.id, tx, number == len(drafts), draft.value)
                self._pending_ids[draft.id] = message
                taken.append(message)
                offset += 1
        self._pending += taken
        return taken

    def _commit(self, messages: Sequence[Message]) -> None:
        store = self._store
        with store.grown:
            for message in messages:
                store.by_id[message.id] = message
                store.by_uri.setdefault(message.uri, []).append(message)
            store.traces.update(self._pending_traces)
            store.messages.extend(messages)
            store.grown.notify_all()


def _receipt(message: Message) -> Receipt:
    return Receipt(message.id, message.uri, message.offset)


_named: Final[dict[str, _Store]] = {}
_nameless: Final[WeakValueDictionary[str, _Store]] = WeakValueDictionary()
_numbers: Final = count(1)
_stores: Final = Lock()


def _store(name: str, *, create: bool) -> tuple[_Store, str]:
    with _stores:
        found = _named.get(name) or _nameless.get(name)
        if found is not None:
            return found, name
        if not create:
            raise UnusableLog(f"there is no log memory:{name} in this process; publish something into it first")
        store = _Store()
        if name:
            _named[name] = store
        else:
            # Its name is one that nobody chose, so that its URL opens it again and never a stranger's.
            name = f"<{next(_numbers)}>"
            _nameless[name] = store
        return store, name

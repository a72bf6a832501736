"""The log on Kafka, as the port has it: what a `writing()` appends is one transaction of Kafka's."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain, islice
from time import monotonic, sleep

from assets.errors import AssetsError, CorruptLog, InvalidMessage, LogUnreachable
from assets.limits import (
    KAFKA_HISTORY_GAP,
    KAFKA_INDEX_BATCH,
    KAFKA_POLL_SECONDS,
    KAFKA_WAIT_SECONDS_MAX,
    LOG_PROBLEMS_MAX,
    READ_MESSAGES,
    WRITER_WAIT_SECONDS_MAX,
)
from assets.log.checks import problems_in
from assets.log.kafka.explaining import explain
from assets.log.kafka.index import Index
from assets.log.kafka.place import parse_place
from assets.log.kafka.reader import Reader
from assets.log.kafka.records import (
    Catalog,
    Record,
    catalog_record,
    control_of,
    entries_of,
    messages_of,
    records_of,
    schema_record,
    trace_of,
)
from assets.log.kafka.topics import open_topics
from assets.log.kafka.writer import Undecided, acquire_writer, release_writer
from assets.model import NEVER, Entry, Message, Receipt, RegisteredSchema, TraceContext, Transaction


class KafkaLog:
    """A log in a topic. Reading needs the topic alone; look-ups and writing make the index beside it first."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._place = parse_place(url)
        self._identity = open_topics(self._place, create=create)
        self._path = self._place.folder / f"{self._place.topic}.{self._identity.topic}.db"
        self._messages = Reader(self._place, self._place.topic)
        self._control = Reader(self._place, self._place.control)
        self._control_position = 0
        self._schemas: list[RegisteredSchema] = []
        self._catalog: Catalog | None = None
        self._made_index: Index | None = None
        self._writer = acquire_writer(self._place, self._path.with_suffix(".lock"))
        self._pending: list[Message] | None = None
        """What was appended inside the present `writing()`; None outside."""
        self._pending_ids: dict[str, Receipt] = {}
        self._failure: BaseException | None = None
        self._closed = False

    @property
    def url(self) -> str:
        return self._place.url

    @property
    def contiguous(self) -> bool:
        return False

    @contextmanager
    def writing(self) -> Generator[None]:
        with self._turn():
            self._sync()
            self._pending, self._pending_ids, self._failure = [], {}, None
            try:
                yield
                if self._failure is not None:
                    raise self._failure
                pending = self._pending
                self._commit(self._messages, pending[-1].offset if pending else NEVER)
            except BaseException:
                self._writer.abort()
                raise
            finally:
                self._pending, self._pending_ids = None, {}
            self._index_own(pending)

    def append(self, transactions: Iterable[Transaction], trace: TraceContext | None = None) -> list[Receipt]:
        if self._pending is None:
            raise RuntimeError("append works only inside writing()")
        if self._failure is not None:
            raise self._failure
        try:
            return self._append(self._pending, list(transactions), trace)
        except BaseException as error:
            self._failure = error
            raise

    def receipts(self, ids: Sequence[str]) -> Mapping[str, Receipt]:
        found = dict(self._synced().receipts(ids))
        found.update((id_, self._pending_ids[id_]) for id_ in ids if id_ in self._pending_ids)
        return found

    def latest(self, uris: Sequence[str]) -> Mapping[str, int]:
        found = self._synced().latest(uris)
        wanted = set(uris)
        found.update((message.uri, message.offset) for message in self._pending or () if message.uri in wanted)
        return found

    def published(self, uris: Sequence[str]) -> set[str]:
        pending = {message.uri for message in self._pending or () if message.value is not None}
        return self._synced().published(uris) | pending.intersection(uris)

    def last_offset(self) -> int:
        return self._messages.last()

    def count(self, start: int = 0, last: int | None = None) -> int:
        index, end = self._synced(), self.last_offset()
        return index.count(max(start, 0), end if last is None else min(last, end))

    def read(self, start: int = 0, last: int | None = None) -> Iterator[Message]:
        end = self.last_offset()
        return self._read(max(start, 0), end if last is None else min(last, end))

    def entries(self, start: int = 0, last: int | None = None) -> Iterator[Entry]:
        end = self.last_offset()
        batches = self._messages.batches(max(start, 0), (end if last is None else min(last, end)) + 1)
        return chain.from_iterable(map(entries_of, batches))

    def traces(self, start: int, last: int) -> Mapping[int, TraceContext]:
        found: dict[int, TraceContext] = {}
        for records in self._messages.batches(max(start, 0), min(last, self.last_offset()) + 1):
            for record in records:
                trace, offset = trace_of(record.headers()), record.offset()  # pyright: ignore[reportArgumentType] - what is read has a list of pairs
                if trace is not None and offset is not None:
                    found[offset] = trace
        return found

    def history(self, uri: str, last: int | None = None) -> Iterator[Message]:
        end = self.last_offset()
        return self._history(self._synced(), uri, end if last is None else min(last, end))

    def offset_at(self, time: int) -> int:
        return self._synced().offset_at(time)

    def wait_past(self, offset: int, timeout_seconds: float) -> int:
        end = monotonic() + timeout_seconds
        while (last := self.last_offset()) <= offset and (left := end - monotonic()) > 0:
            self._messages.wait(left)
        return last

    def register_schema(self, kind: str, text: str) -> RegisteredSchema:
        # Most often it is there, and nobody has to wait for a turn to write.
        found = self._find_schema(kind, text)
        if found is not None:
            return found
        with self._turn():
            found = self._find_schema(kind, text)
            if found is None:
                version = 1 + sum(schema.kind == kind for schema in self._schemas)
                found = RegisteredSchema(len(self._schemas) + 1, kind, version, text)
                self._register(schema_record(found))
            return found

    def schemas(self) -> Sequence[RegisteredSchema]:
        self._sync_control()
        return tuple(self._schemas)

    def save_catalog(self, digest: str, files: Mapping[str, str]) -> None:
        catalog = Catalog(digest, dict(files))
        with self._turn():
            self._sync_control()
            if self._catalog != catalog:
                self._register(catalog_record(catalog))

    def catalog_files(self) -> Mapping[str, str] | None:
        self._sync_control()
        return None if self._catalog is None else dict(self._catalog.files)

    def verify(self) -> Sequence[str]:
        return list(islice(self._problems(), LOG_PROBLEMS_MAX))

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._messages.close()
        self._control.close()
        if self._made_index is not None:
            self._made_index.close()
        release_writer(self._place, self._path.with_suffix(".lock"))

    # ------------------------------------------------------------------------------------------------------ reading

    def _read(self, start: int, last: int) -> Generator[Message]:
        for records in self._messages.batches(start, last + 1):
            yield from messages_of(records)

    def _history(self, index: Index, uri: str, last: int) -> Iterator[Message]:
        while last > NEVER:
            offsets = index.history(uri, last, READ_MESSAGES)
            for run in _runs(offsets):
                found = {message.offset: message for message in self._read(run[-1], run[0]) if message.uri == uri}
                if not found.keys() >= set(run):
                    raise CorruptLog(f"{self.url}: the index beside the log is not of this log; remove {self._path}")
                yield from (found[offset] for offset in run)
            last = offsets[-1] - 1 if len(offsets) == READ_MESSAGES else NEVER

    def _problems(self) -> Iterator[str]:
        try:
            kinds = {schema.id: schema.kind for schema in self.schemas()}
            yield from _schema_problems(self._schemas)
            index, last = self._synced(), self.last_offset()
            count = 0

            def counted() -> Iterator[Message]:
                nonlocal count
                for message in self.read(0, last):
                    count += 1
                    yield message

            yield from problems_in(counted(), kinds)
            if {index.count(0, last), index.found(last)} != {count}:
                yield f"the index beside the log has {index.found(last)} of {count} messages; remove {self._path}."
        except AssetsError as error:
            yield f"{error}."

    # --------------------------------------------------------------------------------------------------- what is known

    def _synced(self) -> Index:
        """The index; up to date, or as it was when this `writing()` began, which comes to the same."""
        return self._index if self._pending is not None else self._sync()

    @property
    def _index(self) -> Index:
        if self._made_index is None:
            self._made_index = Index(self._path)
        return self._made_index

    def _sync(self) -> Index:
        """Bring the index up to the topic's end as of this call."""
        index, end = self._index, self._messages.end()
        position = index.position()
        patience = monotonic() + KAFKA_WAIT_SECONDS_MAX
        while position > end:
            # Another process has indexed more since; or a broker that was killed has not ended again what it had ended.
            if monotonic() > patience:
                if self._messages.written() >= position:
                    raise LogUnreachable(
                        f"{self.url} is coming back: it holds everything up to offset {position}, "
                        f"and gives out what stands before {end} so far; nothing was appended; try again"
                    )
                raise CorruptLog(
                    f"{self.url} has lost messages: it ends at offset {end}, and once held up to {position}"
                )
            sleep(KAFKA_POLL_SECONDS)
            end = self._messages.end()
        while position < end:
            position = self._index_from(index, position, end)
        return index

    def _index_from(self, index: Index, position: int, end: int) -> int:
        """Index what stands from `position` on, until it is done or another process has done some; where it is then."""
        with closing(self._read(position, end - 1)) as messages:
            while position < end:
                batch = list(islice(messages, KAFKA_INDEX_BATCH))
                with index.adding() as present:
                    if present != position:
                        return present
                    # Behind the last message stand only the marks of transactions.
                    position = batch[-1].offset + 1 if len(batch) == KAFKA_INDEX_BATCH else end
                    index.add(batch, position)
        return position

    def _sync_control(self) -> None:
        end = self._control.end()
        records = list(chain.from_iterable(self._control.batches(self._control_position, end)))
        for record in records:
            found = control_of(record.offset() or 0, record.key(), record.value())
            if isinstance(found, Catalog):
                self._catalog = found
            else:
                self._schemas.append(found)
        self._control_position = max(end, self._control_position)

    def _find_schema(self, kind: str, text: str) -> RegisteredSchema | None:
        return next((schema for schema in self.schemas() if (schema.kind, schema.text) == (kind, text)), None)

    # ------------------------------------------------------------------------------------------------------ writing

    @contextmanager
    def _turn(self) -> Generator[None]:
        if self._pending is not None:
            raise RuntimeError(
                "the log is held already: writing() does not nest, and schemas and catalogs stay outside"
            )
        with self._writer.turn(WRITER_WAIT_SECONDS_MAX):
            yield

    def _append(
        self, pending: list[Message], transactions: Sequence[Transaction], trace: TraceContext | None
    ) -> list[Receipt]:
        ids = [draft.id for _, drafts in transactions for draft in drafts]
        if not ids:
            return []
        if len(set(ids)) < len(ids) or not self._pending_ids.keys().isdisjoint(ids) or self._index.receipts(ids):
            raise InvalidMessage("id", "is in the log already; its receipt says where")
        entries = list(records_of(transactions, f"/{self._place.topic}", trace))
        offsets = self._writer.produce(self._place.topic, (record for *_, record in entries))
        messages = [
            Message(offset, draft.uri, draft.time, draft.id, tx, end, draft.value)
            for offset, (draft, tx, end, _) in zip(offsets, entries, strict=True)
        ]
        receipts = [Receipt(message.id, message.uri, message.offset) for message in messages]
        pending += messages
        self._pending_ids.update((receipt.id, receipt) for receipt in receipts)
        return receipts

    def _register(self, record: Record) -> None:
        """Inside a turn: a schema or a catalog, durable and visible."""
        try:
            (offset,) = self._writer.produce(self._place.control, [record])
            self._commit(self._control, offset)
        except BaseException:
            self._writer.abort()
            raise
        self._sync_control()

    def _commit(self, reader: Reader, last: int) -> None:
        """Commit what was produced up to offset `last`, and wait until everybody sees it."""
        try:
            if not self._writer.commit():
                return
        except Undecided as undecided:
            try:
                self._writer.decide(undecided.error)
                self._wait_visible(reader, last)
                is_there = any(True for _ in reader.batches(last, last + 1))
            except AssetsError as error:
                raise LogUnreachable(
                    f"{self.url} stopped answering ({undecided}): whether what was sent was appended is not known;"
                    " publish it again, with the same ids"
                ) from error
            if not is_there:
                raise explain(self._place, undecided.error) from undecided
            return
        # It is durable, whatever happens now.
        with suppress(AssetsError):
            self._wait_visible(reader, last)

    def _wait_visible(self, reader: Reader, last: int) -> None:
        """The broker says that a transaction is durable some milliseconds before readers see it."""
        end = monotonic() + KAFKA_WAIT_SECONDS_MAX
        while reader.end() <= last:
            if monotonic() > end:
                raise LogUnreachable(f"{self.url} did not end a transaction within {KAFKA_WAIT_SECONDS_MAX:g} seconds")
            sleep(KAFKA_POLL_SECONDS / 10)

    def _index_own(self, messages: Sequence[Message]) -> None:
        """Spare everybody the reading of what was just written."""
        if not messages:
            return
        last = messages[-1].offset
        # What fails here is read from the topic next time.
        with suppress(AssetsError):
            end = self._messages.end()
            with self._index.adding() as position:
                if position <= messages[0].offset:
                    # The one record behind ours, where there is just one, is the mark that ends our transaction.
                    self._index.add(messages, end if end == last + 2 else last + 1)


def _runs(offsets: Sequence[int]) -> Iterator[list[int]]:
    """Falling offsets, cut where reading over what is between would take longer than asking anew."""
    run: list[int] = []
    for offset in offsets:
        if run and run[-1] - offset > KAFKA_HISTORY_GAP:
            yield run
            run = []
        run.append(offset)
    if run:
        yield run


def _schema_problems(schemas: Sequence[RegisteredSchema]) -> Iterator[str]:
    versions: dict[str, int] = {}
    for number, schema in enumerate(schemas, 1):
        versions[schema.kind] = versions.get(schema.kind, 0) + 1
        if (schema.id, schema.version) != (number, versions[schema.kind]):
            yield f"schema {schema.id} (version {schema.version} of {schema.kind}) is not the next one."

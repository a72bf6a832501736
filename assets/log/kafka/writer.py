"""One writer at a time: among the threads of a process, the processes of a machine, and all machines.

Threads and processes wait for their turn. Between machines nobody waits: who begins to write takes the log over, and
what its last writer had not committed is void.
"""

import fcntl
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from random import uniform
from threading import Lock
from time import monotonic, sleep
from typing import Any, Final
from uuid import uuid4

from confluent_kafka import KafkaError, KafkaException, Producer

from assets.errors import LogBusy, LogUnreachable, UnusableLog
from assets.limits import KAFKA_POLL_SECONDS, KAFKA_WAIT_SECONDS_MAX, WRITER_RETRY_SECONDS_MAX
from assets.log.kafka.explaining import FENCED, explain, explained, kafka_error
from assets.log.kafka.place import Place
from assets.log.kafka.records import Record

_PARTITION: Final = 0


class Undecided(Exception):
    """Whether what was produced is committed is not known."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.str())
        self.error = error


class Writer:
    """What the instances of one log in one process write through."""

    def __init__(self, place: Place, lock: Path) -> None:
        self._place = place
        self._path = lock
        self._turn = Lock()
        self._token = uuid4().hex.encode()
        self._producer: Producer | None = None
        self._begun = False
        self.users = 0

    @contextmanager
    def turn(self, wait_seconds: float) -> Generator[None]:
        """Hold the log for writing, and whatever was committed before can be read.

        Raises:
            LogBusy: another has held it for too long.
            LogUnreachable: the brokers don't answer.
        """
        end = monotonic() + wait_seconds
        if not self._turn.acquire(timeout=wait_seconds):
            raise LogBusy(f"another writer has held {self._place.url} for {wait_seconds:g} seconds; try again")
        try:
            with self._machine(end, wait_seconds) as file:
                # Another process has written since: it has shut our producer out.
                if file.read() != self._token:
                    self.drop()
                    file.seek(0)
                    file.truncate()
                    file.write(self._token)
                    file.flush()
                self._begun = False
                self.ready()
                yield
        finally:
            self._turn.release()

    def ready(self) -> Producer:
        """A producer that has the log: what others had begun is void, what they had committed is there."""
        if self._producer is None:
            with explained(self._place):
                producer = Producer(self._place.producer())
                producer.init_transactions(KAFKA_WAIT_SECONDS_MAX)
            self._producer = producer
        return self._producer

    def produce(self, topic: str, records: Iterable[Record]) -> list[int]:
        """Produce into the transaction of this turn, which begins with the first; the records' offsets.

        Raises:
            LogBusy: another writer took the log over.
            LogUnreachable, UnusableLog: they did not all arrive.
        """
        producer = self.ready()
        with explained(self._place):
            if not self._begun:
                try:
                    producer.begin_transaction()
                except KafkaException:
                    # Shut out while it had nothing to do.
                    self.drop()
                    raise
                self._begun = True
            offsets: list[int] = []
            failures: list[KafkaError] = []

            def delivered(error: KafkaError | None, record: Any) -> None:
                if error is None:
                    offsets.append(record.offset())
                else:
                    failures.append(error)

            count = 0
            for record in records:
                self._hand_over(producer, topic, record, delivered)
                count += 1
            left = producer.flush(KAFKA_WAIT_SECONDS_MAX)
        if failures:
            raise explain(self._place, failures[0])
        if left or len(offsets) != count:
            # To abort it would take as long again, and the next producer does.
            self.drop()
            raise LogUnreachable(f"{self._place.url} did not take {left} messages: nothing was appended; try again")
        # One partition, one idempotent producer: they are told in the order they were produced in.
        assert offsets == sorted(offsets)
        return offsets

    def commit(self) -> bool:
        """Make durable what was produced in this turn; False when that was nothing.

        Raises:
            LogBusy, LogUnreachable, UnusableLog: nothing was appended.
            Undecided: nobody knows; `decided` finds out.
        """
        if not self._begun:
            return False
        producer = self.ready()
        try:
            # As librdkafka advises: the rest of the transaction's own time.
            producer.commit_transaction(-1)
        except KafkaException as error:
            found = kafka_error(error)
            if found.txn_requires_abort():
                self.abort()
                raise explain(self._place, found) from error
            self.drop()
            raise Undecided(found) from error
        self._begun = False
        return True

    def abort(self) -> None:
        """Void what was produced in this turn."""
        if not self._begun or self._producer is None:
            return
        self._begun = False
        try:
            self._producer.abort_transaction(KAFKA_WAIT_SECONDS_MAX)
        except KafkaException:
            # The next producer voids it when it begins; the broker does, when its time is up.
            self.drop()

    def decide(self, error: KafkaError) -> None:
        """After Undecided: have the transaction committed or void for certain."""
        if error.code() not in FENCED:
            self.ready()

    def drop(self) -> None:
        """The producer is of no use any more."""
        producer, self._producer, self._begun = self._producer, None, False
        if producer is not None:
            with suppress(KafkaException):
                producer.purge()
                producer.flush(0)

    def _hand_over(self, producer: Producer, topic: str, record: Record, delivered: Any) -> None:
        end = monotonic() + KAFKA_WAIT_SECONDS_MAX
        while True:
            try:
                producer.produce(
                    topic, record.value, record.key, _PARTITION, headers=record.headers, on_delivery=delivered
                )
            except BufferError:
                producer.poll(KAFKA_POLL_SECONDS)
                if monotonic() > end:
                    raise LogUnreachable(
                        f"{self._place.url} takes no more messages: nothing was appended; try again"
                    ) from None
            else:
                return

    @contextmanager
    def _machine(self, end: float, wait_seconds: float) -> Generator[Any]:
        """The turn among the processes of this machine; the file holds the token of the last."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Appending mode makes the file where there is none, and leaves what is in it.
            file = self._path.open("a+b")
        except OSError as error:
            raise UnusableLog(f"{self._path} can't be used ({error.strerror}): see that you may write there") from error
        with file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if monotonic() >= end:
                        raise LogBusy(
                            f"another process has held {self._place.url} for {wait_seconds:g} seconds; try again"
                        ) from None
                    sleep(uniform(0, WRITER_RETRY_SECONDS_MAX))  # noqa: S311 - jitter
            file.seek(0)
            yield file


_writers: Final[dict[tuple[str, str], Writer]] = {}
_registry: Final = Lock()


def acquire_writer(place: Place, lock: Path) -> Writer:
    """The process's writer of a log: instances that each had one would shut each other out at every turn."""
    with _registry:
        writer = _writers.setdefault((place.url, str(lock)), Writer(place, lock))
        writer.users += 1
        return writer


def release_writer(place: Place, lock: Path) -> None:
    with _registry:
        writer = _writers[place.url, str(lock)]
        writer.users -= 1
        if writer.users == 0:
            del _writers[place.url, str(lock)]
            writer.drop()

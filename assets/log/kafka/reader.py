"""Reads what is committed in a topic: its end, and ranges of it. Consumers are kept for the next range."""

from collections.abc import Iterator
from contextlib import suppress
from random import uniform
from threading import Lock
from time import monotonic, sleep
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Record

from assets.errors import CorruptLog, LogUnreachable, UnusableLog
from assets.limits import (
    KAFKA_FOLLOW_OFFSETS,
    KAFKA_POLL_SECONDS,
    KAFKA_READ_MESSAGES,
    KAFKA_RETRY_SECONDS_MAX,
    KAFKA_WAIT_SECONDS_MAX,
)
from assets.log.kafka.explaining import AWAY, explain, explained, kafka_error
from assets.log.kafka.place import Place
from assets.model import NEVER

_PARTITION: Final = 0
_IDLE_CONSUMERS_MAX: Final = 2


class Reader:
    """One topic. Threads may share it; each range that is read has a consumer for itself."""

    def __init__(self, place: Place, topic: str) -> None:
        self._place = place
        self._topic = topic
        self._asking = Lock()
        self._asker: Consumer | None = None
        self._idle: list[Consumer] = []
        self._closed = False
        self._known = (0, NEVER)
        """An end, and the last record before it."""
        self._following = Lock()
        self._follower: Consumer | None = None
        self._followed = 0
        """The offset that the follower waits at."""
        self._seen = NEVER
        """The last record that it gave there."""

    def end(self) -> int:
        """The offset behind everything that is committed; transactions still open begin there or later."""
        with self._asking, explained(self._place):
            self._refuse_closed()
            if self._asker is None:
                self._asker = Consumer(self._place.consumer())
            low, end = self._ask(self._asker)
        if low > 0:
            raise CorruptLog(f"the records of topic {self._topic} before offset {low} are gone: give them back first")
        return end

    def written(self) -> int:
        """The offset behind everything that is written, committed or not."""
        with explained(self._place):
            consumer = Consumer(self._place.consumer() | {"isolation.level": "read_uncommitted"})
            try:
                _, end = self._ask(consumer)
            finally:
                consumer.close()
        return end

    def last(self) -> int:
        """The offset of the last record that is committed, -1 if there is none."""
        end = self.end()
        known_end, known = self._known
        if end == known_end:
            return known
        # Behind the last record stand the marks of transactions, and records of abandoned ones, which no reader sees.
        seen = self._seen
        if known_end <= seen and end - 2 <= seen < end:
            self._known = (end, seen)
            return seen
        step, found = 2, NEVER
        start = end
        while found == NEVER and start > known_end:
            start = max(end - step, known_end)
            for records in self.batches(start, end):
                found = _offset(records[-1])
            step *= 8
        last = max(found, known)
        self._known = (end, last)
        return last

    def wait(self, seconds: float) -> None:
        """Wait at the end that `last()` knows, until there is a record behind it or the time is up.

        It costs next to nothing: the broker answers when there is something.
        """
        deadline = monotonic() + seconds
        with self._following, explained(self._place):
            end, _ = self._known
            follower = self._follower
            if follower is None:
                self._refuse_closed()
                follower = self._follower = Consumer(self._place.follower())
                self._followed = end + 1
            if not 0 <= end - self._followed <= KAFKA_FOLLOW_OFFSETS:
                follower.assign([TopicPartition(self._topic, _PARTITION, end)])
                self._followed, self._seen = end, NEVER
            while self._followed <= end and (left := deadline - monotonic()) > 0:
                first = follower.poll(left)
                for record in () if first is None else (first, *follower.consume(KAFKA_READ_MESSAGES, 0)):
                    error = record.error()
                    if error is None:
                        self._seen = _offset(record)
                        self._followed = self._seen + 1
                    elif error.code() in AWAY:
                        # `last()` says so, should it stay like that.
                        return
                    else:
                        self._refuse(error)

    def batches(self, start: int, end: int) -> Iterator[list[Record]]:
        """The committed records from offset `start` on and before `end`, which is no more than `end()` was; none is empty.

        Raises:
            CorruptLog: some are gone.
            LogUnreachable: the brokers don't answer.
        """
        if start >= end:
            return
        consumer = self._borrow()
        try:
            with explained(self._place):
                consumer.assign([TopicPartition(self._topic, _PARTITION, start)])
                yield from self._consume(consumer, end)
                consumer.unassign()
            self._give_back(consumer)
        except GeneratorExit:
            # Whoever read has enough.
            with suppress(KafkaException, RuntimeError):
                consumer.unassign()
            self._give_back(consumer)
            raise
        except BaseException:
            with suppress(KafkaException, RuntimeError):
                consumer.close()
            raise

    def close(self) -> None:
        with self._asking:
            self._closed = True
            consumers = [*self._idle, *([self._asker] if self._asker is not None else [])]
            self._idle, self._asker = [], None
        with self._following:
            consumers += [self._follower] if self._follower is not None else []
            self._follower = None
        for consumer in consumers:
            with suppress(KafkaException, RuntimeError):
                consumer.close()

    def _ask(self, consumer: Consumer) -> tuple[int, int]:
        """The first offset and the one behind the last; asked again while a broker begins anew."""
        deadline = monotonic() + KAFKA_WAIT_SECONDS_MAX
        partition = TopicPartition(self._topic, _PARTITION)
        while True:
            left = deadline - monotonic()
            try:
                return consumer.get_watermark_offsets(partition, timeout=max(left, KAFKA_POLL_SECONDS), cached=False)
            except KafkaException as error:
                if kafka_error(error).code() not in AWAY or left <= 0:
                    raise
            sleep(uniform(0, KAFKA_RETRY_SECONDS_MAX))  # noqa: S311 - jitter

    def _consume(self, consumer: Consumer, end: int) -> Iterator[list[Record]]:
        deadline = monotonic() + KAFKA_WAIT_SECONDS_MAX
        while True:
            # `consume` waits for as many as it is asked for: only what is there already is taken by it.
            first = consumer.poll(max(0.0, deadline - monotonic()))
            if first is None:
                raise LogUnreachable(
                    f"{self._place.url} gave nothing for {KAFKA_WAIT_SECONDS_MAX:g} seconds; try again when it answers"
                )
            found = [first, *consumer.consume(KAFKA_READ_MESSAGES, 0)]
            records = [record for record in found if record.error() is None]
            reached = max(self._reached(found), _offset(records[-1]) + 1 if records else 0)
            if records:
                deadline = monotonic() + KAFKA_WAIT_SECONDS_MAX
                if reached > end:
                    records = [record for record in records if _offset(record) < end]
                if records:
                    yield records
            if reached >= end:
                return

    def _reached(self, found: list[Record]) -> int:
        """The end of the topic as far as it is told among these.

        Raises:
            CorruptLog, UnusableLog: among them is an error that does not pass by itself.
        """
        reached = 0
        for record in found:
            error = record.error()
            if error is None or error.code() in AWAY:
                continue
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - so named by librdkafka
                self._refuse(error)
            reached = max(reached, _offset(record))
        return reached

    def _refuse(self, error: KafkaError) -> None:
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - so named by librdkafka
            raise CorruptLog(f"records of topic {self._topic} are gone: {error.str()}")
        raise explain(self._place, error)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise UnusableLog(f"{self._place.url} was closed")

    def _borrow(self) -> Consumer:
        with self._asking:
            self._refuse_closed()
            if self._idle:
                return self._idle.pop()
        with explained(self._place):
            return Consumer(self._place.consumer())

    def _give_back(self, consumer: Consumer) -> None:
        with self._asking:
            if not self._closed and len(self._idle) < _IDLE_CONSUMERS_MAX:
                self._idle.append(consumer)
                return
        consumer.close()


def _offset(record: Any) -> int:
    offset = record.offset()
    assert offset is not None
    return offset

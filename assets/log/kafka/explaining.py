"""What Kafka's errors mean for the log."""

from collections.abc import Generator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from assets.errors import AssetsError, LogBusy, LogUnreachable, UnusableLog
from assets.log.kafka.place import Place

FENCED = frozenset((KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH))  # noqa: SLF001 - so named by librdkafka
AWAY = frozenset(
    (
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._DESTROY_BROKER,  # noqa: SLF001
        KafkaError._MSG_TIMED_OUT,  # noqa: SLF001
        KafkaError._PURGE_QUEUE,  # noqa: SLF001
        KafkaError._PURGE_INFLIGHT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        # A broker that has just begun does not know its topics yet.
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
    )
)


def explain(place: Place, error: KafkaError) -> AssetsError:
    """The log's error for one of Kafka's, met where nothing was acknowledged."""
    code = error.code()
    if code in FENCED:
        return LogBusy(f"another writer took over {place.url}: nothing was appended; try again")
    if code in AWAY and place.refusals:
        reason = place.refusals.pop()
        return UnusableLog(f"{place.url} does not let us in, or is not to be believed: {reason}")
    if code in AWAY or error.retriable():
        return LogUnreachable(
            f"{place.url} can't be reached ({error.str()}): nothing was appended; try again when it answers"
        )
    return UnusableLog(f"{place.url} can't be used: {error.str()} ({error.name()})")


def kafka_error(error: KafkaException) -> KafkaError:
    return error.args[0]


@contextmanager
def explained(place: Place) -> Generator[None]:
    """Turns Kafka's errors into the log's."""
    try:
        yield
    except KafkaException as error:
        raise explain(place, kafka_error(error)) from error

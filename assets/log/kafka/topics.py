"""The two topics of a log: made, found and checked.

Kafka deletes by the records' own times unless told otherwise: a topic that would forget anything is refused.
"""

from collections.abc import Mapping
from time import monotonic, sleep
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,  # pyright: ignore[reportPrivateImportUsage] - documented here
    NewTopic,  # pyright: ignore[reportPrivateImportUsage]
    ResourceType,  # pyright: ignore[reportPrivateImportUsage]
)

from assets.errors import LogUnreachable, UnusableLog
from assets.limits import KAFKA_POLL_SECONDS, KAFKA_WAIT_SECONDS_MAX
from assets.log.kafka.explaining import explained, kafka_error
from assets.log.kafka.place import Place

FOR_EVER: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""What a topic's settings must say: nothing is ever deleted or compacted away."""

BROKERS_DEFAULT: Final = -1

_THERE: Final = frozenset((KafkaError.TOPIC_ALREADY_EXISTS,))
_ABSENT: Final = frozenset((KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC))  # noqa: SLF001 - so named by librdkafka


class Identity(NamedTuple):
    """What tells a topic from any other, one of the same name included."""

    cluster: str
    topic: str


def open_topics(place: Place, *, create: bool) -> Identity:
    """Find the log's topics, or make them with the brokers' replication; what they are.

    Raises:
        UnusableLog: there is no log, or its topics would not keep everything for ever.
        LogUnreachable: the brokers don't answer.
    """
    with explained(place):
        admin = _admin(place)
        found = _describe(admin, place)
        if place.topic not in found:
            if not create:
                raise UnusableLog(f"there is no log at {place.url}; publish something into it first")
            create_topics(place)
            found = _await_topics(admin, place)
        if place.control not in found:
            raise UnusableLog(
                f"{place.url} has no topic {place.control} beside it, where its schemas were:"
                " give both topics back from one backup"
            )
        for name, description in found.items():
            if len(description.partitions) != 1:
                raise UnusableLog(
                    f"topic {name} has {len(description.partitions)} partitions; a log is in one order, so it needs"
                    " one: use another topic"
                )
        _check_kept(admin, place)
        cluster = admin.describe_cluster(request_timeout=KAFKA_WAIT_SECONDS_MAX).result().cluster_id
        return Identity(cluster, str(found[place.topic].topic_id).translate(str.maketrans("/+", "_-")))


def create_topics(place: Place, replication: int = BROKERS_DEFAULT, min_insync_replicas: int | None = None) -> bool:
    """Make the log's topics; False where they were there already.

    Raises:
        UnusableLog: the cluster refuses, as when it has fewer brokers than `replication`.
        LogUnreachable: the brokers don't answer.
    """
    settings: Mapping[str, str] = FOR_EVER
    if min_insync_replicas is not None:
        settings = {**FOR_EVER, "min.insync.replicas": str(min_insync_replicas)}
    made = False
    with explained(place):
        admin = _admin(place)
        # The log's own topic comes last: where it is, the other is.
        for name in (place.control, place.topic):
            topic = NewTopic(name, 1, replication, config=dict(settings))
            try:
                admin.create_topics([topic], operation_timeout=KAFKA_WAIT_SECONDS_MAX)[name].result()
                made = True
            except KafkaException as error:
                if kafka_error(error).code() not in _THERE:
                    raise
    return made


def _admin(place: Place) -> Any:
    """What its futures give has no types."""
    return AdminClient(place.common())


def _await_topics(admin: Any, place: Place) -> dict[str, Any]:
    """Topics that were just made: each broker hears of them in its own time."""
    end = monotonic() + KAFKA_WAIT_SECONDS_MAX
    while True:
        found = _describe(admin, place)
        try:
            if len(found) == 2:
                _check_kept(admin, place)
                return found
        except KafkaException as error:
            if kafka_error(error).code() not in _ABSENT or monotonic() > end:
                raise
        if monotonic() > end:
            raise LogUnreachable(f"{place.url} was made, but its brokers don't know it yet; try again")
        sleep(KAFKA_POLL_SECONDS)


def _describe(admin: Any, place: Place) -> dict[str, Any]:
    names = [place.topic, place.control]
    found: dict[str, Any] = {}
    for name, future in admin.describe_topics(TopicCollection(names), request_timeout=KAFKA_WAIT_SECONDS_MAX).items():
        try:
            found[name] = future.result()
        except KafkaException as error:
            if kafka_error(error).code() not in _ABSENT:
                # What brokers said meanwhile, which the error does not.
                admin.poll(0)
                raise
    return found


def _check_kept(admin: Any, place: Place) -> None:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in (place.topic, place.control)]
    for resource, future in admin.describe_configs(resources, request_timeout=KAFKA_WAIT_SECONDS_MAX).items():
        settings = future.result()
        wrong = [f"{name}={settings[name].value}" for name, value in FOR_EVER.items() if settings[name].value != value]
        if wrong:
            needed = " ".join(f"{name}={value}" for name, value in FOR_EVER.items())
            raise UnusableLog(
                f"topic {resource.name} would not keep everything for ever ({', '.join(wrong)}):"
                f" set {needed} on it first"
            )

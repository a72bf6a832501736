"""Programs that know nothing of publog read its log on Kafka, and decode it by the Schema Registry's API of `publog serve`."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.support.kafka_newsroom import KafkaNewsroom
from tests.support.newsroom import article, byline, lines, run_process, unpublish

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "mvn", "kcat")]

MESSAGES = [
    byline("ada", name="Ada"),
    article("flood", byline="news://byline/ada"),
    article("storm"),
    unpublish("news://article/storm"),
]
SECONDS_MAX = 30

Read = list[tuple[str, bytes | None]]


@pytest.fixture(scope="module")
def newsroom(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> KafkaNewsroom:
    newsroom = KafkaNewsroom(tmp_path_factory.mktemp("readers"), kafka, "readers")
    (newsroom.folder / "messages.jsonl").write_bytes(lines(MESSAGES))
    ran = run_process("publish", "messages.jsonl", folder=newsroom.folder)
    assert ran.code == 0, ran
    return newsroom


def by_kcat(kafka: str) -> Read:
    """Debian's has no Avro in it: it gives the bytes, framed here by their lengths; -1 is a null."""
    told = ["-C", "-b", kafka, "-t", "readers", "-o", "beginning", "-e", "-q", "-X", "isolation.level=read_committed"]
    output = subprocess.run(
        ["kcat", *told, "-f", "%K %S\\n%k%s"], capture_output=True, check=True, timeout=SECONDS_MAX
    ).stdout
    found: Read = []
    while output:
        head, _, output = output.partition(b"\n")
        key, value = map(int, head.split())
        found.append((output[:key].decode(), None if value < 0 else output[key : key + value]))
        output = output[key + max(value, 0) :]
    return found


def by_a_consumer(kafka: str) -> Read:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "plain", "enable.partition.eof": True})
    consumer.assign([TopicPartition("readers", 0, 0)])
    try:
        return list(consumed(consumer))
    finally:
        consumer.close()


def consumed(consumer: Consumer) -> Iterator[tuple[str, bytes | None]]:
    while (record := consumer.poll(SECONDS_MAX)) is not None and record.error() is None:
        key: Any = record.key()
        yield key.decode(), record.value()


@pytest.mark.parametrize("read", [by_kcat, by_a_consumer])
def test_what_is_published_is_read_and_decoded(read: Any, kafka: str, newsroom: KafkaNewsroom) -> None:
    found: Read = read(kafka)
    assert [uri for uri, _ in found] == [message["uri"] for message in MESSAGES]
    with newsroom.gateway() as (_, url), SchemaRegistryClient({"url": url}) as registry:
        decode: Any = AvroDeserializer(registry)
        for message, (_, value) in zip(MESSAGES, found, strict=True):
            decoded = decode(value, SerializationContext("readers", MessageField.VALUE))
            if message["op"] == "unpublish":
                assert value is None
                assert decoded is None
            else:
                known = json.loads(json.dumps(message["data"]))
                assert {name: decoded[name] for name in known} == known

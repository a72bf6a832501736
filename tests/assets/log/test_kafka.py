"""What is the log on Kafka's own: its records, its topics, who may write, and the index beside it."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from statistics import median
from time import monotonic, sleep

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from assets.errors import CorruptLog, LogBusy, UnusableLog
from assets.limits import KAFKA_FOLLOW_SECONDS
from assets.log import Log, open_log
from assets.log.kafka.place import parse_place
from assets.log.kafka.reader import Reader
from assets.log.kafka.records import message_of, records_of
from assets.log.kafka.topics import create_topics
from assets.log.kafka.writer import Undecided, Writer
from assets.model import Message, Transaction
from tests.contract.log_contract import ARTICLE, IMAGE, alone, append, draft, fill, offsets
from tests.contract.log_writer import TIME, Abandon, wire

_numbers = count()


def needs_broker(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.servers(pytest.mark.requires_tool("java", "mvn")(test))


@pytest.fixture
def topic() -> str:
    return f"own{next(_numbers)}"


@pytest.fixture
def open_on(kafka: str, topic: str, tmp_path: Path) -> Iterator[Callable[[str], Log]]:
    """Opens the log as from a machine of that name."""
    instances: list[Log] = []

    def opened(machine: str) -> Log:
        instances.append(open_log(f"kafka://{kafka}/{topic}?index={tmp_path}/{machine}"))
        return instances[-1]

    yield opened
    for instance in instances:
        instance.close()


# ---------------------------------------------------------------------------------------------------------------- URLs


@pytest.mark.parametrize(
    "url",
    [
        "kafka:topic",
        "kafka://host/topic",
        "kafka://host:9092",
        "kafka://host:9092/",
        "kafka://host:9092/a/b",
        "kafka://host:9092/..",
        "kafka://host:9092/to pic",
        "kafka://host:9092/topic?index=",
        "kafka://host:9092/topic?password=secret",
        "kafka://user:secret@host:9092/topic",
    ],
)
def test_a_url_that_names_no_topic_is_refused(url: str) -> None:
    with pytest.raises(UnusableLog, match="it must be kafka://HOST:PORT"):
        open_log(url)


def test_a_url_is_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = parse_place("kafka://one:9092,two:9093/nyt.log?index=some/../index é")
    assert place.url == f"kafka://one:9092,two:9093/nyt.log?index={tmp_path}/index%20%C3%A9"
    assert parse_place(place.url) == place


def test_the_clients_settings_come_from_a_file_and_stay_out_of_the_url(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("# TLS\nsecurity.protocol = SASL_SSL\n\nsasl.password=a=b\n")
    place = parse_place(f"kafka://host:9092/topic?client={file}")
    assert place.common()["security.protocol"] == "SASL_SSL"
    assert place.producer()["sasl.password"] == "a=b"
    assert "a=b" not in place.url + repr(place)
    for line, rule in (("acks=1", "is not yours to set"), ("nothing", "must be NAME=VALUE")):
        file.write_text(f"\n{line}\n")
        with pytest.raises(UnusableLog, match=rf"client\.properties:2: .*{rule}"):
            parse_place(f"kafka://host:9092/topic?client={file}")


# ------------------------------------------------------------------------------------------------------------- records


@pytest.mark.parametrize("time", [TIME, TIME + 1, 0, -1, -62_135_596_800_000_000, 10**18, -(10**18)])
def test_any_time_comes_back(time: int) -> None:
    ((_, _, _, record),) = records_of(alone(draft("a", time=time)), "/log")
    pairs = [(name, value.encode() if isinstance(value, str) else value) for name, value in record.headers]
    assert message_of(7, record.key, record.value, pairs) == Message(7, ARTICLE, time, "a", None, True, wire(1))


@needs_broker
def test_a_plain_consumer_reads_cloud_events(kafka: str, topic: str, open_on: Callable[[str], Log]) -> None:
    append(open_on("here"), Transaction("tx", [draft("a"), draft("b", IMAGE, None)]))
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "plain", "auto.offset.reset": "error"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    first, second = consumer.consume(2, 30)
    consumer.close()
    assert (first.key(), first.value(), second.key(), second.value()) == (
        ARTICLE.encode(),
        wire(1),
        IMAGE.encode(),
        None,
    )
    common = {"ce_specversion": b"1.0", "ce_source": f"/{topic}".encode(), "ce_time": b"2026-01-01T00:00:00Z"}
    assert dict(first.headers() or ()) == common | {
        "ce_id": b"a",
        "ce_type": b"publog.published",
        "publog_tx": b"tx",
        "publog_tx_end": b"0",
    }
    assert dict(second.headers() or ()) == common | {
        "ce_id": b"b",
        "ce_type": b"publog.unpublished",
        "publog_tx": b"tx",
        "publog_tx_end": b"1",
    }


@needs_broker
def test_a_strangers_record_is_told(kafka: str, topic: str, open_on: Callable[[str], Log]) -> None:
    log = open_on("here")
    fill(log, 1)
    stranger = Producer({"bootstrap.servers": kafka})
    stranger.produce(topic, b"hello", b"key")
    assert stranger.flush(30) == 0
    for reading in (log.read(), log.entries()):
        with pytest.raises(CorruptLog, match="the record at offset 2 is no message of publog"):
            list(reading)
    (problem,) = log.verify()
    assert "the record at offset 2 is no message of publog" in problem


# ----------------------------------------------------------------------------------------------------------- following


@needs_broker
def test_who_waits_asks_for_nothing_and_sees_a_message_at_once(
    open_on: Callable[[str], Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, follower = open_on("here"), open_on("here")
    (receipt,) = fill(log, 1)
    asked = 0
    ask = Reader.end

    def counted(reader: Reader) -> int:
        nonlocal asked
        asked += 1
        return ask(reader)

    monkeypatch.setattr(Reader, "end", counted)
    assert follower.wait_past(receipt.offset, 3 * KAFKA_FOLLOW_SECONDS) == receipt.offset
    assert asked == 2, "before it waits, and after"
    monkeypatch.undo()
    delays: list[float] = []
    with ThreadPoolExecutor() as threads:
        for number in range(10):
            last = follower.last_offset()
            waiting = threads.submit(lambda last: (follower.wait_past(last, 30), monotonic()), last)
            # Also while the broker holds an answer back.
            sleep(number * KAFKA_FOLLOW_SECONDS / 9)
            receipts = append(log, *alone(draft(f"a{number}"), draft(f"b{number}")))
            published = monotonic()
            seen, at = waiting.result()
            assert seen == receipts[-1].offset
            delays.append(at - published)
    # Measured: 2 ms.
    assert median(delays) < KAFKA_FOLLOW_SECONDS / 5


@needs_broker
def test_who_waits_sees_nothing_of_what_was_abandoned(open_on: Callable[[str], Log]) -> None:
    log, follower = open_on("here"), open_on("here")
    fill(log, 3)

    def abandon() -> None:
        with log.writing():
            log.append(alone(draft("void")))
            raise Abandon

    for number in range(3):
        last = follower.last_offset()
        with pytest.raises(Abandon):
            abandon()
        assert follower.wait_past(last, 0.05) == last
        (receipt,) = append(log, *alone(draft(f"a{number}")))
        assert follower.wait_past(last, 30) == receipt.offset


@needs_broker
def test_who_is_far_behind_waits_at_the_end(open_on: Callable[[str], Log], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.log.kafka.reader.KAFKA_FOLLOW_OFFSETS", 10)
    log, follower = open_on("here"), open_on("here")
    last = fill(log, 5)[-1].offset
    assert follower.wait_past(last, 0.05) == last
    last = append(log, *alone(*(draft(f"a{number}") for number in range(50))))[-1].offset
    assert follower.last_offset() == last
    (receipt,) = append(log, *alone(draft("b")))
    assert follower.wait_past(last, 30) == receipt.offset
    assert follower.wait_past(receipt.offset, 0.05) == receipt.offset


@needs_broker
def test_who_reads_only_some_leaves_the_client_to_the_next(open_on: Callable[[str], Log]) -> None:
    log = open_on("here")
    fill(log, 3_000)
    for start in range(0, 3_000, 300):
        reading = log.read(start)
        assert [next(reading).offset for _ in range(3)] == [start, start + 1, start + 2]
        del reading
    assert offsets(log.read()) == [entry.offset for entry in log.entries()] == list(range(3_000))


# -------------------------------------------------------------------------------------------------------------- topics


@needs_broker
@pytest.mark.parametrize(
    ("partitions", "settings", "reason"),
    [
        (1, {}, r"would not keep everything for ever \(.*retention\.ms=604800000"),
        (1, {"retention.ms": "-1", "cleanup.policy": "compact"}, r"cleanup\.policy=compact"),
        (1, {"retention.ms": "-1", "retention.bytes": "1000000"}, r"retention\.bytes=1000000"),
        (2, {"retention.ms": "-1"}, "has 2 partitions"),
    ],
)
def test_a_topic_that_would_forget_or_has_no_one_order_is_refused(
    kafka: str, topic: str, partitions: int, settings: dict[str, str], reason: str
) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for name, number, config in ((f"{topic}.catalog", 1, {"retention.ms": "-1"}), (topic, partitions, settings)):
        admin.create_topics([NewTopic(name, number, 1, config=config)])[name].result(30)
    with pytest.raises(UnusableLog, match=reason):
        open_log(f"kafka://{kafka}/{topic}")


@needs_broker
def test_topics_are_made_with_their_replication(kafka: str, topic: str) -> None:
    place = parse_place(f"kafka://{kafka}/{topic}")
    with pytest.raises(UnusableLog, match="INVALID_REPLICATION_FACTOR"):
        create_topics(place, replication=3)
    assert create_topics(place, replication=1, min_insync_replicas=1)
    assert not create_topics(place)
    open_log(place.url, create=False).close()


# ------------------------------------------------------------------------------------------------------------- writers


@needs_broker
def test_who_begins_to_write_elsewhere_shuts_the_last_writer_out(open_on: Callable[[str], Log]) -> None:
    here, there = open_on("here"), open_on("there")
    fill(here, 2)

    def write() -> None:
        with here.writing():
            here.append(alone(draft("void")))
            append(there, *alone(draft("a")))
            here.append(alone(draft("void too")))

    with pytest.raises(LogBusy, match="another writer took over"):
        write()
    assert [message.id for message in here.read()] == ["id0", "id1", "a"]
    # It is no end: its next block takes the log back, and knows what was written meanwhile.
    with here.writing():
        assert here.receipts(["a", "void"]).keys() == {"a"}
        here.append(alone(draft("b")))
    assert there.latest([ARTICLE]) == {ARTICLE: there.last_offset()}
    assert [message.id for message in there.read()] == ["id0", "id1", "a", "b"]


@needs_broker
def test_a_writer_shut_out_between_its_blocks_is_told_once(open_on: Callable[[str], Log]) -> None:
    here, there = open_on("here"), open_on("there")
    fill(here, 1)
    append(there, *alone(draft("a")))
    with pytest.raises(LogBusy, match="another writer took over"):
        append(here, *alone(draft("b")))
    append(here, *alone(draft("b")))
    assert [message.id for message in there.read()] == ["id0", "a", "b"]


@needs_broker
@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_whose_answer_was_lost_is_settled(
    open_on: Callable[[str], Log], monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    log = open_on("here")
    fill(log, 1)
    commit = Writer.commit

    def lost(writer: Writer) -> bool:
        if committed:
            commit(writer)
        writer.drop()
        raise Undecided(KafkaError(KafkaError._TRANSPORT))

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "commit", lost)
        if committed:
            append(log, *alone(draft("a")))
        else:
            with pytest.raises(Exception, match="nothing was appended"):
                append(log, *alone(draft("a")))
    append(log, *alone(draft("b")))
    assert [message.id for message in log.read()] == (["id0", "a", "b"] if committed else ["id0", "b"])
    assert log.receipts(["a"]).keys() == ({"a"} if committed else set())


# --------------------------------------------------------------------------------------------------------------- index


@needs_broker
@pytest.mark.parametrize("harm", ["lost", "damaged", "made by nobody", "made by another version"])
def test_an_index_that_is_no_use_is_made_again(open_on: Callable[[str], Log], tmp_path: Path, harm: str) -> None:
    log = open_on("here")
    fill(log, 300)
    append(log, *alone(draft("a", value=None)))
    known = log.receipts(["id7", "a"]), log.latest([ARTICLE, IMAGE]), log.published([ARTICLE]), log.offset_at(TIME)
    log.close()
    (file,) = (tmp_path / "here").glob("*.db")
    if harm == "lost":
        file.unlink()
    elif harm == "made by another version":
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript("PRAGMA user_version = 1; ALTER TABLE reflects DROP COLUMN messages")
    else:
        file.write_bytes(b"x" * 100_000 if harm == "damaged" else b"")
    again = open_on("here")
    assert (
        again.receipts(["id7", "a"]),
        again.latest([ARTICLE, IMAGE]),
        again.published([ARTICLE]),
        again.offset_at(TIME),
    ) == known
    assert len(offsets(again.history(ARTICLE))) == 151


@needs_broker
def test_reading_and_following_make_no_index(open_on: Callable[[str], Log], tmp_path: Path) -> None:
    fill(open_on("here"), 3)
    reader = open_on("there")
    assert offsets(reader.read()) == [0, 1, 2]
    assert reader.wait_past(1, 30) == 2
    assert reader.catalog_files() is None
    assert not (tmp_path / "there").exists()

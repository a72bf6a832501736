"""Elasticsearch and a stream into it killed while publishing goes on, and a backfill there killed, resumed and rolled back.

`PUBLOG_SOAK=1` kills them more often.
"""

import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.servers.elasticsearch import Node, drop
from tests.support.live_backfill import MOMENTS, Newsroom, Record, backfill_while_publishing
from tests.support.streamed import Place, acknowledged_offset
from tests.support.streaming import following

pytestmark = [
    pytest.mark.servers,
    pytest.mark.requires_tool("java", "javac", "mvn", "flock"),
    pytest.mark.timeout(900),
]

SOAK = bool(os.environ.get("PUBLOG_SOAK"))
KILLS = 10 if SOAK else 1


def test_a_killed_server_and_a_killed_stream_lose_nothing(tmp_path: Path) -> None:
    random = Random(KILLS)
    with Node(tmp_path / "node") as node:
        place = Place(tmp_path, f"{node.url}/news")
        stream = following(place.home)
        try:
            with place.publishing(1):
                for _ in range(KILLS):
                    place.reaches(acknowledged_offset(place) + 1, stream)
                    time.sleep(random.uniform(0, 0.6))
                    node.kill()
                    node.start()
                    # The stream goes on by itself.
                    place.reaches(acknowledged_offset(place) + 1, stream)
                    time.sleep(random.uniform(0, 0.6))
                    stream.kill()
                    stream = following(place.home)
            place.reaches(acknowledged_offset(place), stream)
            assert stream.stop() == 0, stream.said
        finally:
            if stream.is_running():
                stream.kill()
        place.assert_current()


def test_a_backfill_killed_resumed_and_rolled_back_while_publishing_and_searching_go_on(
    tmp_path: Path, elasticsearch: str, record_property: Record
) -> None:
    room = Newsroom(tmp_path, f"{elasticsearch}/live")
    kills = MOMENTS if SOAK else MOMENTS[3:5]
    backfill_while_publishing(room, kills, record_property, rolled_back=True)
    drop(elasticsearch, "live")


@pytest.mark.requires_tool("java", "mvn")
def test_a_backfill_from_kafka_is_made_and_rolled_back_while_publishing_and_searching_go_on(
    tmp_path: Path, kafka: str, elasticsearch: str, record_property: Record
) -> None:
    log = f"kafka://{kafka}/live?index={tmp_path / 'offsets'}"
    backfill_while_publishing(Newsroom(tmp_path, f"{elasticsearch}/kafka", log), [], record_property, rolled_back=True)
    drop(elasticsearch, "kafka")

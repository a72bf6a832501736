"""Streams of one shard each share nothing but log and index: one is killed and replaced, and the others go on.

`PUBLOG_SOAK=1` kills them more often.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from assets.log import open_log
from indexers import open_index
from tests.servers.elasticsearch import drop
from tests.support.newsroom import run_process
from tests.support.streamed import Place, acknowledged_offset
from tests.support.streaming import StreamProcess, applied_through

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "javac", "mvn", "flock")]

KILLS = 10 if os.environ.get("PUBLOG_SOAK") else 2
SHARDS = 3


@pytest.fixture
def place(tmp_path: Path, elasticsearch: str) -> Iterator[Place]:
    yield Place(tmp_path, f"{elasticsearch}/shards")
    drop(elasticsearch, "shards")


def machine(place: Place, number: int) -> StreamProcess:
    """A stream with a home of its own, as on another machine."""
    parts = ("--log", f"sqlite:{place.home / 'log.sqlite'}", "--index", place.index)
    return StreamProcess(place.folder / f"machine{number}", "--shards", f"{number}/{SHARDS}", *parts)


def test_one_killed_and_replaced_does_not_touch_the_others_and_nothing_is_lost(place: Place) -> None:
    random = Random(3)
    machines: dict[int, StreamProcess] = {}
    try:
        with place.publishing(1):
            # The last comes first: it waits until the first has filled the index.
            for number in range(SHARDS, 0, -1):
                machines[number] = machine(place, number)
            for _ in range(KILLS):
                place.reaches(acknowledged_offset(place), machines[1])
                time.sleep(random.uniform(0, 0.5))
                victim = random.randint(1, SHARDS)
                machines[victim].kill()
                with closing(open_log(f"sqlite:{place.home / 'log.sqlite'}")) as log:
                    end = log.last_offset()
                time.sleep(0.5)
                # While one shard is missing, the index does not say that it is further.
                assert applied_through(place.index) <= end < acknowledged_offset(place)
                assert all(one.is_running() for number, one in machines.items() if number != victim)
                machines[victim] = machine(place, victim)
                place.reaches(acknowledged_offset(place), machines[victim])
        last = acknowledged_offset(place)
        # It waits for all of them.
        found = run_process(
            "--home", place.home, "search", "--at-least", last, "--wait", 60, "--json", folder=place.folder
        )
        assert found.json["applied_through"] >= last
        place.reaches(last, machines[1])
        for one in machines.values():
            assert one.stop() == 0, one.said
    finally:
        for one in machines.values():
            if one.is_running():
                one.kill()
    place.assert_current()


def test_a_watermark_is_the_least_of_what_all_writers_said(place: Place) -> None:
    assert run_process("--home", place.home, "run", "--batch", folder=place.folder).code == 0
    with closing(open_index(place.index)) as index, closing(open_index(place.index)) as other:
        generation, filled = index.info().generation, index.applied_through()
        one = index.share(generation, 0, 2)
        assert one.applied_through() == filled, "what the index had before there were several, all have"
        one.write([], applied_through=filled + 9)
        assert one.applied_through() == filled + 9
        assert other.applied_through() == filled, "nobody knows of the other yet"
        two = other.share(generation, 1, 2)
        two.write([], applied_through=filled + 5)
        assert index.info().applied_through == other.applied_through() == filled + 5
        two.write([], applied_through=filled + 3)
        assert two.applied_through() == filled + 5, "it never falls"
        two.write([], applied_through=filled + 20)
        assert index.applied_through() == filled + 9
        # Who takes one's place goes on from what that one said.
        assert other.share(generation, 0, 2).applied_through() == filled + 9
        # Others than these two begin with what is true of all.
        assert other.share(generation, 0, 3).applied_through() == filled + 9
        # The marks are no documents.
        assert sum(1 for _ in index.scan()) == sum(index.info().live.values())

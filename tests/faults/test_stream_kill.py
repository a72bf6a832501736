"""Killed at any moment while publishing goes on, a stream's index ends as the log says, with all that was acknowledged.

`make soak` kills it 40 times; `make test` less often.
"""

import os
import signal
import time
from pathlib import Path
from random import Random
from statistics import median

import pytest

from tests.support.streamed import Place, acknowledged_offset
from tests.support.streaming import StreamProcess, applied_through, until

KILLS = 20 if os.environ.get("PUBLOG_SOAK") else 4
RESTART_SECONDS_MAX = 5.0


@pytest.mark.parametrize("shards", [1, 2])
def test_a_stream_killed_again_and_again_loses_nothing(shards: int, tmp_path: Path) -> None:
    random = Random(shards)
    place = Place(tmp_path)
    restarts: list[float] = []
    with place.publishing(shards):
        for _ in range(KILLS):
            before = acknowledged_offset(place)
            started = time.monotonic()
            stream = StreamProcess(place.home, "--shards", shards)
            try:
                # What was acknowledged by the time it was started: from there on everything it does is new.
                place.reaches(before, stream)
                restarts.append(time.monotonic() - started)
                time.sleep(random.uniform(0, 0.6))
            finally:
                stream.kill()
    # Other programs are at work while tests run: not the slowest.
    assert median(restarts) < RESTART_SECONDS_MAX
    stream = StreamProcess(place.home, "--shards", shards)
    last = acknowledged_offset(place)
    place.reaches(last, stream)
    assert stream.stop() == 0, stream.said
    place.assert_current()


def test_a_stream_killed_while_it_starts_loses_nothing(tmp_path: Path) -> None:
    """While the index is filled for the first time, while a state is made, while it is restored."""
    random = Random(7)
    place = Place(tmp_path)
    with place.publishing(7):
        for _ in range(KILLS // 2):
            stream = StreamProcess(place.home)
            # It is up in a second or two, so this falls on all that it does on the way.
            time.sleep(random.uniform(0.5, 2.0))
            stream.kill()
    stream = StreamProcess(place.home)
    last = acknowledged_offset(place)
    place.reaches(last, stream)
    assert stream.stop(signal.SIGINT) == 0, stream.said
    place.assert_current()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stream_told_to_stop_ends_well_and_says_what_it_did(number: signal.Signals, tmp_path: Path) -> None:
    place = Place(tmp_path)
    with place.publishing(1):
        stream = StreamProcess(place.home)
        until(lambda: "following" in stream.said)
        reached = applied_through(place.index)
        until(lambda: applied_through(place.index) > reached + 50)
        assert stream.stop(number) == 0, stream.said
    said = stream.said.splitlines()
    assert said[0].startswith("following sqlite:")
    assert said[-1].startswith(f"stopped at offset {applied_through(place.index)}: ")
    # The next one goes on from there, with the state that this one left.
    stream = StreamProcess(place.home)
    last = acknowledged_offset(place)
    place.reaches(last, stream)
    assert stream.stop() == 0
    place.assert_current()

"""Prism, killed while 100 messages a second are published: the stream is submitted again, and nothing is lost."""

import os
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.servers.prism import JobService, WorkerPool, prism_binary
from tests.support.streamed import Place, acknowledged_offset
from tests.support.streaming import StreamProcess, applied_through, following, until

pytestmark = pytest.mark.servers

KILLS = 10 if os.environ.get("PUBLOG_SOAK") else 2


def test_its_own_prism_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    random = Random(1)
    place = Place(tmp_path)
    with place.publishing(1):
        stream = following(place.home, "--runner", "PrismRunner", "--prism_location", prism_binary())
        try:
            for _ in range(KILLS):
                place.reaches(acknowledged_offset(place), stream)
                time.sleep(random.uniform(0, 0.6))
                prism = own_prism(stream)
                os.kill(prism, signal.SIGKILL)
                until(lambda: own_prism(stream) != prism)  # noqa: B023
            place.reaches(acknowledged_offset(place), stream)
        except BaseException:
            stream.kill()
            raise
    place.reaches(acknowledged_offset(place), stream)
    assert stream.stop() == 0, stream.said
    assert "Traceback" not in stream.said
    place.assert_current()
    assert applied_through(place.index) > 300


def own_prism(stream: StreamProcess) -> int:
    """The process of the stream's own Prism."""
    found: list[int] = []

    def is_there() -> bool:
        assert stream.is_running(), stream.said
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(stream.process.pid).children()
            found[:] = [one.pid for one in children if one.name() == "prism" and one.status() != psutil.STATUS_ZOMBIE]
        return len(found) == 1

    until(is_there)
    return found[0]


def test_a_job_service_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """The stream is in a worker of a pool, which is not the process that submits it."""
    random = Random(2)
    place = Place(tmp_path)
    with ExitStack() as servers:
        service = servers.enter_context(JobService(tmp_path / "service"))
        pool = servers.enter_context(WorkerPool(tmp_path / "pool"))
        with place.publishing(2):
            there = ("--job_endpoint", service.address, "--environment_type=EXTERNAL")
            stream = following(place.home, "--runner", "PortableRunner", *there, f"--environment_config={pool.address}")
            try:
                for _ in range(KILLS):
                    place.reaches(acknowledged_offset(place), stream)
                    time.sleep(random.uniform(0, 0.6))
                    service.kill()
                    service.start()
                place.reaches(acknowledged_offset(place), stream)
            except BaseException:
                stream.kill()
                raise
        place.reaches(acknowledged_offset(place), stream)
        assert stream.stop() == 0, stream.said
        assert "Traceback" not in stream.said
        place.assert_current()

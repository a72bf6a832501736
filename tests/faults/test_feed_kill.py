"""A consumer of the change feed, killed and resumed at random while publishing goes on, ends with the views of the log."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import httpx2
import orjson
import pytest

from tests.support.newsroom import ROOT, lines, quiet_environment, run_process, write_catalog
from tests.support.serving import serving
from tests.support.steady_publisher import messages
from tests.support.streaming import until

MESSAGES = 5_000
KILLS_MIN = 20 if os.environ.get("PUBLOG_SOAK") else 5


@contextmanager
def consuming(url: str, copy: Path, way: str, seed: int) -> Generator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.copying_consumer", url, copy, way, str(seed)],
        cwd=ROOT,
        env=quiet_environment(),
        stderr=subprocess.PIPE,
    )
    try:
        yield process
        assert process.stderr is not None
        assert process.poll() is None, process.stderr.read().decode()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def ask(copy: Path, statement: str) -> list[Any]:
    if not copy.exists():
        return []
    with closing(sqlite3.connect(copy, timeout=30)) as database:
        try:
            return database.execute(statement).fetchall()
        except sqlite3.OperationalError:
            return []


def has_seen(copy: Path) -> int:
    return ask(copy, "SELECT count(*) FROM seen")[0][0] if ask(copy, "SELECT 1 FROM seen LIMIT 1") else 0


def read_until(consumer: "subprocess.Popen[bytes]", copy: Path, wanted: int, publisher: Thread) -> None:
    """Wait until so many versions were seen, or as long as there will be more."""
    until(lambda: has_seen(copy) >= wanted or not publisher.is_alive() or consumer.poll() is not None)


class Publisher:
    """Publishes in a thread: some by themselves, some as many lines."""

    def __init__(self, url: str, seed: int) -> None:
        self.last_offset = -1
        self.error: BaseException | None = None
        self._url = url
        self._random = Random(seed)
        self.thread = Thread(target=self._run)

    def _run(self) -> None:
        try:
            with httpx2.Client(base_url=self._url, timeout=60) as client:
                sent = number = 0
                while sent < MESSAGES:
                    batch = []
                    for _ in range(self._random.choice([1, 1, 5, 60])):
                        number += 1
                        batch += messages(self._random, number)
                    answer = client.post(
                        "/v1/messages?references=allow",
                        content=lines(batch),
                        headers={"content-type": "application/x-ndjson"},
                    )
                    assert answer.status_code == 200, answer.text
                    sent += len(batch)
                    self.last_offset = answer.json()["receipts"][-1]["offset"]
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.error = error


@pytest.mark.parametrize("way", ["events", "pages"])
def test_a_consumer_killed_and_resumed_has_the_views_of_the_log(way: str, tmp_path: Path) -> None:
    random = Random(7)
    write_catalog(tmp_path / "catalog")
    copy = tmp_path / "copy.sqlite"
    with serving(tmp_path, "--catalog", "catalog", is_busy=True) as (_, url):
        until(lambda: httpx2.get(f"{url}/readyz").status_code == 200)
        publisher = Publisher(url, 1)
        publisher.thread.start()
        kills = 0
        while publisher.thread.is_alive() or kills < KILLS_MIN:
            with consuming(url, copy, way, kills) as consumer:
                read_until(consumer, copy, has_seen(copy) + random.randint(1, 400), publisher.thread)
                kills += 1
        assert publisher.error is None
        with consuming(url, copy, way, kills) as consumer:

            def is_told() -> bool:
                applied = ask(copy, "SELECT value FROM state WHERE name = 'applied_through'")
                return consumer.poll() is not None or (bool(applied) and applied[0][0] >= publisher.last_offset)

            until(is_told)
    views = f"jsonl:{tmp_path / 'views.jsonl'}"
    assert run_process("run", "--batch", "--index", views, "--catalog", "catalog", folder=tmp_path).code == 0
    expected = [orjson.loads(line) for line in (tmp_path / "views.jsonl").read_bytes().splitlines()]
    copied = [orjson.loads(record) for (record,) in ask(copy, "SELECT record FROM copy")]
    by_name = sorted(expected, key=lambda one: (one["view"], one["uri"]))
    assert sorted(copied, key=lambda one: (one["view"], one["uri"])) == by_name
    assert kills >= KILLS_MIN
    assert {one["state"] for one in expected} == {"live", "gone"}

"""Killed at any moment, publish and run lose nothing that was acknowledged, and a rerun ends in the same bytes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from assets.log import open_log
from assets.newsroom import history
from tests.support.newsroom import ROOT, quiet_environment

MESSAGES = 3_000
BATCH_MESSAGES = 50
"""So small that a kill finds many durable batches behind and before it."""

PATIENCE_SECONDS = 120

# The real command, with smaller batches.
COMMAND = f"""
import assets.limits
assets.limits.IMPORT_BATCH_MESSAGES = {BATCH_MESSAGES}
from publog.cli import main
main()
"""


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    path.write_text("".join(json.dumps(message) + "\n" for message in history(MESSAGES)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def clean(messages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a run that nobody killed."""
    home = tmp_path_factory.mktemp("clean")
    finish(start(home, "publish", messages, "--receipts", home / "receipts.jsonl"))
    finish(start(home, "run", "--batch", "--index", f"jsonl:{home / 'views.jsonl'}"))
    return home


def start(home: Path, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", COMMAND, "--home", str(home), *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=quiet_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    assert process.wait(PATIENCE_SECONDS) == 0


def kill_when(process: subprocess.Popen[bytes], due: Callable[[], bool]) -> None:
    """Kill the process and all it started, as soon as it is due."""
    end = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and not due():
        assert time.monotonic() < end
        time.sleep(0.001)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_SECONDS)


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def receipts(path: Path) -> list[Any]:
    """The receipts that were written whole."""
    text = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in text.split(b"\n")[:-1]]


def beginning(messages: Path, count: int) -> bytes:
    """The first lines of a file, about so many: no transaction is cut."""
    lines = messages.read_bytes().splitlines(keepends=True)
    txs = [json.loads(line).get("tx") for line in lines]
    while txs[count] is not None and txs[count] == txs[count - 1]:
        count += 1
    return b"".join(lines[:count])


def log_of(home: Path) -> list[Any]:
    log = open_log(f"sqlite:{home / 'log.sqlite'}")
    try:
        assert log.verify() == []
        return list(log.read())
    finally:
        log.close()


@pytest.mark.parametrize("seed", range(7))
def test_publish_killed_at_any_moment_keeps_what_it_acknowledged(
    seed: int, messages: Path, clean: Path, tmp_path: Path
) -> None:
    random = Random(seed)
    expected = log_of(clean)
    whole = size(clean / "receipts.jsonl")
    acknowledged: dict[str, Any] = {}
    for attempt in range(3):
        written = tmp_path / f"receipts-{attempt}.jsonl"
        due_at = random.randrange(whole)
        kill_when(
            start(tmp_path, "publish", messages, "--receipts", written),
            lambda: size(written) > due_at,  # noqa: B023
        )
        for receipt in receipts(written):
            assert acknowledged.setdefault(receipt["id"], receipt) == receipt
        if (tmp_path / "log.sqlite").exists():
            found = log_of(tmp_path)
            # A prefix of the file, that ends with a transaction, with all that was acknowledged.
            assert found == expected[: len(found)]
            assert not found or found[-1].tx_end
            for receipt in acknowledged.values():
                message = found[receipt["offset"]]
                assert (message.id, message.uri) == (receipt["id"], receipt["uri"])
    finish(start(tmp_path, "publish", messages))
    assert log_of(tmp_path) == expected


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_a_batch_killed_at_any_moment_leaves_the_old_index_or_the_new(
    seed: int, shards: int, messages: Path, clean: Path, tmp_path: Path
) -> None:
    random = Random(seed)
    expected = sorted((clean / "views.jsonl").read_bytes().splitlines())
    index = tmp_path / "views.jsonl"
    run = ("run", "--batch", "--shards", shards, "--index", f"jsonl:{index}")
    some = tmp_path / "some.jsonl"
    some.write_bytes(beginning(messages, 1_000))
    finish(start(tmp_path, "publish", some))
    finish(start(tmp_path, *run))
    old = index.read_bytes()
    finish(start(tmp_path, "publish", messages))

    parts_bytes = random.randrange(sum(map(len, expected)))

    def due() -> bool:
        return sum(map(size, (tmp_path / "batch").glob("*/*"))) > parts_bytes

    kill_when(start(tmp_path, *run), due)
    now = index.read_bytes()
    assert now == old or sorted(now.splitlines()) == expected

    finish(start(tmp_path, *run))
    assert sorted(index.read_bytes().splitlines()) == expected
    assert not (tmp_path / "batch").exists()

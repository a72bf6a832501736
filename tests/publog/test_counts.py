"""Counts of a log whose offsets have gaps are counts of its messages."""

from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from assets.log import open_log
from pipeline.stream.engine import Tuning
from publog.settings import Flags, resolve
from tests.contract.log_contract import Machine
from tests.support.counting import check_counts
from tests.support.gaps import GappyLog
from tests.support.logs import append, register
from tests.support.newsroom import Shell
from tests.support.strategies import publication
from tests.support.streaming import running

_numbers = count()


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("assets.log.MemoryLog", GappyLog)
    return f"memory:gaps{next(_numbers)}"


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, capsys, monkeypatch)


def test_messages_are_counted(shell: Shell, url: str) -> None:
    index = f"tantivy:{shell.home}/index"
    check_counts(shell, url, index, lambda: resolve(shell.home, Flags(url, index, None), environment={}))


def test_the_log_with_gaps_is_a_log(url: str) -> None:
    machines = settings(max_examples=20, stateful_step_count=20)
    run_state_machine_as_test(lambda: Machine(f"{url}.{next(_numbers)}"), settings=machines)


@pytest.mark.parametrize("shards", [1, 3])
def test_a_stream_counts_what_it_applied(url: str, tmp_path: Path, shards: int) -> None:
    made = publication(1851, 0, poison=False)
    ends = [number for number, message in enumerate(made.messages, 1) if message.tx_end]
    half, whole = ends[len(ends) // 2], len(made.messages)
    log, index = open_log(url), f"tantivy:{tmp_path}/index"
    register(log, made)
    append(log, made.messages[:half])
    rest = {
        "log": url,
        "index": index,
        "load_catalog": lambda _: made.catalog,
        "folder": tmp_path,
        "tuning": Tuning(shards, micro_batch=7),
    }
    with running(**rest) as stream:
        stream.has_applied(log.last_offset())
        done = stream.end()
        assert (done.messages, done.read_again) == (0, half)
    append(log, made.messages[half:])
    with running(**rest) as stream:
        stream.reaches(index, log.last_offset())
        done = stream.end()
        assert (done.messages, done.read_again) == (whole - half, 0)

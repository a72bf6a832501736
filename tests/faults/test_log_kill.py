"""Killed at any moment: what was acknowledged is in the log, and nothing else but what was on its way, whole."""

import random
from pathlib import Path
from typing import Any

from assets.model import Message
from tests.contract.log_contract import SEED
from tests.support.killing import check_after_a_kill, start


def test_killed_writers_lose_nothing_and_leave_nothing_half_done(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    url = f"sqlite:{tmp_path}/log.db"
    messages: list[Message] = []
    acknowledged = 0
    for round_ in range(24):
        # In every third round the write-ahead log is moved before each block, so that some are killed in the middle of it.
        wal_bytes = 0 if round_ % 3 == 0 else 32_000_000
        writers = {f"r{round_}w{number}": start(url, f"r{round_}w{number}", 10_000, wal_bytes) for number in range(2)}
        blocks = dict[str, list[Any]]()
        first = dice.choice(list(writers))
        blocks[first] = [writers[first].line() for _ in range(dice.choice([0, 1, 2, 5, 20]))]
        for name in dice.sample(list(writers), 2):
            blocks.setdefault(name, []).extend(writers[name].kill(after_seconds=dice.uniform(0, 0.01)))
        messages = check_after_a_kill(url, messages, blocks)
        acknowledged += sum(map(len, blocks.values()))
    assert acknowledged > 100


def test_killed_at_its_beginning_or_end_a_log_is_sound(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    for round_ in range(24):
        url = f"sqlite:{tmp_path}/log{round_}.db"
        writer = start(url, "w", 3)
        blocks = writer.kill(after_seconds=dice.uniform(0, 0.02))
        check_after_a_kill(url, [], {"w": blocks})

"""Killed at any moment: what was acknowledged is in the log, and nothing else but what was on its way, whole."""

import random
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from assets.log import open_log
from assets.model import Message, Receipt
from tests.contract.log_contract import SEED, Program
from tests.contract.log_writer import Abandon, check_transactions, write_blocks


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
        writer = start(url, "w", 3, 32_000_000)
        blocks = writer.kill(after_seconds=dice.uniform(0, 0.02))
        check_after_a_kill(url, [], {"w": blocks})


def start(url: str, name: str, blocks: int, wal_bytes: int) -> Program:
    """A writer that is about to open its log."""
    writer = Program("tests.contract.log_writer", url, name, SEED, blocks, wal_bytes)
    assert writer.line() == []
    return writer


def check_after_a_kill(url: str, before: Sequence[Message], blocks: dict[str, list[Any]]) -> list[Message]:
    """The log holds what it held, and of each writer the blocks it acknowledged, at most one more, and all of each."""
    with closing(open_log(url)) as log:
        log.register_schema("article", "{}")
        messages = list(log.read())
        assert list(log.verify()) == []
    assert messages[: len(before)] == before
    check_transactions(messages)
    there = {Receipt(message.id, message.uri, message.offset) for message in messages}
    new = messages[len(before) :]
    for name, receipts in blocks.items():
        lost = {Receipt(*receipt) for block in receipts for receipt in block} - there
        assert not lost, f"PUBLOG_SEED={SEED}"
        found = without_offsets(message for message in new if message.id.startswith(f"{name}."))
        assert found in (would_write(name, len(receipts)), would_write(name, len(receipts) + 1)), f"PUBLOG_SEED={SEED}"
    assert {message.id.partition(".")[0] for message in new} <= set(blocks)
    return messages


def would_write(name: str, blocks: int) -> list[Message]:
    """What a writer appends in its first so many blocks, abandoned ones not counted."""

    def acknowledge(_: object) -> None:
        nonlocal blocks
        blocks -= 1
        if not blocks:
            raise Abandon

    with closing(open_log("memory:")) as log:
        if blocks:
            with suppress(Abandon):
                write_blocks(log, name, SEED, 10_000, acknowledge)
        return without_offsets(log.read())


def without_offsets(messages: Iterable[Message]) -> list[Message]:
    return [message._replace(offset=0) for message in messages]

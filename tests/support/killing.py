"""What a log must hold after its writers were killed."""

from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from typing import Any

from assets.log import open_log
from assets.model import Message, Receipt
from tests.contract.log_contract import SEED, Program
from tests.contract.log_writer import Abandon, check_transactions, write_blocks


def start(url: str, name: str, blocks: int, wal_bytes: int = 32_000_000) -> Program:
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

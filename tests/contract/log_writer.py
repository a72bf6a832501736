"""Writes to a log so that a reader can judge what it finds there: in a thread, or as a program of its own.

    python -m tests.contract.log_writer URL NAME SEED BLOCKS [WAL_BYTES]

Each id says which transaction it belongs to and how large that is. Some blocks are abandoned on the way; their ids say so.
The program prints an empty list when it begins, then the receipts of each block, a line of JSON, once `writing()` has ended
well.
"""

import json
import random
import sys
from collections.abc import Callable, Sequence

from assets.log import Log, open_log
from assets.model import Draft, Message, Receipt, Transaction

TIME = 1_767_225_600_000_000
ABANDONED = "abandoned"


class Abandon(Exception):
    """Ends a block in the middle."""


def wire(schema: int, payload: bytes = b"") -> bytes:
    """A value in Confluent wire format."""
    return b"\0" + schema.to_bytes(4, "big") + payload


def write_blocks(
    log: Log, name: str, seed: int, blocks: int, acknowledge: Callable[[Sequence[Receipt]], object]
) -> None:
    """Write so many random blocks; `acknowledge` gets the receipts of each that is durable."""
    dice = random.Random(f"{name} {seed}")
    for block in range(blocks):
        abandoned = dice.random() < 0.2
        prefix = f"{ABANDONED}.{name}.{block}" if abandoned else f"{name}.{block}"
        receipts: list[Receipt] = []
        try:
            with log.writing():
                for append in range(dice.randint(1, 3)):
                    transactions = [
                        _transaction(dice, f"{prefix}.{append}.{number}") for number in range(dice.randint(1, 4))
                    ]
                    receipts += log.append(transactions)
                if abandoned:
                    raise Abandon
        except Abandon:
            continue
        acknowledge(receipts)


def check_transactions(messages: Sequence[Message]) -> None:
    """Every transaction is there whole, adjacent, in its order, marked at its end only; nothing abandoned is."""
    position = 0
    while position < len(messages):
        prefix, _, size = messages[position].id.rpartition("/")
        name = prefix.rpartition(".")[0]
        found = messages[position : position + int(size)]
        assert [message.id for message in found] == [f"{name}.{number}/{size}" for number in range(int(size))]
        assert [message.tx_end for message in found] == [False] * (int(size) - 1) + [True]
        assert {message.tx for message in found} in ({None}, {name})
        assert not name.startswith(ABANDONED)
        position += int(size)


def _transaction(dice: random.Random, name: str) -> Transaction:
    size = dice.choice([1, 1, 1, 2, 3, 12])
    drafts = [
        Draft(
            f"nyt://article/{dice.randrange(50)}",
            TIME + dice.randrange(10**9),
            f"{name}.{number}/{size}",
            None if dice.random() < 0.1 else wire(1, dice.randbytes(dice.choice([10, 700, 5_000]))),
        )
        for number in range(size)
    ]
    return Transaction(dice.choice([None, name]), drafts)


def say(line: object) -> None:
    """Print a line of JSON so that it is out even if this program is killed now."""
    sys.stdout.write(f"{json.dumps(line)}\n")
    sys.stdout.flush()


def main(url: str, name: str, seed: str, blocks: str, wal_bytes: str | None = None) -> None:
    if wal_bytes is not None:
        import assets.log.sqlite

        assets.log.sqlite.WAL_BYTES = int(wal_bytes)  # type: ignore[misc]
    say([])
    log = open_log(url)
    write_blocks(log, name, int(seed), int(blocks), say)
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

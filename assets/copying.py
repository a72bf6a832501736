"""Moves a log to another place: the same messages in the same order and transactions, with their schemas and catalog.

Offsets are the target's own, so an index made from the source is made anew. It goes on where it stopped, and is compared
at the end.
"""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import NamedTuple

from assets.catalog import parse_catalog
from assets.errors import CorruptLog, UnusableLog
from assets.limits import IMPORT_BATCH_BYTES, IMPORT_BATCH_MESSAGES
from assets.log.port import Log
from assets.model import NEVER, Draft, Message, RegisteredSchema, Transaction


class Copied(NamedTuple):
    """What a copy did."""

    present: bool
    """Whether an earlier copy had begun it."""
    messages: int
    """Appended by this one."""
    verified: int
    """Compared: all of them."""


def copy_log(source: Log, target: Log, on_progress: Callable[[int], None] = lambda _: None) -> Copied:
    """Copy what the source holds now; the target must be empty, or hold a part of it from an earlier copy.

    Args:
        source: Only read.
        target: Nobody else may write to it meanwhile.
        on_progress: Told how many messages are in the target.

    Raises:
        UnusableLog: the target holds something else.
        CorruptLog: the source ends inside a transaction, or what was written does not compare.
    """
    last, there = source.last_offset(), target.last_offset()
    start = _resumed(source, target, there)
    verified = _compare(source, target, (0, 0), start - 1)
    schemas = _copy_schemas(source, target)
    count = 0
    for block in _blocks(_transactions(source.read(start, last))):
        with target.writing():
            target.append([transaction for transaction, _ in block])
        count += sum(len(transaction.drafts) for transaction, _ in block)
        on_progress(verified + count)
    files = source.catalog_files()
    if files is not None:
        target.save_catalog(parse_catalog(files).digest, files)
    verified += _compare(source, target, (start, there + 1), last)
    if list(target.schemas()) != schemas or target.catalog_files() != files:
        raise CorruptLog(f"{target.url} is no copy of {source.url}: schemas or catalog differ; copy into an empty log")
    return Copied(start > 0, count, verified)


def _copy_schemas(source: Log, target: Log) -> list[RegisteredSchema]:
    """The schemas, in both now; their ids stand in the messages, so they must come out the same."""
    schemas = list(source.schemas())
    for schema in target.schemas():
        if schema not in schemas:
            raise UnusableLog(f"{target.url} has another schema {schema.id} than {source.url}; copy into an empty log")
    for schema in schemas:
        found = target.register_schema(schema.kind, schema.text)
        if found != schema:
            raise UnusableLog(
                f"schema {schema.id} of {source.url} became schema {found.id} of {target.url}; copy into an empty log"
            )
    return schemas


def _resumed(source: Log, target: Log, last: int) -> int:
    """The source's offset to go on from, where the target ends at offset `last`."""
    if last == NEVER:
        return 0
    (message,) = target.read(last, last)
    found = source.receipts([message.id]).get(message.id)
    if found is None or found.uri != message.uri:
        raise UnusableLog(f"{target.url} ends with a message that {source.url} has not; copy into an empty log")
    return found.offset + 1


def _transactions(messages: Iterator[Message]) -> Iterator[tuple[Transaction, int]]:
    """Whole transactions, each with the offset it ends at."""
    drafts: list[Draft] = []
    for message in messages:
        drafts.append(Draft(message.uri, message.time, message.id, message.value))
        if message.tx_end:
            yield Transaction(message.tx, drafts), message.offset
            drafts = []
    if drafts:
        raise CorruptLog("the log ends inside a transaction; `publog log verify` says where")


def _blocks(transactions: Iterator[tuple[Transaction, int]]) -> Iterator[list[tuple[Transaction, int]]]:
    """As many as are appended at a time, or a few more: a transaction stays whole."""
    block: list[tuple[Transaction, int]] = []
    messages = size = 0
    for transaction, offset in transactions:
        block.append((transaction, offset))
        messages += len(transaction.drafts)
        size += sum(len(draft.value or b"") for draft in transaction.drafts)
        if messages >= IMPORT_BATCH_MESSAGES or size >= IMPORT_BATCH_BYTES:
            yield block
            block, messages, size = [], 0, 0
    if block:
        yield block


def _compare(source: Log, target: Log, starts: tuple[int, int], last: int) -> int:
    """How many messages the target has from its start on, each as the source has it from its own to offset `last`."""
    count = 0
    for before, after in zip_longest(source.read(starts[0], last), target.read(starts[1])):
        if before is None or after is None or before._replace(offset=0) != after._replace(offset=0):
            place = "behind the last" if before is None else f"at offset {before.offset}"
            raise CorruptLog(f"{target.url} is no copy of {source.url} {place}; copy into an empty log")
        count += 1
    return count

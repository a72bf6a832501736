"""A copy of a log is the same log in another place."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import newsroom_catalog
from assets.copying import Copied, copy_log
from assets.errors import CorruptLog, UnusableLog
from assets.fixing import fix_catalog
from assets.log import Log, open_log
from assets.model import Message, Transaction
from tests.contract.log_contract import IMAGE, alone, append, draft
from tests.contract.log_writer import wire

BLOCK = 3


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.copying.IMPORT_BATCH_MESSAGES", BLOCK)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Log]:
    with closing(open_log(f"sqlite:{tmp_path}/source.db")) as log:
        fix_catalog(log, newsroom_catalog())
        log.register_schema("article", "{}")
        log.register_schema("image", "{}")
        append(log, *alone(draft("a"), draft("b", IMAGE, wire(2)), draft("c", value=None, time=-5)))
        append(log, Transaction("tx", [draft(f"d{number}") for number in range(5)]), Transaction("tx", [draft("e")]))
        append(log, Transaction(None, [draft("f"), draft("g")]), *alone(*(draft(f"h{number}") for number in range(9))))
        yield log


def meaning(log: Log) -> list[Message]:
    return [message._replace(offset=0) for message in log.read()]


def is_same(one: Log, other: Log) -> bool:
    return (
        meaning(one) == meaning(other)
        and list(one.schemas()) == list(other.schemas())
        and one.catalog_files() == other.catalog_files()
    )


def test_a_copy_has_everything(source: Log) -> None:
    target = open_log("memory:")
    told: list[int] = []
    assert copy_log(source, target, told.append) == Copied(False, 20, 20)
    assert is_same(source, target)
    assert told == sorted(told)
    assert told[-1] == 20
    assert copy_log(source, target) == Copied(True, 0, 20)


@pytest.mark.parametrize("blocks", range(1, 6))
def test_a_copy_that_was_stopped_goes_on(source: Log, monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    class Stop(Exception):
        pass

    def stop(_: int) -> None:
        nonlocal blocks
        blocks -= 1
        if not blocks:
            raise Stop

    target = open_log("memory:")
    with pytest.raises(Stop):
        copy_log(source, target, stop)
    there = target.last_offset() + 1
    assert 0 < there < 20
    append(source, *alone(draft("later")))
    assert copy_log(source, target) == Copied(True, 21 - there, 21)
    assert is_same(source, target)


@pytest.mark.parametrize("id_", ["a", "stranger"])
def test_what_is_no_copy_is_left_alone(source: Log, id_: str) -> None:
    target = open_log("memory:")
    # An end that looks right hides nothing: all of it is compared.
    append(target, *alone(draft("x"), draft(id_, value=wire(9))))
    with pytest.raises((UnusableLog, CorruptLog), match=r"copy into an empty log"):
        copy_log(source, target)
    assert [message.id for message in target.read()] == ["x", id_]
    assert list(target.schemas()) == []


def test_a_log_with_other_schemas_is_refused(source: Log) -> None:
    target = open_log("memory:")
    target.register_schema("tag", "{}")
    with pytest.raises(UnusableLog, match="has another schema 1 than"):
        copy_log(source, target)


@pytest.mark.servers
@pytest.mark.requires_tool("java", "mvn")
def test_to_kafka_and_back_is_the_same_log(source: Log, kafka: str, tmp_path: Path) -> None:
    with (
        closing(open_log(f"kafka://{kafka}/copied?index={tmp_path}")) as middle,
        closing(open_log(f"sqlite:{tmp_path}/back.db")) as back,
    ):
        results: list[Any] = [copy_log(source, middle), copy_log(middle, back), copy_log(middle, back)]
        assert results == [Copied(False, 20, 20), Copied(False, 20, 20), Copied(True, 0, 20)]
        assert is_same(source, middle)
        assert is_same(source, back)
        assert list(back.read()) == list(source.read())

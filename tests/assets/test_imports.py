"""Whole files into the log: transactions, what is refused with what, files that come again, memory."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from assets import imports
from assets.catalog import References, parse_catalog
from assets.errors import LogBusy
from assets.gateway import Gateway
from assets.holding import Holding
from assets.imports import Batch, import_lines
from assets.intake import read_lines
from assets.limits import LINE_BYTES_MAX
from assets.log import open_log
from tests.support.newsroom import (
    CATALOG,
    ROOT,
    Shell,
    article,
    byline,
    image,
    lines,
    publish,
    unpublish,
    write_catalog,
)

Json = Any

ALSO = "not appended, because line {} of its transaction {} was refused"


class Import:
    """A log, and files that go into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = open_log(f"sqlite:{folder / 'log.sqlite'}")
        self.holding = Holding(folder / "held.sqlite")

    def __call__(self, *messages: Json, policy: References | None = None) -> Batch:
        """What became of a file of these lines; a line may also be text or bytes."""
        return self.total(list(self.batches(*messages, policy=policy)))

    def batches(self, *messages: Json, policy: References | None = None) -> Iterator[Batch]:
        path = self.folder / "file.jsonl"
        path.write_bytes(b"".join(map(as_line, messages)))
        # A gateway of its own each time, as each command has.
        gateway = Gateway(self.log, parse_catalog(CATALOG), self.holding)
        return import_lines(gateway, read_lines(str(path)), policy)

    @staticmethod
    def total(batches: Sequence[Batch]) -> Batch:
        total = Batch()
        for batch in batches:
            for name, value in vars(batch).items():
                setattr(total, name, getattr(total, name) + value)
        return total

    @property
    def uris(self) -> list[str]:
        return [message.uri.removeprefix("news://") for message in self.log.read()]

    def close(self) -> None:
        self.holding.close()
        self.log.close()


def as_line(message: Json) -> bytes:
    if isinstance(message, bytes):
        return message + b"\n"
    return lines([message]) if isinstance(message, dict) else f"{message}\n".encode()


def counts(batch: Batch) -> tuple[int, int, int, int]:
    return batch.appended, batch.present, batch.held, len(batch.refused)


@pytest.fixture
def into(tmp_path: Path) -> Iterator[Import]:
    made = Import(tmp_path)
    yield made
    made.close()


# -------------------------------------------------------------------------------------------------------- transactions


def test_adjacent_lines_of_one_tx_are_one_transaction(into: Import) -> None:
    into(image(1), image(2, tx="t"), image(3, tx="t"), image(4, tx="u"), image(5), image(6, tx="t"))
    assert [(message.tx, message.tx_end) for message in into.log.read()] == [
        (None, True),
        ("t", False),
        ("t", True),
        ("u", True),
        (None, True),
        ("t", True),
    ]


def test_lines_that_refer_to_each_other_need_a_transaction(into: Import) -> None:
    portrait = [byline(1, photo="news://image/1"), image(1, credit="news://byline/1")]
    assert counts(into(*portrait)) == (0, 0, 0, 2)
    assert counts(into(*({**message, "tx": "t"} for message in portrait))) == (2, 0, 0, 0)


INVALID = publish("news://image/2", path=5, tx="t")
INVALID_SAID = "data.path: expected string, got int"
UNKNOWN = json.dumps({**image(2, tx="t"), "op": "change"})
UNKNOWN_SAID = "op: invalid enum value 'change', must be one of publish, unpublish"
CUT = json.dumps(image(2, tx="t"))[:-9]
CUT_SAID = "not JSON: Input data was truncated"
HELLO_SAID = "not JSON: invalid character (byte 0)"
FIRST, LAST = image(1, tx="t"), image(3, tx="t")

TRANSACTIONS = {
    # lines; which of them are refused, and what is said of each; all others are appended
    "the middle": ([FIRST, INVALID, LAST], {1: ALSO.format(2, "t"), 2: INVALID_SAID, 3: ALSO.format(2, "t")}),
    "the first": ([INVALID, FIRST, LAST], {1: INVALID_SAID, 2: ALSO.format(1, "t"), 3: ALSO.format(1, "t")}),
    "the last": ([FIRST, LAST, INVALID], {1: ALSO.format(3, "t"), 2: ALSO.format(3, "t"), 3: INVALID_SAID}),
    "two": (
        [INVALID, FIRST, article(1, byline="news://image/1", tx="t")],
        {1: INVALID_SAID, 2: ALSO.format(1, "t"), 3: "data.byline: refers to the kind image, must be byline"},
    ),
    "no message in the middle": (
        [FIRST, UNKNOWN, LAST],
        {1: ALSO.format(2, "t"), 2: UNKNOWN_SAID, 3: ALSO.format(2, "t")},
    ),
    "no message first": ([UNKNOWN, FIRST, LAST], {1: UNKNOWN_SAID, 2: ALSO.format(1, "t"), 3: ALSO.format(1, "t")}),
    "no message last": ([FIRST, LAST, UNKNOWN], {1: ALSO.format(3, "t"), 2: ALSO.format(3, "t"), 3: UNKNOWN_SAID}),
    "a line cut short first": ([CUT, FIRST], {1: CUT_SAID, 2: ALSO.format(1, "t")}),
    "a line cut short last": ([FIRST, CUT], {1: ALSO.format(2, "t"), 2: CUT_SAID}),
    "a line cut before its tx": ([FIRST, '{"uri": "ne'], {1: ALSO.format(2, "t"), 2: CUT_SAID}),
    "a line that says nothing": (
        [FIRST, "hello", LAST],
        {1: ALSO.format(2, "t"), 2: HELLO_SAID, 3: ALSO.format(2, "t")},
    ),
    "a line too long": (
        [FIRST, b"x" * (LINE_BYTES_MAX + 1), LAST],
        {1: ALSO.format(2, "t"), 2: "is longer than 8,388,608 bytes", 3: ALSO.format(2, "t")},
    ),
    "alone, before it": ([image(9), "hello", FIRST, LAST], {2: HELLO_SAID}),
    "alone, of another": ([FIRST, UNKNOWN.replace('"t"', '"u"'), LAST], {2: UNKNOWN_SAID}),
    "alone, of none": ([FIRST, UNKNOWN.replace('"tx": "t", ', ""), LAST], {2: UNKNOWN_SAID}),
    "one transaction of three": (
        [image(8, tx="s"), image(9, tx="s"), FIRST, INVALID, image(6, tx="u"), image(7, tx="u")],
        {3: ALSO.format(4, "t"), 4: INVALID_SAID},
    ),
    "dangling, twice": (
        [
            FIRST,
            article(1, tx="t", byline="news://byline/1"),
            article(2, tx="t", images=["news://image/1", "news://image/2"]),
        ],
        {
            1: ALSO.format(2, "t"),
            2: "data.byline: refers to news://byline/1, which nobody has published; publish it first or in the same"
            " transaction, or use --references hold or allow",
            3: "data.images[1]: refers to news://image/2, which nobody has published; publish it first or in the same"
            " transaction, or use --references hold or allow",
        },
    ),
    "a conflict": (
        [FIRST, image(2, tx="t", expect=5)],
        {
            1: ALSO.format(2, "t"),
            2: "expect: news://image/2 was never published, not at 5; read it again and publish on top of that",
        },
    ),
    "an id twice": (
        [image(1, tx="t", id="a"), image(2, tx="t", id="a")],
        {1: ALSO.format(2, "t"), 2: "id: another message of its transaction has the same id"},
    ),
    "an id of before": (
        [image(1, id="a"), image(1, tx="t", id="a"), image(2, tx="t", id="b")],
        {
            2: ALSO.format(3, "t"),
            3: "tx: other messages of its transaction are in the log already; give new ones a new tx",
        },
    ),
}


@pytest.mark.parametrize(("messages", "refused"), TRANSACTIONS.values(), ids=TRANSACTIONS)
def test_a_bad_line_refuses_its_whole_transaction_and_nothing_else(
    messages: list[Json], refused: dict[int, str], into: Import
) -> None:
    batch = into(*messages)
    assert dict(batch.refused) == refused
    assert [line for line, _ in batch.refused] == sorted(refused)
    good = [json.loads(as_line(message)) for number, message in enumerate(messages, 1) if number not in refused]
    assert into.uris == [message["uri"].removeprefix("news://") for message in good]
    assert batch.appended == len(good)


def test_a_transaction_of_too_many_lines_is_refused_whole(into: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "TRANSACTION_MESSAGES_MAX", 10)
    whole = into(*(image(number, tx="t") for number in range(10)))
    assert counts(whole) == (10, 0, 0, 0)
    for more in (11, 20, 21, 35):
        batch = into(image("before"), *(image(number, tx="u") for number in range(more)), image("behind"))
        assert len(into.uris) == 10 + 2
        assert [line for line, _ in batch.refused] == list(range(2, 2 + more))
        said = [reason for _, reason in batch.refused]
        assert said[10] == "tx: has more than 10 messages"
        assert said[:10] == [ALSO.format(12, "u")] * 10
        # Those far behind are refused for what the nearest before them is.
        assert all(reason in (said[10], *(ALSO.format(line, "u") for line in (12, 22, 32))) for reason in said)
        into.close()
        into.folder = into.folder / "next"
        into.folder.mkdir()
        into.log = open_log(f"sqlite:{into.folder / 'log.sqlite'}")
        into.holding = Holding(into.folder / "held.sqlite")
        into(*(image(number, tx="t") for number in range(10)))


def test_a_transaction_of_too_many_bytes_is_refused_whole(into: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "TRANSACTION_BYTES_MAX", 500)
    batch = into(*(image(number, tx="t", path="x" * 100) for number in range(7)), image("behind"))
    assert [reason for _, reason in batch.refused] == [
        *[ALSO.format(5, "t")] * 4,
        "tx: takes more than 500 bytes",
        *[ALSO.format(5, "t")] * 2,
    ]
    assert into.uris == ["image/behind"]


# ------------------------------------------------------------------------------------------------------------- batches


def test_a_batch_is_so_many_messages_and_cuts_no_transaction(into: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "IMPORT_BATCH_MESSAGES", 3)
    messages = [
        image(1),
        image(2),
        *(image(number, tx="t") for number in range(4)),
        image(7),
        "hello",
        image(8),
        image(9),
    ]
    # What is reported is in the log, and nothing else is.
    seen = [(batch.lines, len(into.uris)) for batch in into.batches(*messages)]
    assert seen == [(6, 6), (3, 8), (1, 9)]


def test_a_batch_is_so_many_bytes(into: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "IMPORT_BATCH_BYTES", 1_000)
    batches = list(into.batches(*(image(number, path="x" * 400) for number in range(6))))
    assert [batch.lines for batch in batches] == [2, 2, 2]
    assert all(1_000 <= batch.bytes < 1_500 for batch in batches)


def test_receipts_are_in_the_order_of_the_lines(into: Import) -> None:
    into(image(2, id="b"))
    batch = into(image(1, id="a"), image(2, id="b"), image(3, id="c"))
    assert [(receipt.id, receipt.offset) for receipt in batch.receipts] == [("a", 1), ("b", 0), ("c", 2)]
    assert counts(batch) == (2, 1, 0, 0)


def test_holes_are_counted(into: Import) -> None:
    batch = into(article(1, byline="news://byline/1", images=["news://image/1"]), policy="allow")
    assert (batch.appended, batch.holes) == (1, 2)


# ------------------------------------------------------------------------------------------------------- coming again

HISTORY = [
    byline(1),
    image(1),
    image(2, tx="t"),
    article(1, tx="t", images=["news://image/2"]),
    article(1, byline="news://byline/1"),
    unpublish("news://article/1"),
]


def test_the_same_file_again_is_already_there(into: Import) -> None:
    assert counts(into(*HISTORY)) == (6, 0, 0, 0)
    first = list(into.log.read())
    assert counts(into(*HISTORY)) == (0, 6, 0, 0)
    assert list(into.log.read()) == first


def test_a_file_that_grew_goes_on_where_it_was(into: Import) -> None:
    for length in range(1, len(HISTORY) + 1):
        if length != 3:  # inside a transaction
            into(*HISTORY[:length])
    assert [message.uri for message in into.log.read()] == [message["uri"] for message in HISTORY]


def test_a_transaction_that_grew_is_refused(into: Import) -> None:
    into(*HISTORY[:3])
    batch = into(*HISTORY)
    assert counts(batch) == (2, 2, 0, 2)
    assert [line for line, _ in batch.refused] == [3, 4]


def test_the_same_line_twice_in_a_file_is_two_messages(into: Import) -> None:
    assert counts(into(image(1), image(1), image(1))) == (3, 0, 0, 0)
    assert counts(into(image(1), image(1), image(1), image(1))) == (1, 3, 0, 0)


def test_the_same_line_in_another_file_is_another_message(into: Import) -> None:
    into(image(1), image(2))
    assert counts(into(image(2))) == (1, 0, 0, 0)


def test_lines_with_ids_are_known_wherever_they_stand(into: Import) -> None:
    into(image(1, id="a"), image(2, id="b"))
    assert counts(into("hello", image(2, id="b"), image(3, id="c"), image(1, id="a"))) == (1, 2, 0, 1)


def test_a_file_with_refused_lines_again_refuses_the_same(into: Import) -> None:
    messages = [image(1), "hello", INVALID, image(3)]
    first, again = into(*messages), into(*messages)
    assert (counts(first), counts(again)) == ((2, 0, 0, 2), (0, 2, 0, 2))
    assert first.refused == again.refused


# ------------------------------------------------------------------------------------------------------------- holding

LATE = [article(1, images=["news://image/1"]), article(2), image(1, credit="news://byline/1"), byline(1)]


def test_what_waits_is_released_by_the_batch_that_brings_the_last_of_it(into: Import) -> None:
    batch = into(*LATE, policy="hold")
    assert (counts(batch), batch.released) == ((2, 0, 2, 0), 2)
    assert into.uris == ["article/2", "byline/1", "image/1", "article/1"]
    assert [receipt.uri.removeprefix("news://") for receipt in batch.receipts] == into.uris
    assert counts(into(*LATE, policy="hold")) == (0, 4, 0, 0)


def test_what_waits_is_released_by_another_file(into: Import) -> None:
    assert counts(into(*LATE[:3], policy="hold")) == (1, 0, 2, 0)
    assert counts(into(*LATE[:3], policy="hold")) == (0, 1, 2, 0)
    batch = into(byline(1))
    assert (batch.appended, batch.released, len(batch.receipts)) == (1, 2, 3)


def test_what_a_killed_import_did_not_release_the_next_one_does(into: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        raise LogBusy("killed")

    with monkeypatch.context() as patched:
        patched.setattr(Gateway, "release", killed)
        with pytest.raises(LogBusy):
            into(*LATE, policy="hold")
    assert into.uris == ["article/2", "byline/1"]
    # Nothing is new in the file: what it brought is there, what it waits for is there.
    assert into(*LATE, policy="hold").released == 2
    assert into.uris == ["article/2", "byline/1", "image/1", "article/1"]


# -------------------------------------------------------------------------------------------------------------- memory

# What is remembered is bounded, but by more than these files would fill: so it is bounded by less.
MEASURED = """
import resource, sys
import assets.gateway, assets.log.sqlite_file
assert assets.gateway.PUBLISHED_KEPT_MAX and assets.log.sqlite_file._CACHE_KIB
assets.gateway.PUBLISHED_KEPT_MAX, assets.log.sqlite_file._CACHE_KIB = 1_000, 2_048
from publog.cli import run_command
assert run_command(["publish", *sys.argv[1:]]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kib(folder: Path, name: str, *arguments: str) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, name, "--log", f"sqlite:{name}.sqlite", "--catalog", "catalog", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PUBLOG_HOME": f"{name}.home"},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(ran.stdout.splitlines()[-1])


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    write_catalog(tmp_path / "catalog")
    for count in (10_000, 100_000):
        with (tmp_path / f"{count}.jsonl").open("wb") as file:
            for number in range(0, count, 1_000):
                file.write(lines([article(each, headline="x" * 300) for each in range(number, number + 1_000)]))
    small, large = (peak_kib(tmp_path, f"{count}.jsonl") for count in (10_000, 100_000))
    # 90,000 lines more are 40 MB of text, and would be 100 MB or more as objects.
    assert large - small < 30 * 1024, (small, large)


def test_memory_does_not_grow_with_what_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path, capsys, monkeypatch)
    write_catalog(tmp_path / "catalog")
    Path("bad.jsonl").write_bytes(b"hello\n" * 200 + lines([image(1)]))
    ran = shell("publish", "bad.jsonl", "--catalog", "catalog", code=1)
    assert ran.out.startswith("1 appended, 0 already there, 0 held, 200 refused\n")
    shown = ran.err.splitlines()
    assert shown[:2] == [f"bad.jsonl:{number}: {HELLO_SAID}" for number in (1, 2)]
    assert shown[50:] == ["bad.jsonl: and 150 more refused lines"]

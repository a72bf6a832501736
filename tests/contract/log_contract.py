"""What every log must do, as tests: an adapter's test subclasses `LogContract` and says where its logs are.

`SharedLogContract` is for a log that several processes may have open. What it hunts for: offsets that become visible out
of order, torn transactions, what was acknowledged and is not there.
"""

import json
import math
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from assets.errors import InvalidMessage, LogBusy, UnusableLog
from assets.limits import READ_MESSAGES
from assets.log import Log, open_log
from assets.model import Draft, Entry, Message, Receipt, TraceContext, Transaction
from tests.contract.log_writer import TIME, Abandon, check_transactions, say, wire, write_blocks

ROOT = Path(__file__).parents[2]
SEED = int(os.environ.get("PUBLOG_SEED") or random.randrange(2**32))

PARENT = "00-" + "a" * 32 + "-" + "c" * 16 + "-01"
ARTICLE, IMAGE = "nyt://article/1", "nyt://image/1"

Open = Callable[..., Log]


def draft(id_: str, uri: str = ARTICLE, value: bytes | None = wire(1), time: int = TIME) -> Draft:
    return Draft(uri, time, id_, value)


def alone(*drafts: Draft) -> list[Transaction]:
    """Each a transaction of its own."""
    return [Transaction(None, [entry]) for entry in drafts]


def append(log: Log, *transactions: Transaction) -> list[Receipt]:
    with log.writing():
        return log.append(transactions)


def fill(log: Log, count: int) -> list[Receipt]:
    """So many messages of two assets in turn, with the ids id0, id1 and so on."""
    return append(log, *alone(*(draft(f"id{number}", (ARTICLE, IMAGE)[number % 2]) for number in range(count))))


def offsets(messages: Iterator[Message]) -> list[int]:
    return [message.offset for message in messages]


def check_offsets(log: Log, found: Sequence[int]) -> None:
    """They are those of a whole log, from its first message on: rising, by one each where the log says so."""
    assert found == sorted(set(found))
    assert not log.contiguous or found == list(range(len(found)))


class LogContract:
    """What holds of any log, used by threads with an instance each."""

    @pytest.fixture
    def new_url(self) -> Callable[[], str]:
        """Gives the URL of a log that is not there yet."""
        raise NotImplementedError

    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Makes a writer wait for its turn no more than a moment."""
        raise NotImplementedError

    @pytest.fixture
    def url(self, new_url: Callable[[], str]) -> str:
        return new_url()

    @pytest.fixture
    def open_(self, url: str) -> Iterator[Open]:
        """Opens instances of one log, and closes them at the end."""
        instances: list[Log] = []

        def opened(**options: bool) -> Log:
            instances.append(open_log(url, **options))
            return instances[-1]

        yield opened
        for instance in instances:
            instance.close()

    @pytest.fixture
    def log(self, open_: Open) -> Log:
        return open_()

    # -------------------------------------------------------------------------------------------------- what it keeps

    def test_an_empty_log_has_nothing(self, log: Log) -> None:
        assert log.last_offset() == -1
        assert log.count() == log.count(5) == 0
        assert list(log.read()) == list(log.history(ARTICLE)) == []
        assert log.offset_at(TIME) == -1
        assert log.receipts(["id0"]) == log.latest([ARTICLE]) == {}
        assert log.published([ARTICLE]) == set()
        assert list(log.schemas()) == []
        assert log.catalog_files() is None
        assert list(log.verify()) == []

    def test_what_was_appended_is_read_as_it_was(self, log: Log) -> None:
        transactions = [
            Transaction(None, [draft("id0")]),
            Transaction(
                "tx", [draft("id1", IMAGE, None, 0), draft("id2", value=wire(2, bytes(range(256)))), draft("id3")]
            ),
            Transaction(None, [draft('it\'s "ü" \u2028 \U0001f5de', value=b""), draft("", time=-1)]),
            Transaction("tx", [draft("id5", value=wire(1, b"x" * 1_000_000))]),
        ]
        receipts = append(log, *transactions)
        messages = list(log.read())
        expected = [
            Message(offset, *entry[:3], tx, entry is drafts[-1], entry.value)
            for offset, (tx, drafts, entry) in enumerate(
                (tx, drafts, entry) for tx, drafts in transactions for entry in drafts
            )
        ]
        assert messages == expected
        assert [type(message.tx_end) for message in messages] == [bool] * len(messages)
        assert receipts == [Receipt(message.id, message.uri, message.offset) for message in messages]

    def test_offsets_go_on_where_they_were(self, log: Log, open_: Open) -> None:
        receipts = fill(log, 3)
        assert [receipt.offset for receipt in receipts] == [0, 1, 2]
        with log.writing():
            receipts += log.append(alone(draft("a")))
            receipts += log.append(alone(draft("b"), draft("c")))
        receipts += append(open_(), *alone(draft("d")))
        check_offsets(log, [receipt.offset for receipt in receipts])
        assert [(message.id, message.offset) for message in log.read()] == [
            (entry.id, entry.offset) for entry in receipts
        ]
        assert log.last_offset() == receipts[-1].offset

    def test_nothing_appended_is_nothing(self, log: Log) -> None:
        assert append(log) == append(log, Transaction("tx", [])) == []
        with log.writing():
            pass
        assert log.last_offset() == -1

    def test_its_url_opens_it_again(self, log: Log, open_: Open) -> None:
        fill(log, 3)
        log.register_schema("article", "{}")
        log.save_catalog("digest", {"views.toml": ""})
        again = open_log(log.url, create=False)
        assert list(again.read()) == list(log.read())
        assert again.schemas() == log.schemas()
        assert again.catalog_files() == log.catalog_files()
        assert again.url == log.url
        again.close()

    def test_a_log_that_is_not_there_is_only_made_on_request(self, url: str, open_: Open) -> None:
        with pytest.raises(UnusableLog, match="publish something into it first"):
            open_log(url, create=False)
        open_()
        open_(create=False)

    # -------------------------------------------------------------------------------------------------------- reading

    @pytest.mark.parametrize(
        ("start", "last", "expected"),
        [
            (0, None, range(600)),
            (0, 599, range(600)),
            (0, 600, range(600)),
            (0, 10**12, range(600)),
            (-5, 3, range(4)),
            (7, 7, range(7, 8)),
            (1, READ_MESSAGES, range(1, READ_MESSAGES + 1)),
            (READ_MESSAGES - 1, 2 * READ_MESSAGES, range(READ_MESSAGES - 1, 2 * READ_MESSAGES + 1)),
            (599, None, range(599, 600)),
            (600, None, range(0)),
            (5, 4, range(0)),
            (0, -1, range(0)),
        ],
    )
    def test_a_range_has_both_its_ends(self, log: Log, start: int, last: int | None, expected: range) -> None:
        fill(log, 600)
        assert offsets(log.read(start, last)) == list(expected)
        assert log.count(start, last) == len(expected)

    def test_reading_ends_where_the_log_did(self, log: Log, open_: Open) -> None:
        fill(log, 3)
        reading, history = log.read(), log.history(ARTICLE)
        (later,) = append(open_(), *alone(draft("later")))
        assert offsets(reading) == [0, 1, 2]
        assert offsets(history) == [2, 0]
        assert offsets(log.read()) == [0, 1, 2, later.offset]

    def test_an_assets_history_is_newest_first(self, log: Log) -> None:
        fill(log, 4 * READ_MESSAGES + 3)
        assert offsets(log.history(IMAGE)) == list(range(4 * READ_MESSAGES + 1, 0, -2))
        assert offsets(log.history(IMAGE, 6)) == [5, 3, 1]
        assert offsets(log.history(IMAGE, 5)) == [5, 3, 1]
        assert offsets(log.history(IMAGE, 10**12)) == offsets(log.history(IMAGE))
        assert offsets(log.history(IMAGE, 0)) == offsets(log.history("nyt://article/2")) == []
        assert list(log.history(IMAGE, 1)) == list(log.read(1, 1))

    def test_the_offset_at_a_time_is_the_highest_that_is_not_later(self, log: Log) -> None:
        append(log, *alone(*(draft(str(number), time=time) for number, time in enumerate([10, 30, 20, 40, 5]))))
        assert [log.offset_at(time) for time in (4, 5, 9, 10, 30, 40, 10**18)] == [-1, 4, 4, 4, 4, 4, 4]
        (later,) = append(log, *alone(draft("last", time=50)))
        assert [log.offset_at(time) for time in (49, 50)] == [4, later.offset]

    # ------------------------------------------------------------------------------------------------------- look-ups

    def test_a_message_carries_the_trace_it_was_published_in(self, log: Log, open_: Open) -> None:
        log.register_schema("article", '"string"')
        traces = TraceContext(PARENT, "vendor=1"), TraceContext(PARENT.replace("a", "b"))
        (first,) = append(log, *alone(draft("untraced")))
        assert log.traces(0, first.offset) == {}
        with log.writing():
            one = log.append(alone(draft("a"), draft("b", value=None)), traces[0])
            two = log.append([Transaction("tx", [draft("c"), draft("d")])], traces[1])
        (last,) = append(log, *alone(draft("untraced too")))
        expected = {
            receipt.offset: trace for receipts, trace in zip((one, two), traces, strict=True) for receipt in receipts
        }
        other = open_()
        assert other.traces(0, last.offset) == expected
        assert other.traces(one[1].offset, two[0].offset) == {one[1].offset: traces[0], two[0].offset: traces[1]}
        # It is no part of a message, and nothing else of the log is another for it.
        assert [message.id for message in other.read()] == ["untraced", "a", "b", "c", "d", "untraced too"]
        assert other.verify() == []

    def test_a_trace_goes_with_its_abandoned_message(self, log: Log, open_: Open) -> None:
        with suppress(Abandon), log.writing():
            log.append(alone(draft("a")), TraceContext(PARENT))
            raise Abandon
        (receipt,) = append(log, *alone(draft("b")))
        assert open_().traces(0, receipt.offset) == {}

    def test_what_is_in_the_log_is_found(self, log: Log) -> None:
        append(
            log,
            *alone(draft("a"), draft("b", IMAGE, None), draft("c"), draft("d", "nyt://tag/x"), draft("e", value=None)),
        )
        assert log.receipts(["c", "a", "c", "nobody"]) == {"a": Receipt("a", ARTICLE, 0), "c": Receipt("c", ARTICLE, 2)}
        assert log.latest([ARTICLE, IMAGE, ARTICLE, "nyt://tag/y"]) == {ARTICLE: 4, IMAGE: 1}
        assert log.published([ARTICLE, IMAGE, "nyt://tag/x", "nyt://tag/y"]) == {ARTICLE, "nyt://tag/x"}
        assert log.receipts([]) == log.latest([]) == {}
        assert log.published([]) == set()

    def test_a_writer_finds_what_it_has_appended_and_nobody_else_does(self, log: Log, open_: Open) -> None:
        other = open_()
        fill(log, 2)
        with log.writing():
            drafts = draft("x"), draft("y", "nyt://tag/x"), draft("z", "nyt://tag/y", None)
            x, y, z = (receipt.offset for receipt in log.append(alone(*drafts)))
            assert log.receipts(["id0", "x"]) == {"id0": Receipt("id0", ARTICLE, 0), "x": Receipt("x", ARTICLE, x)}
            assert log.latest([ARTICLE, IMAGE, "nyt://tag/x"]) == {ARTICLE: x, IMAGE: 1, "nyt://tag/x": y}
            assert log.published([IMAGE, "nyt://tag/x", "nyt://tag/y"]) == {IMAGE, "nyt://tag/x"}
            assert log.last_offset() == other.last_offset() == 1
            assert offsets(log.read()) == offsets(other.read()) == [0, 1]
            assert offsets(log.history(ARTICLE)) == [0]
            assert other.receipts(["x"]) == other.latest(["nyt://tag/x"]) == {}
            assert other.published(["nyt://tag/x"]) == set()
        assert other.receipts(["x"]) == {"x": Receipt("x", ARTICLE, x)}
        assert other.latest(["nyt://tag/x"]) == {"nyt://tag/x": y}
        assert other.last_offset() == z

    def test_tens_of_thousands_are_looked_up_together(self, log: Log) -> None:
        drafts = [draft(f"id{number}", f"nyt://article/{number}") for number in range(30_000)]
        receipts = append(log, *alone(*drafts))
        ids, uris = [entry.id for entry in drafts], [entry.uri for entry in drafts]
        assert log.receipts([*ids, "nobody"]) == {receipt.id: receipt for receipt in receipts}
        assert log.latest([*uris, IMAGE]) == {receipt.uri: receipt.offset for receipt in receipts}
        assert log.published([*uris, IMAGE]) == set(uris)

    # ----------------------------------------------------------------------------------------------- whole or not at all

    def test_a_block_that_raises_leaves_nothing(self, log: Log, open_: Open) -> None:
        def write() -> None:
            with log.writing():
                log.append([Transaction("tx", [draft("a"), draft("b", "nyt://tag/x")])])
                raise Abandon

        fill(log, 2)
        with pytest.raises(Abandon):
            write()
        for instance in (log, open_()):
            assert instance.last_offset() == 1
            assert instance.receipts(["a", "b"]) == instance.latest(["nyt://tag/x"]) == {}
            assert instance.published(["nyt://tag/x"]) == set()
        (receipt,) = append(log, *alone(draft("a")))
        assert log.latest([ARTICLE]) == {ARTICLE: receipt.offset}
        check_offsets(log, [0, 1, receipt.offset])

    def test_an_append_that_raises_voids_its_block_even_when_caught(self, log: Log) -> None:
        def torn() -> Iterator[Transaction]:
            yield Transaction("tx", [draft("c"), draft("d")])
            raise Abandon

        def write() -> None:
            with log.writing():
                log.append(alone(draft("a")))
                with suppress(Abandon):
                    log.append(torn())
                with suppress(Abandon):
                    log.append(alone(draft("e")))

        with pytest.raises(Abandon):
            write()
        assert log.last_offset() == -1
        receipts = append(log, *alone(draft("a"), draft("c"), draft("e")))
        check_offsets(log, [receipt.offset for receipt in receipts])
        assert [message.id for message in log.read()] == ["a", "c", "e"]

    @pytest.mark.parametrize("ids", [["id1"], ["a", "id1"], ["a", "a"], ["a", "b", "a"]])
    def test_an_id_is_never_there_twice(self, log: Log, ids: list[str]) -> None:
        def write(*appends: list[Transaction]) -> None:
            with log.writing():
                log.append(alone(draft("first")))
                for transactions in appends:
                    with suppress(InvalidMessage):
                        log.append(transactions)
                    log.receipts(ids)

        fill(log, 2)
        drafts = [draft(id_) for id_ in ids]
        for appends in ([alone(*drafts)], [[Transaction("tx", drafts)]], [alone(entry) for entry in drafts]):
            with pytest.raises(InvalidMessage, match=r"^id: is in the log already"):
                write(*appends)
            assert log.last_offset() == 1
        append(log, *alone(draft("first"), draft("a")))

    def test_what_is_called_at_the_wrong_time_is_refused(self, log: Log) -> None:
        def write(wrong: Callable[[], object]) -> None:
            with log.writing():
                log.append(alone(draft("a")))
                wrong()

        with pytest.raises(RuntimeError):
            log.append(alone(draft("a")))
        for wrong in (
            lambda: log.register_schema("article", "{}"),
            lambda: log.save_catalog("digest", {}),
            lambda: append(log, *alone(draft("b"))),
        ):
            with pytest.raises(RuntimeError):
                write(wrong)
        assert log.last_offset() == -1
        append(log, *alone(draft("a")))

    # ----------------------------------------------------------------------------------------------------- many writers

    def test_readers_see_whole_transactions_in_order_while_threads_write(self, open_: Open) -> None:
        acknowledged: list[Sequence[Receipt]] = []
        writers = [
            threading.Thread(target=write_blocks, args=(open_(), f"w{number}", SEED, 40, acknowledged.append))
            for number in range(4)
        ]
        for writer in writers:
            writer.start()
        messages = watch(open_(), lambda: any(writer.is_alive() for writer in writers))
        check_acknowledged(messages, [receipt for receipts in acknowledged for receipt in receipts])

    def test_what_a_writer_reads_stays_true_until_it_is_done(self, open_: Open) -> None:
        def count_up(log: Log, name: str) -> None:
            for number in range(25):
                with log.writing():
                    last = log.latest([ARTICLE]).get(ARTICLE, -1)
                    log.append(alone(draft(f"{name}.{number}", value=wire(1, str(last).encode()))))

        run_in_threads([partial(count_up, open_(), f"w{number}") for number in range(4)])
        messages = list(open_().read())
        assert [int(message.value[5:]) for message in messages if message.value] == [-1, *offsets(iter(messages[:-1]))]
        assert len(messages) == 100

    def test_of_many_who_publish_the_same_id_one_does(self, open_: Open) -> None:
        ids = [f"id{number}" for number in range(40)]
        results: list[dict[str, Receipt]] = []

        def publish(log: Log, order: Sequence[str]) -> None:
            found: dict[str, Receipt] = {}
            for batch in (order[:15], order[15:]):
                with log.writing():
                    present = log.receipts(batch)
                    new = log.append(alone(*(draft(id_) for id_ in batch if id_ not in present)))
                found |= present | {receipt.id: receipt for receipt in new}
            results.append(found)

        dice = random.Random(1)
        run_in_threads([partial(publish, open_(), dice.sample(ids, 40)) for _ in range(4)])
        expected = {message.id: Receipt(message.id, message.uri, message.offset) for message in open_().read()}
        assert results == [expected] * 4
        assert sorted(expected) == sorted(ids)

    @pytest.mark.usefixtures("impatient")
    def test_a_writer_who_waits_too_long_is_told_so(self, log: Log, open_: Open) -> None:
        waiting = open_()
        with log.writing():
            log.append(alone(draft("a")))
            with pytest.raises(LogBusy), waiting.writing():
                pytest.fail("two writers at once")
        append(waiting, *alone(draft("b")))
        assert [message.id for message in log.read()] == ["a", "b"]

    # ------------------------------------------------------------------------------------------------------ following

    def test_waiting_ends_when_there_is_more(self, log: Log, open_: Open) -> None:
        fill(log, 2)
        assert log.wait_past(0, 60) == log.wait_past(-1, 0) == 1
        assert log.wait_past(1, 0) == log.wait_past(10, 0.05) == 1
        for instance in (log, open_()):  # an instance may be appended through while it waits
            last = log.last_offset()
            waiter = Waiter(log, last)
            (receipt,) = append(instance, *alone(draft(f"more{last}")))
            assert waiter.result() == receipt.offset > last

    def test_waiting_does_not_end_for_what_is_abandoned(self, log: Log, open_: Open) -> None:
        writer, waiter = open_(), Waiter(log, -1)
        with suppress(Abandon), writer.writing():
            writer.append(alone(draft("a")))
            raise Abandon
        (receipt,) = append(writer, *alone(draft("b")))
        assert waiter.result() == receipt.offset
        assert [message.id for message in log.read()] == ["b"]

    # -------------------------------------------------------------------------------------------- schemas and catalogs

    def test_a_schema_is_registered_once(self, log: Log, open_: Open) -> None:
        first = log.register_schema("article", "{}")
        assert first == (1, "article", 1, "{}")
        assert log.register_schema("image", "{}") == (2, "image", 1, "{}")
        assert log.register_schema("article", "{ }") == (3, "article", 2, "{ }")
        assert open_().register_schema("article", "{}") == first
        assert [tuple(schema) for schema in log.schemas()] == [
            (1, "article", 1, "{}"),
            (2, "image", 1, "{}"),
            (3, "article", 2, "{ }"),
        ]

    def test_threads_that_register_at_once_agree(self, open_: Open) -> None:
        wanted = [(kind, f'{{"version": {number}}}') for kind in ("article", "image", "tag") for number in range(6)]
        results: list[dict[tuple[str, str], Any]] = []

        def register(log: Log, order: Sequence[tuple[str, str]]) -> None:
            results.append({pair: log.register_schema(*pair) for pair in order})

        dice = random.Random(2)
        run_in_threads([partial(register, open_(), dice.sample(wanted, 18)) for _ in range(4)])
        check_schemas(open_(), results, wanted)

    def test_the_last_catalog_saved_is_the_logs(self, log: Log, open_: Open) -> None:
        first, second = {"views.toml": "", "kinds/article.avsc": "ü"}, {"views.toml": "[views]"}
        for digest, files in (("a", first), ("a", first), ("b", second), ("a", first)):
            log.save_catalog(digest, files)
            assert log.catalog_files() == open_().catalog_files() == files
        assert list(log.verify()) == []

    # --------------------------------------------------------------------------------------------------------- verify

    def test_a_sound_log_has_no_problems(self, log: Log) -> None:
        log.register_schema("article", "{}")
        log.register_schema("image", "{}")
        append(log, *alone(draft("a"), draft("b", IMAGE, wire(2)), draft("c", value=None)))
        append(log, Transaction("tx", [draft("d"), draft("e")]), Transaction("tx", [draft("f")]))
        assert list(log.verify()) == []

    @pytest.mark.parametrize(
        ("bad", "problem"),
        [
            (draft("x", value=wire(7)), "offset 1 (nyt://article/1): its schema 7 was never registered."),
            (draft("x", IMAGE), "offset 1 (nyt://image/1): its schema 1 is of kind article."),
            (draft("x", value=b""), "not in Confluent wire format"),
            (draft("x", value=wire(1)[:4]), "not in Confluent wire format"),
            (draft("x", value=b"\1" + wire(1)[1:]), "not in Confluent wire format"),
            (draft("x", "no uri"), "'no uri' is not an asset's URI"),
        ],
    )
    def test_a_message_that_nobody_can_read_is_found(self, log: Log, bad: Draft, problem: str) -> None:
        log.register_schema("article", "{}")
        append(log, *alone(draft("a"), bad, draft("b")))
        (found,) = log.verify()
        assert problem in found

    # ---------------------------------------------------------------------------------------------------- against a model

    def test_it_agrees_with_a_model(self, new_url: Callable[[], str]) -> None:
        steps = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=25)
        run_state_machine_as_test(lambda: Machine(new_url()), settings=steps)


class SharedLogContract(LogContract):
    """What holds besides of a log that several processes may have open."""

    def test_readers_see_whole_transactions_in_order_while_processes_write(self, url: str, log: Log) -> None:
        writers = [Program("tests.contract.log_writer", url, f"w{number}", SEED, 40) for number in range(3)]
        messages = watch(log, lambda: any(writer.is_running() for writer in writers))
        check_acknowledged(
            messages, [Receipt(*receipt) for writer in writers for block in writer.lines() for receipt in block]
        )
        assert not [problem for problem in log.verify() if "never registered" not in problem]

    def test_processes_that_register_at_once_agree(self, url: str, log: Log) -> None:
        wanted = [(kind, f'{{"version": {number}}}') for kind in ("article", "image") for number in range(5)]
        dice = random.Random(3)
        programs = [
            Program("tests.contract.log_contract", "register", url, json.dumps(dice.sample(wanted, 10)))
            for _ in range(3)
        ]
        results = [
            {(kind, text): (id_, kind, version, text) for id_, kind, version, text in line}
            for program in programs
            for line in program.lines()
        ]
        check_schemas(log, results, wanted)

    def test_what_another_process_appends_is_followed(self, url: str, log: Log) -> None:
        # Measured on two busy cores: a median of 6 ms, at most 16. The bound only tells polling from hanging.
        program = Program("tests.contract.log_contract", "append", url, "20")
        last, delays = -1, list[float]()
        for _ in range(20):
            program.say("go")
            last_before, last = last, log.wait_past(last, 60)
            seen = time.monotonic()
            assert last > last_before
            delays.append(seen - program.line())
        assert median(delays) < 0.5
        assert program.lines() == []


class Machine(RuleBasedStateMachine):
    """Two instances of one log, and a list that says what must be in it."""

    ids = st.integers(0, 40).map("id{}".format)
    uris = st.integers(0, 4).map("nyt://article/{}".format)
    times = st.integers(0, 9)
    drafts = st.builds(Draft, uris, times, ids, st.none() | st.just(wire(1)))
    transactions = st.builds(Transaction, st.none() | st.just("tx"), st.lists(drafts, max_size=4))
    numbers = st.integers(-2, 60)

    def __init__(self, url: str) -> None:
        super().__init__()
        self.log, self.other = open_log(url), open_log(url)
        self.messages: list[Message] = []

    @initialize()
    def register(self) -> None:
        self.log.register_schema("article", "{}")

    @rule(appends=st.lists(st.lists(transactions, max_size=3), max_size=3), abandoned=st.booleans())
    def write(self, appends: list[list[Transaction]], abandoned: bool) -> None:
        expected = list(self.messages)
        try:
            with self.log.writing():
                for block in appends:
                    new = [
                        Message(0, *entry[:3], tx, number == len(entries), entry.value)
                        for tx, entries in block
                        for number, entry in enumerate(entries, 1)
                    ]
                    ids = [message.id for message in (*expected, *new)]
                    twice = max(Counter(ids).values(), default=0) > 1
                    try:
                        receipts = self.log.append(block)
                    except InvalidMessage:
                        assert twice
                        raise
                    assert not twice
                    assert [(receipt.id, receipt.uri) for receipt in receipts] == [
                        (entry.id, entry.uri) for entry in new
                    ]
                    expected += [
                        message._replace(offset=receipt.offset) for message, receipt in zip(new, receipts, strict=True)
                    ]
                    check_offsets(self.log, offsets(iter(expected)))
                    self.check_look_ups(self.log, expected)
                if abandoned:
                    raise Abandon
        except (InvalidMessage, Abandon):
            return
        self.messages = expected

    @rule(start=numbers, last=st.none() | numbers)
    def read(self, start: int, last: int | None) -> None:
        end = math.inf if last is None else last
        expected = [entry for entry in self.messages if start <= entry.offset <= end]
        assert list(self.other.read(start, last)) == expected
        assert list(self.other.entries(start, last)) == [Entry(one.offset, one.uri, one.value) for one in expected]
        assert self.other.count(start, last) == len(expected)

    @rule(uri=uris, last=st.none() | numbers)
    def history(self, uri: str, last: int | None) -> None:
        chosen = [entry for entry in self.messages if entry.uri == uri and (last is None or entry.offset <= last)]
        assert list(self.other.history(uri, last)) == chosen[::-1]

    @rule(time=times)
    def offset_at(self, time: int) -> None:
        expected = max((entry.offset for entry in self.messages if entry.time <= time), default=-1)
        assert self.other.offset_at(time) == expected

    @rule()
    def swap(self) -> None:
        self.log, self.other = self.other, self.log

    @rule()
    def reopen(self) -> None:
        url = self.log.url
        self.log.close()
        self.log = open_log(url, create=False)

    @invariant()
    def agrees(self) -> None:
        for log in (self.log, self.other):
            assert log.last_offset() == (self.messages[-1].offset if self.messages else -1)
        self.check_look_ups(self.other, self.messages)

    def teardown(self) -> None:
        assert list(self.log.verify()) == []
        self.log.close()
        self.other.close()

    def check_look_ups(self, log: Log, messages: Sequence[Message]) -> None:
        ids, uris = [f"id{number}" for number in range(41)], [f"nyt://article/{number}" for number in range(5)]
        assert log.receipts(ids) == {entry.id: Receipt(entry.id, entry.uri, entry.offset) for entry in messages}
        assert log.latest(uris) == {entry.uri: entry.offset for entry in messages}
        assert log.published(uris) == {entry.uri for entry in messages if entry.value is not None}


class Waiter:
    """Waits past an offset in a thread, and is waiting by the time it is made."""

    def __init__(self, log: Log, offset: int) -> None:
        self._results: list[int] = []
        begun = threading.Event()

        def wait() -> None:
            begun.set()
            self._results.append(log.wait_past(offset, 60))

        self._thread = threading.Thread(target=wait)
        self._thread.start()
        begun.wait()

    def result(self) -> int:
        self._thread.join()
        return self._results[0]


class Program:
    """A module run as a program: it prints lines of JSON, and what went wrong is shown."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lines: list[Any] = []
        self._gatherer = threading.Thread(target=self._gather)
        self._arrived = threading.Condition()
        self._ended = False
        self._gatherer.start()

    def is_running(self) -> bool:
        return self._process.poll() is None

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def line(self) -> Any:
        """The next line."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._lines or self._ended)
            return self._lines.pop(0)

    def kill(self, after_seconds: float) -> list[Any]:
        """Kill it where it stands then; the lines that are left."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(after_seconds)
        self._process.kill()
        return self._finish()

    def lines(self) -> list[Any]:
        """The lines that are left, once it has ended well."""
        lines = self._finish()
        assert self._process.returncode == 0
        return lines

    def _finish(self) -> list[Any]:
        self._process.wait()
        self._gatherer.join()
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._lines

    def _gather(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if line.endswith("\n"):  # what was killed may have left a piece
                    with self._arrived:
                        self._lines.append(json.loads(line))
                        self._arrived.notify_all()
        with self._arrived:
            self._ended = True
            self._arrived.notify_all()


def watch(log: Log, is_growing: Callable[[], bool]) -> list[Message]:
    """All messages, read again and again while the log grows: each time what was there before, and whole transactions."""
    seen: list[Message] = []
    growing = True
    while growing:
        growing = is_growing()
        # No waiting: whoever waits may come after a commit each time, never into one.
        overlap = seen[-20:]
        new = list(log.read(overlap[0].offset if overlap else 0))
        assert new[: len(overlap)] == overlap
        del new[: len(overlap)]
        check_transactions(new)
        seen += new
        ends = seen[-1:]
        assert log.receipts([message.id for message in ends]) == {
            message.id: Receipt(message.id, message.uri, message.offset) for message in ends
        }
        assert all(log.latest([message.uri])[message.uri] >= message.offset for message in ends)
    check_offsets(log, offsets(iter(seen)))
    assert list(log.read()) == seen
    return seen


def check_acknowledged(messages: Sequence[Message], receipts: Sequence[Receipt]) -> None:
    """Exactly what was acknowledged is there, where its receipts say."""
    found = {Receipt(message.id, message.uri, message.offset) for message in messages}
    assert len(receipts) > 100
    assert found == set(receipts), f"with PUBLOG_SEED={SEED}"
    assert len(found) == len(messages)


def check_schemas(log: Log, results: Sequence[Any], wanted: Sequence[tuple[str, str]]) -> None:
    schemas = log.schemas()
    assert [schema.id for schema in schemas] == list(range(1, len(wanted) + 1))
    for kind in {kind for kind, _ in wanted}:
        versions = [schema.version for schema in schemas if schema.kind == kind]
        assert versions == list(range(1, len(versions) + 1))
    assert len(results) > 1
    assert all(result == {(schema.kind, schema.text): schema for schema in schemas} for result in results)


def run_in_threads(calls: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(task: str, url: str, argument: str) -> None:
    """What this module does as a program, to a log that a test has open too."""
    log = open_log(url)
    if task == "register":
        say([log.register_schema(kind, text) for kind, text in json.loads(argument)])
    else:
        for number in range(int(argument)):
            sys.stdin.readline()
            append(log, *alone(draft(f"id{number}")))
            say(time.monotonic())
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

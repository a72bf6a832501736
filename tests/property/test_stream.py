"""A stream ends in what the oracle says, however it is cut, killed and restored."""

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assets.log import Log, open_log
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.stream.engine import Stream, Tuning, steps
from pipeline.stream.states import STATE_FOLDER
from tests.support.building import POISON, UNKNOWN_SCHEMA, Publication, assert_same
from tests.support.fake_index import FakeIndex
from tests.support.logs import append, register
from tests.support.strategies import publications


class Killed(Exception):
    """The process ended here."""


class World:
    """A log that grows, a home, and an index in it that a stream is killed and restored over."""

    def __init__(self, publication: Publication, folder: Path, tuning: Tuning, random: Random) -> None:
        self.publication = publication
        self.home = folder
        self.tuning = tuning
        self.random = random
        self.log: Log = open_log(f"memory:{folder}")
        register(self.log, publication)
        self.index = FakeIndex(publication.catalog.digest)
        self.states: list[Path] = []
        self.indexes: list[FakeIndex] = []
        ends = [message.offset for message in publication.messages if message.tx_end]
        self.publish(random.choice(ends))

    def publish(self, last: int) -> None:
        append(self.log, self.publication.messages[self.log.last_offset() + 1 : last + 1])

    def publish_some(self) -> None:
        ends = [one.offset for one in self.publication.messages if one.tx_end and one.offset > self.log.last_offset()]
        if ends:
            self.publish(self.random.choice(ends[:5]))

    def run_to_the_end(self) -> None:
        """The log as a whole, and the stream to its end."""
        self.publish(len(self.publication.messages) - 1)
        with self.stream() as stream:
            self.work(stream)
        assert self.index.applied_through == self.log.last_offset()

    def work(self, stream: Stream, count: int = 1 << 30) -> None:
        """So many descriptors, or until there is nothing to do."""
        position = stream.position
        hint: int | None = position
        while hint is not None and count:
            for step, shard in steps(self.tuning.shards):
                stream.work(shard, hint, step)
            position = hint
            hint = stream.wait(position, 0)
            count -= 1

    def stream(self) -> "closing[Stream]":
        with patch("pipeline.stream.target.open_index", lambda *_: self.index):
            letters = DeadLetters(self.home / DEAD_LETTERS_FILE)
            return closing(Stream(self.log, "fake:", self.publication.catalog, self.home, letters, tuning=self.tuning))

    def live_a_little(self) -> None:
        """A stream that is killed between any two moments of its work."""
        with suppress(Killed), self.stream() as stream:
            self.kill_at_a_write()
            self.work(stream, self.random.randrange(1, 6))
        self.index.on_write = lambda _: None
        self.keep()

    def kill_at_a_write(self) -> None:
        """Soon, before or behind what a write does."""
        left = self.random.randrange(12)

        def at_a_write(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        self.index.on_write = at_a_write

    def keep(self) -> None:
        folder = self.home / f"kept-{len(self.states)}"
        shutil.copytree(self.home / STATE_FOLDER, folder)
        self.states.append(folder)
        self.indexes.append(self.index.copy())

    def lose(self) -> None:
        """What a crash, or a person, may do to a cache and an index."""
        match self.random.randrange(5):
            case 0:
                shutil.rmtree(self.home / STATE_FOLDER)
            case 1:
                shutil.rmtree(self.home / STATE_FOLDER)
                shutil.copytree(self.random.choice(self.states), self.home / STATE_FOLDER)
            case 2:
                self.index = self.random.choice(self.indexes).copy()
            case 3:
                file = self.random.choice(sorted((self.home / STATE_FOLDER).rglob("*.sqlite")))
                content = bytearray(file.read_bytes())
                for _ in range(self.random.randrange(1, 30)):
                    content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
                file.write_bytes(content)
            case _:
                pass

    def assert_current(self) -> None:
        expected = self.publication.expected(self.log.last_offset())
        assert self.index.views.keys() == expected.keys()
        for key, view in self.index.views.items():
            assert_same(view, expected[key])


def world(publication: Publication, tuning: Tuning, seed: int) -> Iterator[World]:
    with TemporaryDirectory() as folder:
        yield World(publication, Path(folder), tuning, Random(seed))


EXAMPLES = settings(max_examples=12)


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize("micro_batch", [1, 7, 1000])
@EXAMPLES
@given(publication=publications(), seed=st.integers(0, 1 << 32))
def test_a_stream_ends_in_the_views_of_the_log(
    publication: Publication, seed: int, micro_batch: int, shards: int
) -> None:
    for one in world(publication, Tuning(shards, micro_batch, backlog_views=2), seed):
        with one.stream() as stream:
            while one.log.last_offset() < len(publication.messages) - 1:
                one.work(stream, one.random.randrange(1, 4))
                one.publish_some()
        one.run_to_the_end()
        one.assert_current()
        assert_letters(one)


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize("micro_batch", [1, 7, 1000])
@EXAMPLES
@given(publication=publications(), seed=st.integers(0, 1 << 32))
def test_a_stream_killed_again_and_again_ends_in_the_same_whatever_became_of_its_state(
    publication: Publication, seed: int, micro_batch: int, shards: int
) -> None:
    for one in world(publication, Tuning(shards, micro_batch, backlog_views=2), seed):
        for _ in range(6):
            one.live_a_little()
            one.lose()
            one.publish_some()
        one.run_to_the_end()
        one.assert_current()
        assert_letters(one)


def assert_letters(one: World) -> None:
    """Each message that can't be read, and no other, whatever happened on the way."""
    with closing(DeadLetters(one.home / DEAD_LETTERS_FILE)) as letters:
        found = [(letter.offset, letter.code, letter.value) for letter in letters.all()]
    assert found == [
        (offset, POISON[message["poison"]], one.publication.messages[offset].value)
        for offset, message in enumerate(one.publication.plain)
        if message["op"] == "poison" and message["kind"] in one.publication.plan.shapes
    ]


@settings(max_examples=25)
@given(publication=publications(), seed=st.integers(0, 1 << 32))
def test_what_a_replay_heals_stands_as_if_it_had_always_been_read(publication: Publication, seed: int) -> None:
    # What an older schema wrote can't be read with the one that is registered here.
    assume(not any(is_unknown(message) and message["older"] for message in publication.plain))
    for one in world(publication, Tuning(shards=2, backlog_views=2), seed):
        one.run_to_the_end()
        kind = one.random.choice(sorted(publication.plan.shapes))
        register_unknown(one.log, kind, publication.catalog.kinds[kind].text)
        healed = [
            {**message, "op": "publish"} if is_unknown(message) and message["kind"] == kind else message
            for message in publication.plain
        ]
        one.publication = publication.with_messages(healed)
        # A first try may be killed on the way; who asked is gone by then.
        with suppress(Killed), one.stream() as stream, closing(DeadLetters(one.home / DEAD_LETTERS_FILE)) as letters:
            if one.random.randrange(2):
                one.kill_at_a_write()
                letters.ask(one.index.name)
                stream.work(0, stream.position, "replay")
        one.index.on_write = lambda _: None
        with closing(DeadLetters(one.home / DEAD_LETTERS_FILE)) as letters:
            kept = len(list(letters.all()))
        with one.stream() as stream, closing(DeadLetters(one.home / DEAD_LETTERS_FILE)) as letters:
            request = letters.ask(one.index.name)
            one.work(stream)
            answer = letters.answer_to(request)
            left = [letter.offset for letter in letters.all()]
        assert answer is not None
        assert answer.processed == kept - len(left)
        assert answer.left == len(left)
        assert_letters(one)
        one.assert_current()
        assert_state(one)


def is_unknown(message: dict[str, Any]) -> bool:
    return message["op"] == "poison" and message["poison"] == "unknown-schema"


def register_unknown(log: Log, kind: str, text: str) -> None:
    """Schemas until the one that messages named before it was there: one that says what the kind's own does."""
    for number in range(len(log.schemas()) + 1, UNKNOWN_SCHEMA):
        log.register_schema("filler", f'{{"type": "record", "name": "filler{number}", "fields": []}}')
    assert log.register_schema(kind, f"{text} ").id == UNKNOWN_SCHEMA


def assert_state(one: World) -> None:
    """A stream that is restored from it, and has everything to emit, emits every view as it is."""
    empty = FakeIndex(one.publication.catalog.digest)
    one.index = empty
    with one.stream() as stream:
        assert stream.position == one.log.last_offset(), "restored, not read again"
        one.work(stream)
    one.assert_current()

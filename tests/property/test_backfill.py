"""A backfill of any log ends in what the oracle says, in parts or whole, killed on the way or not, however it is followed."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.log import open_log
from backfill.run import Backfill
from indexers import open_index
from indexers.memory import MemoryIndex
from indexers.port import Index
from pipeline import shard
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.errors import JobFailed
from pipeline.stream.engine import Tuning
from tests.support.building import POISON, Publication, assert_same
from tests.support.logs import append, register
from tests.support.strategies import publications

IN_ONE_PROCESS = ["--direct_running_mode=in_memory"]


class Killed(Exception):
    """It ended here."""


@pytest.mark.parametrize(("shards", "micro_batch"), [(1, 1), (2, 7), (5, 1000)])
@settings(max_examples=6)
@given(publication=publications(), seed=st.integers(0, 1 << 32))
def test_a_backfill_ends_in_the_views_of_the_log(
    publication: Publication, seed: int, shards: int, micro_batch: int
) -> None:
    random = Random(seed)
    ends = [message.offset for message in publication.messages if message.tx_end]
    stops = [*sorted(random.sample(ends, min(len(ends), 3))), len(publication.messages) - 1]
    with TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder)
        stack.enter_context(patch("backfill.run.PART_VIEWS", random.choice([1, 2, 1000])))
        stack.enter_context(
            patch("backfill.follow.Tuning", lambda shards: Tuning(shards, micro_batch, backlog_views=1))
        )
        log = open_log(f"memory:{folder}")
        register(log, publication)
        index = stack.enter_context(closing(open_index(f"memory:{folder}")))
        made = Backfill(log, index, home)
        append(log, publication.messages[: stops[0] + 1])
        record = made.begin(publication.catalog, shards)
        while record.phase == "building":
            with suppress(Killed, JobFailed), killed_at_a_part(random):
                record = made.build(record, options=IN_ONE_PROCESS)
        for stop in dict.fromkeys(stops[1:]):

            def publish(_: object, last: int = stop) -> None:
                # While it catches up, and hubs fan out.
                coming = [end for end in ends if log.last_offset() < end <= last]
                if coming:
                    append(log, publication.messages[log.last_offset() + 1 : coming[0] + 1])

            publish(None)
            made.catch_up(record, publish)
            assert made.verify(record.generation).passed
        append(log, publication.messages[log.last_offset() + 1 :])
        with index.lease("a test") as lease:
            switch = made.cut_over(record, lease.token)
        assert (switch.current, switch.former) == (record.generation, "")
        assert_right(index, publication)
        with closing(DeadLetters(home / DEAD_LETTERS_FILE)) as letters:
            assert [(letter.offset, letter.code) for letter in letters.all()] == [
                (offset, POISON[message["poison"]])
                for offset, message in enumerate(publication.plain)
                if message["op"] == "poison" and message["kind"] in publication.plan.shapes
            ]


@contextmanager
def killed_at_a_part(random: Random) -> Iterator[None]:
    """Before or behind a checkpoint, or before a part comes into the index; or not at all."""
    left = random.randrange(8)

    def counted(do: Any, *, behind: bool) -> Any:
        def may_fail(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and not behind:
                raise Killed
            done = do(*arguments, **options)
            if left == 0:
                raise Killed
            return done

        return may_fail

    behind = random.random() < 0.5
    with (
        patch.object(shard, "_save_checkpoint", counted(vars(shard)["_save_checkpoint"], behind=behind)),
        patch.object(MemoryIndex, "extend", counted(MemoryIndex.extend, behind=behind)),
    ):
        yield


def assert_right(index: Index, publication: Publication) -> None:
    expected = publication.expected(len(publication.plain) - 1)
    found = {(view.view, view.uri): view for view in index.scan()}
    assert found.keys() == expected.keys()
    for key, view in found.items():
        assert_same(view, expected[key])

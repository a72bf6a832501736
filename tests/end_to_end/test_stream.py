"""A Beam stream follows the log: what it leaves is what the oracle says, and it gives way where it must."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.utils.timestamp import MAX_TIMESTAMP

import pipeline.run
import pipeline.stream.run
import pipeline.stream.target
from assets.catalog import parse_catalog
from assets.log import Log, open_log
from indexers import open_index
from indexers.errors import EngineFailed, IndexBusy
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.errors import JobRunning, PipelineError, UnusableJob
from pipeline.stream.engine import Stream, Tuning
from pipeline.stream.graph import build
from pipeline.stream.registry import named
from pipeline.stream.source import LogEnds, LogEndsReader, Position
from pipeline.stream.states import STATE_FOLDER
from tests.support.building import Publication, assert_same
from tests.support.fake_index import FakeIndex
from tests.support.logs import append, register
from tests.support.strategies import publication
from tests.support.streaming import Running, running, until


@pytest.fixture
def example() -> Publication:
    return publication(1851, 0, poison=False)


class Place:
    """A home with the first half of a publication in its log."""

    def __init__(self, folder: Path, made: Publication) -> None:
        self.home = folder
        self.publication = made
        self.index = f"tantivy:{folder / 'index'}"
        self.log: Log = open_log(f"sqlite:{folder / 'log.sqlite'}")
        register(self.log, made)
        ends = [message.offset for message in made.messages if message.tx_end]
        self.publish(ends[len(ends) // 2])

    @property
    def last(self) -> int:
        return len(self.publication.messages) - 1

    def publish(self, last: int) -> None:
        append(self.log, self.publication.messages[self.log.last_offset() + 1 : last + 1])

    def running(self, **more: Any) -> AbstractContextManager[Running]:
        settings = {
            "log": self.log.url,
            "index": self.index,
            "load_catalog": lambda _: self.publication.catalog,
            "folder": self.home,
        }
        return running(**{**settings, **more})

    def assert_current(self) -> None:
        expected = self.publication.expected(self.log.last_offset())
        index = open_index(self.index)
        found = {(view.view, view.uri): view for view in index.scan()}
        index.close()
        assert found.keys() == expected.keys()
        for key, view in found.items():
            assert_same(view, expected[key])


@pytest.fixture
def place(tmp_path: Path, example: Publication) -> Place:
    return Place(tmp_path, example)


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize("micro_batch", [1, 7, 1000])
def test_a_stream_agrees_with_the_oracle_through_many_beam_pipelines(
    micro_batch: int, shards: int, tmp_path: Path
) -> None:
    place = Place(tmp_path, publication(shards * 7 + micro_batch, 0))
    tuning = Tuning(shards, micro_batch, backlog_views=3, bundle_seconds=0.05, bundles_max=2)
    with place.running(tuning=tuning) as stream:
        stream.reaches(place.index, place.log.last_offset())
        for message in place.publication.messages:
            if message.tx_end and message.offset > place.log.last_offset():
                place.publish(message.offset)
        stream.reaches(place.index, place.last)
        stream.end()
    place.assert_current()
    # Again, from its state, with nothing new.
    with place.running(tuning=tuning) as stream:
        until(lambda: bool(stream.followed))
        assert stream.followed == [place.last]
        assert stream.end().views == 0
    place.assert_current()


def test_a_stream_goes_on_from_a_batch_and_from_itself(place: Place) -> None:
    half = place.log.last_offset()
    with place.running() as stream:
        stream.has_applied(half)
        assert stream.end().read_again == half + 1
        assert stream.followed == [half]
    place.publish(place.last)
    with place.running() as stream:
        stream.reaches(place.index, place.last)
        done = stream.end()
        assert stream.followed == [half]
        assert done.messages == place.last - half
        assert done.read_again == 0, "from its state"
    place.assert_current()


def test_nothing_waits_for_the_end_of_a_bundle(place: Place) -> None:
    """The runner fuses the source with the work: what the source gives out is worked on before it is asked again."""
    with place.running(tuning=Tuning(shards=2, bundle_seconds=3_600)) as stream:
        for message in place.publication.messages:
            if message.tx_end and message.offset > place.log.last_offset():
                place.publish(message.offset)
                stream.reaches(place.index, message.offset)
        stream.end()
    place.assert_current()


def test_a_state_of_another_shard_count_is_not_used(place: Place) -> None:
    for shards in (1, 3, 2):
        with place.running(tuning=Tuning(shards)) as stream:
            stream.has_applied(place.log.last_offset())
            assert stream.end().read_again == place.log.last_offset() + 1
    assert {file.name for file in (place.home / STATE_FOLDER).rglob("*.sqlite")} == {"0-of-2.sqlite", "1-of-2.sqlite"}
    place.publish(place.last)
    with place.running(tuning=Tuning(2)) as stream:
        stream.reaches(place.index, place.last)
    place.assert_current()


def test_an_index_of_another_catalog_is_refused_and_the_remedy_named(place: Place) -> None:
    with place.running() as stream:
        stream.reaches(place.index, place.log.last_offset())
    files = {**place.publication.files, "views.toml": place.publication.files["views.toml"] + "\n# another one\n"}
    other = parse_catalog(files)
    assert other.digest != place.publication.catalog.digest
    with place.running(load_catalog=lambda _: other) as stream, pytest.raises(UnusableJob, match="publog backfill"):
        stream.fails()


def test_an_index_of_another_log_is_refused(place: Place, tmp_path: Path) -> None:
    with place.running() as stream:
        stream.reaches(place.index, place.log.last_offset())
    shorter = open_log(f"sqlite:{tmp_path / 'shorter.sqlite'}")
    register(shorter, place.publication)
    with place.running(log=shorter.url) as stream, pytest.raises(UnusableJob, match="from another log"):
        stream.fails()


def test_one_stream_at_a_time(place: Place) -> None:
    with place.running() as stream:
        until(lambda: bool(stream.followed))
        with place.running() as second, pytest.raises((JobRunning, IndexBusy)):
            second.fails()
        stream.end()


def test_a_batch_does_not_come_between(place: Place) -> None:
    with place.running() as stream:
        until(lambda: bool(stream.followed))
        with pytest.raises(PipelineError, match="Another process is writing"):
            pipeline.run.run_batch(
                log=place.log.url, index=place.index, catalog=place.publication.catalog, folder=place.home
            )
        stream.end()


def test_a_failure_that_may_pass_is_tried_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.stream.run, "ATTEMPT_SECONDS", 0.001)
    index, failures = fake(place, monkeypatch), [3, 0]

    def fail(when: str) -> None:
        failures[1] += 1
        if failures[1] % 3 == 2 and failures[0]:
            failures[0] -= 1
            raise EngineFailed("fake:", "the disk is full")

    with place.running(index="fake:") as stream:
        until(lambda: index.applied_through == place.log.last_offset())
        index.on_write = fail
        place.publish(place.last)
        until(lambda: index.applied_through == place.last)
        stream.end()
    assert failures[0] == 0
    assert_is(index, place)


def test_a_failure_that_stays_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.stream.run, "ATTEMPT_SECONDS", 0.001)
    index = fake(place, monkeypatch)

    def fail(when: str) -> None:
        raise EngineFailed("fake:", "the disk is full")

    with place.running(index="fake:") as stream, pytest.raises(EngineFailed, match="the disk is full"):  # noqa: PT012
        until(lambda: index.applied_through == place.log.last_offset())
        index.on_write = fail
        place.publish(place.last)
        stream.fails()


def test_the_stream_follows_an_index_that_is_switched_to_another_generation(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.stream.target, "GENERATION_CHECK_SECONDS", 0.01)
    url = f"memory:{place.home}"
    index = open_index(url)
    with place.running(index=url) as stream:
        until(lambda: index.info().applied_through == place.log.last_offset())
        former = index.info().generation
        name = index.begin(place.publication.catalog)
        index.finish(name, applied_through=-1)
        with index.lease("another process") as lease:
            index.switch(name, expected=former, token=lease.token)
        place.publish(place.last)
        until(lambda: index.info().applied_through == place.last and len(stream.followed) == 2)
        stream.end()
    found = {(view.view, view.uri): view for view in index.generation(name).scan()}
    expected = place.publication.expected(place.last)
    assert found.keys() == expected.keys()
    for key, view in found.items():
        assert_same(view, expected[key])
    assert {folder.name for folder in (place.home / STATE_FOLDER).iterdir()} == {former, name}


def fake(place: Place, monkeypatch: pytest.MonkeyPatch) -> FakeIndex:
    index = FakeIndex(place.publication.catalog.digest)
    monkeypatch.setattr("pipeline.stream.target.open_index", lambda *_: index)
    return index


def assert_is(index: FakeIndex, place: Place) -> None:
    expected = place.publication.expected(place.last)
    assert index.views.keys() == expected.keys()
    for key, view in index.views.items():
        assert_same(view, expected[key])


# -------------------------------------------------------------------------------------------------- graph and source


@contextmanager
def opened(place: Place, tuning: Tuning = Tuning()) -> Generator[tuple[Stream, FakeIndex]]:
    with pytest.MonkeyPatch.context() as patch:
        index = fake(place, patch)
        letters = DeadLetters(place.home / DEAD_LETTERS_FILE)
        stream = Stream(place.log, "fake:", place.publication.catalog, place.home, letters, tuning=tuning)
    try:
        yield stream, index
    finally:
        stream.close()


def test_the_graph_is_one_linear_chain(place: Place) -> None:
    with opened(place) as (stream, _), named(stream) as name:
        graph = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
        build(graph, name, stream.tuning)
        consumed: list[str] = []
        for transform in graph.to_runner_api().components.transforms.values():
            if not transform.subtransforms and list(transform.inputs.values()) != list(transform.outputs.values()):
                assert len(transform.inputs) <= 1
                assert len(transform.outputs) <= 1
                consumed.extend(transform.inputs.values())
        assert len(consumed) == len(set(consumed))


def test_the_source_ends_micro_batches_with_transactions(place: Place) -> None:
    place.publish(place.last)
    ends = {message.offset for message in place.publication.messages if message.tx_end}
    with opened(place, Tuning(micro_batch=2)) as (stream, _), named(stream) as name:
        reader = LogEndsReader(name, None)
        given = [reader.get_current()] if reader.start() else []
        while given[-1] < place.last and reader.advance():
            given.append(reader.get_current())
        assert set(given) <= ends
        assert given == sorted(given)
        assert given[-1] == place.last
        assert len(given) > len(ends) / 4


def test_the_source_goes_on_from_its_checkpoint(place: Place) -> None:
    with opened(place) as (stream, _), named(stream) as name:
        source = LogEnds(name)
        reader = source.create_reader(None, None)
        assert reader.start()
        coder = source.get_checkpoint_mark_coder()
        mark = coder.decode(coder.encode(reader.get_checkpoint_mark()))
        assert isinstance(mark, Position)
        assert mark.position == place.log.last_offset()
        place.publish(place.last)
        again = source.create_reader(None, mark)
        assert again.start()
        assert again.get_current() == place.last


def test_the_source_ends_after_so_many_bundles_and_when_told_to_stop(place: Place) -> None:
    with opened(place, Tuning(bundles_max=2, bundle_seconds=0.01)) as (stream, _), named(stream) as name:
        reader = LogEndsReader(name, place.log.last_offset())
        assert reader.start()
        for _ in range(2):
            assert not reader.advance()
            assert reader.get_watermark() < MAX_TIMESTAMP
            reader.get_checkpoint_mark()
        assert not reader.advance()
        assert reader.get_watermark() == MAX_TIMESTAMP
        stream._stop.set()
        other = LogEndsReader(name, place.log.last_offset())
        assert not other.start()
        assert other.get_watermark() == MAX_TIMESTAMP


@pytest.mark.parametrize(
    "order",
    [lambda ends: ends, reversed, lambda ends: [one for one in ends for _ in range(3)], lambda ends: ends[-1:]],
    ids=["in order", "backwards", "three times each", "the last alone"],
)
def test_descriptors_are_hints(order: Callable[[list[int]], Any], place: Place) -> None:
    place.publish(place.last)
    ends = [message.offset for message in place.publication.messages if message.tx_end]
    with opened(place, Tuning(shards=2)) as (stream, index):
        for end in order(ends):
            for step in ("fresh", "replay", "backlog"):
                for shard in (1, 0):
                    stream.work(shard, end, step)
        assert index.applied_through == place.last
        assert_is(index, place)

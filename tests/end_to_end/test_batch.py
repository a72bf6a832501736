"""A Beam batch gives what the oracle says, and only its manifest is believed."""

import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult, PipelineState

import pipeline.submission
from assets.log.port import Log
from denormalizer.view import View
from indexers import open_index
from pipeline.batch import build
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.errors import JobFailed, JobRunning, UnusableJob
from pipeline.job import Job
from pipeline.run import run_batch
from pipeline.runners import Choice
from tests.support.building import Publication, record
from tests.support.logs import write_log
from tests.support.strategies import publication

Json = Any
Views = Mapping[tuple[str, str], View]


def batch(log: Log, publication: Publication, folder: Path, shards: int, **more: Any) -> Views:
    index = f"jsonl:{folder / 'views.jsonl'}"
    run_batch(log=log.url, index=index, catalog=publication.catalog, folder=folder, shards=shards, **more)
    views = [View.from_line(line) for line in (folder / "views.jsonl").read_bytes().splitlines()]
    found = {(view.view, view.uri): view for view in views}
    assert len(found) == len(views), "a view came from two shards"
    return found


def assert_expected(views: Views, publication: Publication) -> None:
    expected = publication.expected(len(publication.plain) - 1)
    assert {key: record(view) for key, view in views.items()} == {
        key: {name: value for name, value in view.items() if name != "nodes"} for key, view in expected.items()
    }


@pytest.fixture
def example_publication() -> Publication:
    return publication(1851, 0, poison=False)


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize("seed", range(6))
def test_batch_agrees_with_the_oracle_however_many_shards(seed: int, shards: int, tmp_path: Path) -> None:
    random = publication(seed, 0)
    log = write_log(random, f"sqlite:{tmp_path / 'log.sqlite'}")
    # One worker has the shards one after the other: what they do is the same, and starting processes takes long.
    assert_expected(batch(log, random, tmp_path, shards, options=["--direct_running_mode=in_memory"]), random)


def test_batch_over_a_log_and_into_an_index_in_memory(example_publication: Publication, tmp_path: Path) -> None:
    log = write_log(example_publication, "memory:batch")
    catalog = example_publication.catalog
    run_batch(log=log.url, index="memory:batch", catalog=catalog, folder=tmp_path, shards=2)
    with closing(open_index("memory:batch")) as index:
        assert_expected({(view.view, view.uri): view for view in index.scan()}, example_publication)


def test_batch_in_several_processes_agrees_with_the_oracle(example_publication: Publication, tmp_path: Path) -> None:
    log = write_log(example_publication, f"sqlite:{tmp_path / 'log.sqlite'}")
    assert_expected(batch(log, example_publication, tmp_path, 2), example_publication)


def test_what_can_not_be_read_is_a_dead_letter_once_however_many_shards(
    example_publication: Publication, tmp_path: Path
) -> None:
    plain = list(example_publication.plain)
    poisoned = [
        {**message, "op": "poison", "poison": "too-short"}
        if number % 3 == 1 and message["op"] == "publish"
        else message
        for number, message in enumerate(plain)
    ]
    publication = example_publication.with_messages(poisoned)
    log = write_log(publication, f"sqlite:{tmp_path / 'log.sqlite'}")
    views = batch(log, publication, tmp_path, 3, options=["--direct_running_mode=in_memory"])
    assert_expected(views, publication)
    letters = list(DeadLetters(tmp_path / DEAD_LETTERS_FILE).all())
    assert [letter.offset for letter in letters] == [
        n for n, message in enumerate(poisoned) if message["op"] == "poison"
    ]
    assert {letter.code for letter in letters} == {"malformed-avro"}
    assert [letter.value for letter in letters] == [publication.messages[letter.offset].value for letter in letters]


def test_the_graph_is_one_linear_chain(tmp_path: Path) -> None:
    """Some runners get side inputs, tagged outputs or state wrong and still say DONE."""
    job = Job(
        "job", "sqlite:/nowhere", "jsonl:/nowhere", {}, 9, 3, str(tmp_path), str(tmp_path / "dead-letters.sqlite")
    )
    graph = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    build(graph, job)
    proto = graph.to_runner_api()
    producers: dict[str, str] = {}
    consumers: dict[str, list[str]] = {}
    for name, transform in proto.components.transforms.items():
        if transform.subtransforms or not transform.spec.urn:
            continue
        assert len(transform.inputs) <= 1, f"{transform.unique_name} has a side input"
        assert len(transform.outputs) <= 1, f"{transform.unique_name} has several outputs"
        for collection in transform.outputs.values():
            producers[collection] = name
        for collection in transform.inputs.values():
            consumers.setdefault(collection, []).append(name)
        payload = transform.spec.payload
        assert b"beam:transform:state" not in payload
    assert all(len(names) == 1 for names in consumers.values()), "something is read twice"
    assert len(producers.keys() - consumers.keys()) <= 1, "there are several leaves"


class SaysDone(FnApiRunner):
    """Does nothing and says that it did, as one runner does when its scheduler dies."""

    def run_pipeline(self, pipeline: Any, options: Any) -> Any:
        class Done(PipelineResult):
            def wait_until_finish(self, duration: Any = None) -> str:
                return PipelineState.DONE

        return Done(PipelineState.DONE)


def run_with(runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(*_: Any, **__: Any) -> Choice:
        return Choice(runner, [])

    monkeypatch.setattr(pipeline.submission, "choose", choose)


def test_a_runner_that_says_done_without_working_is_not_believed(
    example_publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write_log(example_publication, f"sqlite:{tmp_path / 'log.sqlite'}")
    before = batch(log, example_publication, tmp_path, 1)
    run_with(SaysDone(), monkeypatch)
    with pytest.raises(JobFailed, match="left no manifest"):
        batch(log, example_publication, tmp_path, 1)
    with closing(open_index(f"jsonl:{tmp_path / 'views.jsonl'}")) as index:
        assert {(view.view, view.uri): view for view in index.scan()} == before


def test_a_failing_shard_leaves_the_old_index(
    example_publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write_log(example_publication, f"sqlite:{tmp_path / 'log.sqlite'}")
    batch(log, example_publication, tmp_path, 1)
    before = (tmp_path / "views.jsonl").read_bytes()

    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("pipeline.batch.fold_shard", fail)
    with pytest.raises(JobFailed, match="the disk is full"):
        batch(log, example_publication, tmp_path, 1)
    assert (tmp_path / "views.jsonl").read_bytes() == before
    assert not (tmp_path / "batch").exists()


def test_two_batches_do_not_work_in_one_folder(
    example_publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write_log(example_publication, f"sqlite:{tmp_path / 'log.sqlite'}")
    at_work, may_end = threading.Event(), threading.Event()

    def wait(*_: Any) -> None:
        at_work.set()
        assert may_end.wait(60)
        raise OSError("enough")

    monkeypatch.setattr("pipeline.batch.fold_shard", wait)
    failures: list[BaseException] = []

    def first() -> None:
        try:
            batch(log, example_publication, tmp_path, 1)
        except JobFailed as error:
            failures.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert at_work.wait(60)
        with pytest.raises(JobRunning):
            batch(log, example_publication, tmp_path, 1)
    finally:
        may_end.set()
        thread.join()
    assert failures


@pytest.mark.parametrize("shards", [0, 5_000])
def test_an_impossible_number_of_shards_is_refused(
    shards: int, example_publication: Publication, tmp_path: Path
) -> None:
    log = write_log(example_publication, f"sqlite:{tmp_path / 'log.sqlite'}")
    with pytest.raises(UnusableJob, match="from 1 to"):
        batch(log, example_publication, tmp_path, shards)


def test_an_option_that_beam_would_drop_is_refused(example_publication: Publication, tmp_path: Path) -> None:
    log = write_log(example_publication, f"sqlite:{tmp_path / 'log.sqlite'}")
    with pytest.raises(UnusableJob, match="--shrads 2"):
        batch(log, example_publication, tmp_path, 1, options=["--shrads", "2"])

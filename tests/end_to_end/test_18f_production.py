"""The 18F history on the parts that a newsroom runs: its log on Kafka, its index on Elasticsearch, Beam on other runners."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assets.log import open_log
from denormalizer.view import View
from indexers import open_index
from tests.end_to_end.test_18f import DATA, contents, lines
from tests.servers.dask import Cluster
from tests.servers.elasticsearch import drop
from tests.servers.prism import prism_binary
from tests.support.newsroom import run_process
from tests.support.streaming import StreamProcess, applied_through, until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.requires_tool("java", "javac", "mvn", "flock"),
    pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the 18F history in {DATA} (PUBLOG_SHARED moves it)"),
]


@pytest.fixture(scope="module")
def log(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """All of it, published there."""
    folder = tmp_path_factory.mktemp("18f-kafka")
    url = f"kafka://{kafka}/f18-production?index={folder / 'offsets'}"
    publish = ["publish", DATA / "events.jsonl.zst", "--catalog", DATA / "catalog", "--references", "allow"]
    ran = run_process(*publish, "--log", url, folder=folder)
    assert ran.code == 0, ran
    return url


@pytest.fixture(scope="module")
def expected(log: str, tmp_path_factory: pytest.TempPathFactory) -> list[View]:
    """What a batch in this process makes of it: the last checkpoint's views, gone ones beside them."""
    folder = tmp_path_factory.mktemp("18f-here")
    index = f"jsonl:{folder / 'views.jsonl'}"
    ran = run_process("run", "--batch", "--log", log, "--index", index, folder=folder)
    assert ran.code == 0, ran
    found = views(index)
    assert contents([view for view in found if view.state == "live"]) == lines("expected.jsonl.zst")[-1]["views"]
    return found


def views(index: str) -> list[View]:
    with closing(open_index(index)) as opened:
        return sorted(opened.scan(), key=lambda view: (view.view, view.uri))


@pytest.fixture
def index(elasticsearch: str) -> Iterator[str]:
    yield f"{elasticsearch}/f18-production"
    drop(elasticsearch, "f18-production")


def prism() -> list[Any]:
    return ["--runner", "PrismRunner", "--prism_location", prism_binary()]


def test_a_batch_on_prism_and_a_backfill_on_dask_end_in_the_last_checkpoints_views(
    log: str, index: str, expected: list[View], dask: Cluster, tmp_path: Path
) -> None:
    where = ["--log", log, "--index", index]
    ran = run_process("run", "--batch", "--shards", 2, *prism(), *where, folder=tmp_path)
    assert ran.code == 0, ran
    assert views(index) == expected

    there = ["--runner", "DaskRunner", "--dask_client_address", dask.address]
    ran = run_process("backfill", "--shards", 2, *there, *where, folder=tmp_path)
    assert ran.code == 0, ran
    assert views(index) == expected


def test_a_stream_on_prism_from_the_start_ends_in_the_same_bytes(
    log: str, index: str, expected: list[View], tmp_path: Path
) -> None:
    with closing(open_log(log)) as opened:
        last = opened.last_offset()
    stream = StreamProcess(tmp_path / "home", *prism(), "--micro-batch", 500, "--log", log, "--index", index)
    try:
        until(lambda: not stream.is_running() or applied_through(index) >= last)
        assert stream.stop() == 0, stream.said
    finally:
        if stream.is_running():
            stream.kill()
    assert views(index) == expected


def test_a_copy_from_sqlite_to_kafka_and_back_is_the_same_log(log: str, kafka: str, tmp_path: Path) -> None:
    here, there, back = (
        f"sqlite:{tmp_path}/here",
        f"kafka://{kafka}/f18-copied?index={tmp_path}/offsets",
        f"sqlite:{tmp_path}/back",
    )
    for source, target in ((log, here), (here, there), (there, back)):
        ran = run_process("log", "copy", source, target, folder=tmp_path)
        assert ran.code == 0, ran
    with closing(open_log(here)) as first, closing(open_log(back)) as last:
        assert list(first.read()) == list(last.read())
        assert (first.schemas(), first.catalog_files()) == (last.schemas(), last.catalog_files())
        assert last.verify() == []

"""The 18F history on Beam's other runners: the last checkpoint's views, and the same bytes as from this process."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assets.intake import read_lines
from indexers import open_index
from tests.end_to_end.test_18f import DATA, contents, lines
from tests.servers.dask import Cluster
from tests.servers.elasticsearch import drop
from tests.servers.prism import JobService, WorkerPool, prism_binary
from tests.support.newsroom import run_process
from tests.support.streaming import StreamProcess, applied_through, until

Json = Any

pytestmark = [
    pytest.mark.servers,
    pytest.mark.requires_tool("java", "javac", "mvn", "flock"),
    pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the 18F history in {DATA} (PUBLOG_SHARED moves it)"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which all of it is published, and what a batch in this process makes of it."""
    folder = tmp_path_factory.mktemp("18f")
    publish = ["publish", DATA / "events.jsonl.zst", "--catalog", DATA / "catalog", "--references", "allow"]
    assert run_process(*publish, folder=folder).code == 0
    assert run_process("run", "--batch", "--index", "jsonl:here.jsonl", folder=folder).code == 0
    live = [view for view in views("jsonl:here.jsonl", folder) if view.state == "live"]
    assert contents(live) == lines("expected.jsonl.zst")[-1]["views"]
    return folder


def views(index: str, folder: Path) -> list[Any]:
    with closing(open_index(index.replace("jsonl:", f"jsonl:{folder}/"))) as opened:
        return sorted(opened.scan(), key=lambda view: (view.view, view.uri))


def assert_same(index: str, folder: Path) -> None:
    assert [view.to_line() for view in views(index, folder)] == [
        view.to_line() for view in views("jsonl:here.jsonl", folder)
    ]


@pytest.fixture
def elasticsearch_index(elasticsearch: str) -> Iterator[str]:
    yield f"{elasticsearch}/f18"
    drop(elasticsearch, "f18")


def test_a_batch_on_prism_gives_the_last_checkpoint(folder: Path, elasticsearch_index: str) -> None:
    prism = ["--shards", 2, "--runner", "PrismRunner", "--prism_location", prism_binary()]
    for index in ("jsonl:prism.jsonl", elasticsearch_index):
        assert run_process("run", "--batch", *prism, "--index", index, folder=folder).code == 0
        assert_same(index, folder)


def test_a_batch_on_a_standing_job_service_gives_the_same(
    folder: Path, job_service: JobService, worker_pool: WorkerPool
) -> None:
    there = ["--job_endpoint", job_service.address, "--environment_type=EXTERNAL"]
    there += [f"--environment_config={worker_pool.address}"]
    batch = ["run", "--batch", "--shards", 2, "--runner", "PortableRunner", *there]
    assert run_process(*batch, "--index", "jsonl:portable.jsonl", folder=folder).code == 0
    assert_same("jsonl:portable.jsonl", folder)


@pytest.mark.parametrize("where", ["PrismRunner", "PortableRunner"])
def test_a_stream_from_the_start_ends_in_the_same_bytes(
    where: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    """It fills its index with what there is at the first checkpoint, and follows from there."""
    if where == "PrismRunner":
        runner = ["--runner", where, "--prism_location", prism_binary()]
    else:
        service, pool = request.getfixturevalue("job_service"), request.getfixturevalue("worker_pool")
        runner = ["--runner", where, "--job_endpoint", service.address, "--environment_type=EXTERNAL"]
        runner += [f"--environment_config={pool.address}"]
    home = folder / where
    index = f"tantivy:{home / 'index'}"
    events = [line.text for line in read_lines(str(DATA / "events.jsonl.zst")) if line.text]
    publish = ["--home", home, "publish", "--references", "allow", "--catalog", DATA / "catalog"]
    first = lines("expected.jsonl.zst")[0]["last_event"] + 1
    (folder / "first.jsonl").write_bytes(b"\n".join(events[:first]) + b"\n")
    assert run_process(*publish, folder / "first.jsonl", folder=folder).code == 0
    stream = StreamProcess(home, *runner, "--micro-batch", 500)
    try:
        until(lambda: "following" in stream.said or not stream.is_running())
        assert run_process(*publish, DATA / "events.jsonl.zst", folder=folder).code == 0
        last = len(events) - 1
        until(lambda: applied_through(index) >= last or not stream.is_running())
        assert stream.stop() == 0, stream.said
    finally:
        if stream.is_running():
            stream.kill()
    assert_same(index, folder)


def test_a_backfill_on_two_dask_workers_gives_the_same(folder: Path, dask: Cluster, elasticsearch_index: str) -> None:
    there = ["--runner", "DaskRunner", "--dask_client_address", dask.address]
    for index in ("jsonl:filled.jsonl", elasticsearch_index):
        ran = run_process("backfill", "--shards", 4, *there, "--index", index, folder=folder)
        assert ran.code == 0, ran
        assert_same(index, folder)

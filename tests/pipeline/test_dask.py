"""Batch and backfill on a real Dask cluster, whose processes are killed: exact, or said not to be."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.dask import Cluster
from tests.support.elsewhere import ended, in_the_middle, records, write_history
from tests.support.newsroom import process, run_process

pytestmark = pytest.mark.servers

SHARDS = 4


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dask")
    write_history(folder)
    assert run_process("run", "--batch", "--index", "jsonl:here.jsonl", folder=folder).code == 0
    return folder


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster") as cluster:
        yield cluster


def on(cluster: Cluster) -> list[str]:
    return ["--runner", "DaskRunner", "--dask_client_address", cluster.address]


def test_a_batch_whose_worker_is_killed_in_the_middle_is_exact(history: Path, cluster: Cluster) -> None:
    job = process("run", "--batch", "--shards", SHARDS, *on(cluster), "--index", "jsonl:killed.jsonl", folder=history)
    in_the_middle(job, history / ".publog")
    cluster.workers[0].kill()
    assert ended(job)[0] == 0
    assert cluster.workers[1].poll() is None
    assert records(history / "killed.jsonl") == records(history / "here.jsonl")
    # Nothing else is left of it.
    assert not list((history / ".publog").rglob("part-*"))


def test_a_batch_whose_scheduler_is_killed_fails_and_leaves_the_index_as_it_was(
    history: Path, cluster: Cluster
) -> None:
    """Dask calls such a job done."""
    assert cluster.scheduler is not None
    index = ["--index", "jsonl:lost.jsonl"]
    job = process("run", "--batch", "--shards", SHARDS, *on(cluster), *index, folder=history)
    in_the_middle(job, history / ".publog")
    cluster.scheduler.kill()
    code, complaint = ended(job)
    assert code == 1
    assert complaint.splitlines()[-1] == (
        "error: the runner said it was done, but left no manifest: it lost the job; run it again"
    )
    assert not (history / "lost.jsonl").exists()
    cluster.stop()
    cluster.start()
    assert run_process("run", "--batch", "--shards", SHARDS, *on(cluster), *index, folder=history).code == 0
    assert records(history / "lost.jsonl") == records(history / "here.jsonl")


def test_a_backfill_whose_scheduler_is_killed_goes_on_from_there_on_another_cluster(
    history: Path, cluster: Cluster
) -> None:
    assert cluster.scheduler is not None
    index = ["--index", "jsonl:filled.jsonl"]
    job = process("backfill", "--shards", SHARDS, *on(cluster), *index, folder=history)
    in_the_middle(job, history / ".publog" / "backfill")
    cluster.scheduler.kill()
    code, complaint = ended(job)
    assert code == 1
    assert "it lost the job; run it again" in complaint
    cluster.stop()
    cluster.start()
    ran = run_process("backfill", *on(cluster), *index, folder=history)
    assert ran.code == 0, ran
    assert records(history / "filled.jsonl") == records(history / "here.jsonl")


def test_what_the_cluster_lacks_is_said(history: Path, cluster: Cluster) -> None:
    def refused(*arguments: str, code: int = 2) -> str:
        ran = run_process("run", "--batch", "--runner", "DaskRunner", *arguments, folder=history)
        assert ran.code == code
        return ran.err.splitlines()[-1]

    assert "needs a cluster: --dask_client_address" in refused()
    there = f"--dask_client_address={cluster.address}"
    assert "each shard is a task of its own" in refused(there, "--dask_npartitions=1")
    assert "is in this process" in refused(there, "--index", "memory:here")
    assert "--dask_adress x: neither publog nor Beam" in refused(there, "--dask_adress", "x")
    gone = refused("--dask_client_address=tcp://127.0.0.1:1", "--dask_connection_timeout=1", code=1)
    assert "Timed out trying to connect to tcp://127.0.0.1:1" in gone

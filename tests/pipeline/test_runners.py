"""What each runner is told, and what is refused before anything begins."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from pipeline.errors import JobFailed, UnusableJob
from pipeline.runners import check_runner, elsewhere, has_workers_elsewhere
from tests.support.newsroom import Shell, article, lines, write_catalog

DIVIDED = "--experiments=prism_disable_sdf_split"


class Service(beam_job_api_pb2_grpc.JobServiceServicer):
    """A job service that knows an option of its own, and notes what it is asked to run."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.address = ""

    def DescribePipelineOptions(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        option = beam_job_api_pb2.PipelineOptionDescriptor(name="juggling", type=0, description="Its own.")
        return beam_job_api_pb2.DescribePipelineOptionsResponse(options=[option])

    def Prepare(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.options = {
            name.removeprefix("beam:option:").removesuffix(":v1"): value
            for name, value in request.pipeline_options.items()
        }
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no room for another job")


@pytest.fixture
def service() -> Iterator[Service]:
    server = grpc.server(ThreadPoolExecutor())
    found = Service()
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(found, server)
    found.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield found
    server.stop(0)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A home with an article in its log."""
    made = Shell(tmp_path, capsys, monkeypatch)
    (tmp_path / "history.jsonl").write_bytes(lines([article(1)]))
    made("publish", "history.jsonl", "--catalog", write_catalog(tmp_path / "catalog"))
    return made


@pytest.mark.parametrize("runner", ["PortableRunner", "FlinkRunner"])
def test_options_of_beam_and_of_the_service_reach_it_as_they_are(runner: str, service: Service, shell: Shell) -> None:
    batch = ["run", "--batch", "--index", "jsonl:x.jsonl", "--runner", runner, f"--job_endpoint={service.address}"]
    given = ("--environment_type=EXTERNAL", "--environment_config=here:1", "--juggling", "5", "--job_name=tonight")
    ran = shell(*batch, *given, code=1)
    assert ran.err.splitlines()[-1] == "error: the job service: no room for another job (RESOURCE_EXHAUSTED)"
    told = {"environment_type": "EXTERNAL", "environment_config": "here:1", "juggling": "5", "job_name": "tonight"}
    assert told.items() <= service.options.items()
    if runner == "PortableRunner":
        assert list(service.options["experiments"])[:1] == [DIVIDED.partition("=")[2]]
    ran = shell(*batch, "--jugling", "5", code=2)
    assert "--jugling 5: neither publog nor Beam knows this option" in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("runner", "options", "said"),
    [
        ("PortableRunner", [], "needs a job service: --job_endpoint HOST:PORT"),
        ("PrismRunner", ["--prism_locaton=x"], "--prism_locaton=x: neither publog nor Beam"),
        ("DataflowRunner", ["--project=p", "--regoin=r"], "--regoin=r: neither publog nor Beam"),
        ("FlinkRunner", ["--flink_mster=x"], "--flink_mster=x: neither publog nor Beam"),
        (None, ["--shrads=2"], "--shrads=2: neither publog nor Beam"),
        ("apache_beam.runners.dask.dask_runner.DaskRunner", [], "needs a cluster"),
    ],
)
def test_what_is_wrong_is_named_before_anything_begins(runner: str | None, options: list[str], said: str) -> None:
    with pytest.raises(UnusableJob, match=said):
        check_runner(runner, options, ())


def test_a_service_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runners.ENDPOINT_SECONDS_MAX", 0.5)
    with pytest.raises(JobFailed, match=r"no job service answers at --job_endpoint 127\.0\.0\.1:1"):
        check_runner("PortableRunner", ["--job_endpoint=127.0.0.1:1"], ())


def test_prism_is_found_on_the_path_or_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnusableJob, match="needs Beam's prism: on PATH, or --prism_location FILE"):
        elsewhere("PrismRunner", [], ())
    (tmp_path / "prism").touch(0o755)
    assert f"--prism_location={tmp_path / 'prism'}" in elsewhere("prism", [], ()).options
    assert DIVIDED in elsewhere("PrismRunner", ["--prism_location=/x"], ()).options


def test_a_runner_whose_extra_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(UnusableJob, match=r"pip install 'publog\[dask\]'"):
        check_runner("DaskRunner", ["--dask_client_address=tcp://x:1"], ())


def test_what_is_in_this_process_is_not_for_workers() -> None:
    with pytest.raises(UnusableJob, match="memory:x is in this process"):
        check_runner("PrismRunner", ["--prism_location=/x"], ("sqlite:/log", "memory:x"))


def test_where_the_workers_are() -> None:
    assert not has_workers_elsewhere(None, [])
    assert not has_workers_elsewhere("PrismRunner", [])
    assert has_workers_elsewhere("PrismRunner", ["--environment_type=EXTERNAL"])
    assert not has_workers_elsewhere("PortableRunner", ["--environment_type=LOOPBACK"])
    assert has_workers_elsewhere("PortableRunner", [])
    assert has_workers_elsewhere("DataflowRunner", [])

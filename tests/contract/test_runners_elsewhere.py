"""Prism, a standing job service and Dask keep the runners' contract."""

import pytest

from tests.contract.runner_contract import RunnerContract
from tests.servers.dask import Cluster
from tests.servers.prism import JobService, WorkerPool, prism_binary

pytestmark = [
    pytest.mark.servers,
    # Beam leaves the pipe to its job server and its channels open.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


class TestPrismRunner(RunnerContract):
    runner = "PrismRunner"

    @pytest.fixture
    def options(self) -> list[str]:
        return [f"--prism_location={prism_binary()}"]


class TestPortableRunner(RunnerContract):
    runner = "PortableRunner"

    @pytest.fixture
    def options(self, job_service: JobService, worker_pool: WorkerPool) -> list[str]:
        return [
            f"--job_endpoint={job_service.address}",
            "--environment_type=EXTERNAL",
            f"--environment_config={worker_pool.address}",
        ]


class TestDaskRunner(RunnerContract):
    runner = "DaskRunner"
    is_stateful = False

    @pytest.fixture
    def options(self, dask: Cluster) -> list[str]:
        return [f"--dask_client_address={dask.address}"]

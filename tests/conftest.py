"""What holds for every test: skips are loud, and random tests are the same everywhere unless asked otherwise.

A test that needs a program which only some machines have says so, and is skipped where it is missing:

    @pytest.mark.requires_tool("java")

Every skip is listed at the end with its reason, and `PUBLOG_NO_SKIPS=1` makes any of them fail the run.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.servers.dask import Cluster
    from tests.servers.prism import JobService, WorkerPool

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("explore", deadline=None, print_blob=True, max_examples=1_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LoudSkips(forbidden=os.environ.get("PUBLOG_NO_SKIPS") == "1"))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real broker."""
    from tests.servers.kafka import Broker

    with Broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.address


@pytest.fixture(scope="session")
def job_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator["JobService"]:
    """A standing Prism that takes jobs."""
    from tests.servers.prism import JobService

    with JobService(tmp_path_factory.mktemp("prism")) as service:
        yield service


@pytest.fixture(scope="session")
def worker_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator["WorkerPool"]:
    """Beam's pool of workers for it."""
    from tests.servers.prism import WorkerPool

    with WorkerPool(tmp_path_factory.mktemp("workers")) as pool:
        yield pool


@pytest.fixture(scope="session")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Cluster"]:
    """A Dask cluster of two workers, for tests that do not kill any."""
    from tests.servers.dask import Cluster

    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[str]:
    """The URL of a real node. Who makes an index there removes it: a node takes a thousand."""
    from tests.servers.elasticsearch import Node

    # It syncs at each change of an index: what no power cut is tried on need not wait for a disk.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=memory, prefix="publog-elasticsearch-") as folder, Node(Path(folder)) as node:
        yield node.url


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("requires_tool"):
        missing = [name for name in marker.args if shutil.which(name) is None]
        if missing:
            pytest.skip(f"needs {', '.join(missing)}, not found on PATH")


class LoudSkips:
    """Gathers skips, tells them at the end and, where they are forbidden, fails the run."""

    def __init__(self, *, forbidden: bool) -> None:
        self.forbidden = forbidden
        self.skips: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._gather(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._gather(report)

    def _gather(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        expected_failure = hasattr(report, "wasxfail")
        if report.skipped and not expected_failure:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skips.append((report.nodeid, reason.removeprefix("Skipped: ")))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        went_well = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        if went_well and self.skips and self.forbidden:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.skips:
            return
        terminalreporter.section(f"NOT TESTED HERE: {len(self.skips)} skipped", red=self.forbidden, yellow=True)
        for nodeid, reason in self.skips:
            terminalreporter.line(f"{nodeid}: {reason}")
        if self.forbidden:
            terminalreporter.line("PUBLOG_NO_SKIPS=1: a skip is a failure", red=True)

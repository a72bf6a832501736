"""Starts, stops and kills a scheduler and its workers."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.05
# The page that a scheduler and a worker have would listen on every interface without it.
LOOPBACK = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")

Process = subprocess.Popen[bytes]


class Cluster:
    """A scheduler and its workers, which have one thread each, as publog wants them."""

    def __init__(self, folder: Path, workers: int = 2, python: Path = Path(sys.executable)) -> None:
        self._folder = folder.absolute()
        self._count = workers
        self._python = python
        self.scheduler: Process | None = None
        self.workers: list[Process] = []
        self.address = ""

    def start(self) -> None:
        """Start all and wait until every worker is known to the scheduler."""
        self._folder.mkdir(parents=True, exist_ok=True)
        found = self._folder / "scheduler.json"
        found.unlink(missing_ok=True)
        self.scheduler = self._run("scheduler", "--port", "0", "--scheduler-file", str(found))
        end = time.monotonic() + READY_SECONDS_MAX
        while not found.exists() or not found.read_text():
            self._wait(self.scheduler, end)
        self.address = json.loads(found.read_text())["address"]
        for _ in range(self._count):
            self.add_worker()
        from distributed import Client

        with Client(self.address, timeout=READY_SECONDS_MAX, set_as_default=False) as client:
            client.wait_for_workers(self._count, timeout=READY_SECONDS_MAX)

    def add_worker(self) -> Process:
        """Start one more."""
        arguments = ("--no-nanny", "--nthreads", "1", "--death-timeout", "10", "--local-directory", str(self._folder))
        self.workers.append(self._run("worker", self.address, *arguments))
        return self.workers[-1]

    def stop(self) -> None:
        """End all of it."""
        for process in (*self.workers, self.scheduler):
            if process is not None:
                process.kill()
                process.wait(STOP_SECONDS_MAX)
        self.workers, self.scheduler = [], None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, what: str, *arguments: str) -> Process:
        with (self._folder / f"{what}.log").open("ab") as output:
            # A folder of their own: nothing may hang on where publog was started.
            return subprocess.Popen(
                [self._python, "-m", f"distributed.cli.dask_{what}", *arguments, *LOOPBACK],
                cwd=self._folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _wait(self, process: Process, end: float) -> None:
        if process.poll() is not None or time.monotonic() > end:
            said = "\n".join(log.read_text(errors="replace")[-2000:] for log in self._folder.glob("*.log"))
            raise RuntimeError(f"the cluster did not start:\n{said}")
        time.sleep(POLL_SECONDS)

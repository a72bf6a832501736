"""Starts, stops and kills a node whose data stays in its folder."""

import contextlib
import os
import select
import subprocess
from pathlib import Path
from typing import Self

from elasticsearch import Elasticsearch

from tests.servers.kafka.broker import free_port

START = Path(__file__).with_name("start")

READY_SECONDS_MAX = 240.0
"""The first start fetches the server."""
STOP_SECONDS_MAX = 30.0
QUICK = "-XX:TieredStopAtLevel=1"
"""A node that lives for minutes spends more on its best machine code than it gains by it."""


def drop(url: str, name: str, *, keep: str | None = None) -> None:
    """Remove the indexes of a node whose names begin so, but for some."""
    with Elasticsearch(url) as client:
        names = [str(found) for found in client.indices.get_alias(index=f"{name}*")]
        if names := [found for found in names if keep is None or not found.startswith(keep)]:
            client.indices.delete(index=names)


class Node:
    """One node on one port (a free one for 0), which it keeps over restarts. It ends with this process at the latest."""

    def __init__(self, folder: Path, port: int = 0, java_options: str = QUICK) -> None:
        self._folder = folder.absolute()
        self._port = port or free_port()
        self._java_options = java_options
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def cpu_seconds(self) -> float:
        """The processor time that it took since it was started."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def start(self) -> None:
        """Start it and wait until clients may come; a folder that has data keeps it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / "node.log"
        environment = {**os.environ, "ES_STOP_ON_EOF": "1", "ES_NODE_JAVA_OPTS": self._java_options}
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [str(START), str(self._folder), str(self._port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
            )
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], READY_SECONDS_MAX)
        if not readable or not self._process.stdout.readline().startswith(f"ready {self.url} "):
            self.kill()
            raise RuntimeError(f"the node did not start:\n{log.read_text(errors='replace')[-4000:]}")

    def stop(self) -> None:
        """Stop it as an operator would; it is killed when it takes too long."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS_MAX)
            self.kill()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

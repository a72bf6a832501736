"""Starts, stops and kills a broker whose data stays in its folder."""

import base64
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "publog-servers" / "kafka"
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

READY = "Kafka Server started"
READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05


class Broker:
    """One broker on one port (a free one for 0), which it keeps over restarts."""

    def __init__(self, folder: Path, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        """`settings` come on top of those of server.properties."""
        self._folder = folder.absolute()
        self._settings = dict(settings or {})
        self._port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until clients may come; a folder that has data keeps it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        jars = fetched_jars()
        settings = self._folder / "server.properties"
        text = (HERE / "server.properties").read_text()
        for name, value in (("PORT", self._port), ("CPORT", free_port()), ("DATA", self._folder)):
            text = text.replace(f"@{name}@", str(value))
        settings.write_text(text + "".join(f"{name}={value}\n" for name, value in self._settings.items()))
        java = ["java", "-cp", f"{jars}/*", f"-Dlog4j2.configurationFile={HERE}/log4j2.properties"]
        if not (self._folder / "logs" / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(b"pub" + os.urandom(13)).decode().rstrip("=")
            command = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        heap = ["-Xms256m", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Djava.awt.headless=true"]
        log = self._folder / "broker.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*java[:1], *heap, *java[1:], "kafka.Kafka", str(settings)], stdout=output, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + READY_SECONDS_MAX
        while READY not in log.read_text(errors="replace"):
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the broker did not start:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop it as an operator would; it is killed when it takes too long."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetched_jars() -> Path:
    """The folder of the broker's jars, fetched once for each pom.xml; of many who ask at once one fetches."""
    pom = HERE / "pom.xml"
    jars = CACHE / hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    if jars.is_dir():
        return jars
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            # What is half fetched never has the name.
            filling = Path(tempfile.mkdtemp(prefix=".filling.", dir=CACHE))
            try:
                into = ["-DincludeScope=runtime", f"-DoutputDirectory={filling}"]
                subprocess.run(["mvn", "-B", "-q", "-f", str(pom), COPY_JARS, *into], check=True)
                filling.rename(jars)
            finally:
                shutil.rmtree(filling, ignore_errors=True)
    return jars

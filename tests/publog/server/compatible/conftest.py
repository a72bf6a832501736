"""The demo newsroom, served by a process of its own, and in this one."""

import shutil
import subprocess
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from starlette.testclient import TestClient

from assets.newsroom import demo_history
from publog.server.newsroom import Newsroom
from publog.settings import resolve
from tests.support.courier import Courier
from tests.support.newsroom import run_process, write_lines
from tests.support.serving import client_of, serving

CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture(scope="session")
def courier_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("courier")
    write_lines(folder / "history.jsonl", *demo_history())
    assert run_process("publish", "history.jsonl", folder=folder).code == 0
    assert run_process("run", "--batch", folder=folder).code == 0
    return folder


@pytest.fixture(scope="session")
def latest() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for message in demo_history():
        found.pop(message["uri"], None)
        if message["op"] == "publish":
            found[message["uri"]] = message["data"]
    return found


@pytest.fixture(scope="session")
def courier(courier_home: Path, latest: dict[str, dict[str, Any]]) -> Generator[Courier]:
    """Nothing may be changed in it."""
    with serving(courier_home, "--no-stream") as (server, url):
        assert server.stderr is not None
        # It writes a line for each request, and would wait for somebody to read them.
        reading = Thread(target=server.stderr.read)
        reading.start()
        try:
            yield Courier(courier_home, url, latest)
        finally:
            server.kill()
            reading.join()


@pytest.fixture(scope="session")
def courier_newsroom(courier_home: Path) -> Generator[Newsroom]:
    with closing(Newsroom(resolve(courier_home / ".publog", environment={}))) as made:
        yield made


@pytest.fixture
def here(courier_newsroom: Newsroom) -> TestClient:
    """The same newsroom in this process."""
    return client_of(courier_newsroom)


@pytest.fixture(scope="session")
def guardian_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the client from npm in it."""
    folder = tmp_path_factory.mktemp("clients")
    for name in ("package.json", "package-lock.json", "guardian.js"):
        shutil.copy(CLIENTS / name, folder / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder

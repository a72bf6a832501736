"""A server in this process, on a small newsroom."""

import shutil
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from publog.server.newsroom import Newsroom
from publog.settings import resolve
from tests.support.newsroom import run_process, write_catalog, write_lines
from tests.support.serving import HISTORY, client_of


@pytest.fixture
def newsroom(tmp_path: Path) -> Generator[Newsroom]:
    """A home that had nothing in it."""
    write_catalog(tmp_path / "catalog")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "publog.toml").write_text('catalog = "../catalog"')
    with closing(Newsroom(resolve(tmp_path / "home", environment={}))) as made:
        yield made


@pytest.fixture
def client(newsroom: Newsroom) -> TestClient:
    return client_of(newsroom)


@pytest.fixture(scope="session")
def indexed_newsroom(tmp_path_factory: pytest.TempPathFactory) -> Generator[Newsroom]:
    """A home with a log and an index; nothing may be changed in it."""
    folder = tmp_path_factory.mktemp("served")
    write_catalog(folder / "catalog")
    write_lines(folder / "history.jsonl", *HISTORY)
    assert run_process("publish", "history.jsonl", "--catalog", "catalog", folder=folder).code == 0
    assert run_process("run", "--batch", folder=folder).code == 0
    with closing(Newsroom(resolve(folder / ".publog", environment={}))) as made:
        yield made


@pytest.fixture
def indexed(indexed_newsroom: Newsroom) -> TestClient:
    return client_of(indexed_newsroom)


@pytest.fixture
def prepared_home(indexed_newsroom: Newsroom, tmp_path: Path) -> Path:
    """A folder of a test's own whose home has that log and index."""
    shutil.copytree(indexed_newsroom.settings.home.parent, tmp_path / "copy")
    return tmp_path / "copy"

"""A browser and a demo newsroom, for as long as a module's tests last."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser

from tests.support.browsing import chromium, serving
from tests.support.newsroom import run_process


# Not for the session: while it is there, no other test could run an event loop of its own in this thread.
@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of a server on the demo newsroom, with its stream."""
    folder = tmp_path_factory.mktemp("demo")
    assert run_process("demo", folder=folder).code == 0
    with serving(folder) as base:
        yield base

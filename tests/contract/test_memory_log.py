"""The log in memory keeps the contract."""

from collections.abc import Callable
from itertools import count

import pytest

from assets.log import open_log
from tests.contract.log_contract import LogContract, fill

_numbers = count()


class TestMemoryLog(LogContract):
    @pytest.fixture
    def new_url(self) -> Callable[[], str]:
        return lambda: f"memory:contract{next(_numbers)}"

    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("assets.log.memory.WRITER_WAIT_SECONDS_MAX", 0.05)


def test_a_nameless_log_is_shared_only_by_its_url() -> None:
    log, stranger = open_log("memory:"), open_log("memory:")
    fill(log, 2)
    assert open_log(log.url, create=False).last_offset() == 1
    assert stranger.last_offset() == -1
    assert log.url != stranger.url

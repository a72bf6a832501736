"""The embedded log keeps the contract."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.contract.log_contract import SharedLogContract


class TestSqliteLog(SharedLogContract):
    @pytest.fixture
    def new_url(self, tmp_path: Path) -> Callable[[], str]:
        numbers = count()
        return lambda: f"sqlite:{tmp_path}/log{next(numbers)}.db"

    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("assets.log.sqlite_file.WRITER_WAIT_SECONDS_MAX", 0.05)

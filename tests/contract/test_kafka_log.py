"""The log on Kafka keeps the contract, on a real broker."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.contract.log_contract import SharedLogContract

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "mvn")]

_numbers = count()


class TestKafkaLog(SharedLogContract):
    @pytest.fixture
    def new_url(self, kafka: str, tmp_path: Path) -> Callable[[], str]:
        return lambda: f"kafka://{kafka}/contract{next(_numbers)}?index={tmp_path}"

    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("assets.log.kafka.log.WRITER_WAIT_SECONDS_MAX", 0.05)

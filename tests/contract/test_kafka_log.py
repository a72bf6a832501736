"""The log on Kafka keeps the contract, on a real broker."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.contract.log_contract import SharedLogContract
from tests.servers.kafka import Broker

pytestmark = [pytest.mark.requires_tool("java", "mvn")]

_numbers = count()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


class TestKafkaLog(SharedLogContract):
    @pytest.fixture
    def new_url(self, broker: Broker, tmp_path: Path) -> Callable[[], str]:
        return lambda: f"kafka://{broker.address}/contract{next(_numbers)}?index={tmp_path}"

    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("assets.log.kafka.log.WRITER_WAIT_SECONDS_MAX", 0.05)

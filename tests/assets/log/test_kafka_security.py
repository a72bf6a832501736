"""The log on a broker that wants TLS and a password: SASL_SSL, as a newsroom's brokers do."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from assets.errors import AssetsError
from assets.log import open_log
from assets.model import Transaction
from tests.contract.log_contract import append, draft
from tests.servers.kafka import Broker
from tests.servers.kafka.broker import free_port

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "mvn", "openssl")]


def certificate(folder: Path, name: str) -> Path:
    """One that signs itself, its key before it."""
    key, found = folder / f"{name}.key", folder / f"{name}.pem"
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", found]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    (folder / f"{name}.store").write_text(key.read_text() + found.read_text())
    return found


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a listener with TLS and SASL, and the folder of its certificate."""
    folder = tmp_path_factory.mktemp("secured")
    certificate(folder, "broker")
    certificate(folder, "stranger")
    plain, port, controller = (free_port() for _ in range(3))
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    settings = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},SASL_SSL://127.0.0.1:{port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{login} user_publog="right";',
        "listener.name.sasl_ssl.ssl.keystore.type": "PEM",
        "listener.name.sasl_ssl.ssl.keystore.location": str(folder / "broker.store"),
    }
    with Broker(folder / "data", plain, settings):
        yield f"127.0.0.1:{port}", folder


def settings_file(
    folder: Path, *, password: str = "right", authority: str = "broker", protocol: str = "SASL_SSL"
) -> Path:
    path = folder / f"{password}-{authority}-{protocol}.properties"
    path.write_text(
        f"security.protocol={protocol}\nsasl.mechanism=PLAIN\nsasl.username=publog\nsasl.password={password}\n"
        f"ssl.ca.location={folder / f'{authority}.pem'}\n"
    )
    return path


def test_the_log_is_written_and_read_over_tls_with_a_password(secured: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = secured
    url = f"kafka://{address}/secured?index={tmp_path}&client={settings_file(folder)}"
    with closing(open_log(url)) as log:
        append(log, Transaction(None, [draft("a"), draft("b")]))
        assert [message.id for message in log.read()] == ["a", "b"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "mistaken"}, "Authentication failed"),
        ({"authority": "stranger"}, "certificate"),
        ({"protocol": "PLAINTEXT"}, "can't be reached"),
    ],
)
def test_what_is_wrong_with_the_door_is_told(
    secured: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], said: str
) -> None:
    monkeypatch.setattr("assets.log.kafka.topics.KAFKA_WAIT_SECONDS_MAX", 3.0)
    address, folder = secured
    url = f"kafka://{address}/secured?index={tmp_path}&client={settings_file(folder, **wrong)}"
    with pytest.raises(AssetsError) as told, closing(open_log(url)) as log:
        log.last_offset()
    assert said in str(told.value)
    assert address in str(told.value)

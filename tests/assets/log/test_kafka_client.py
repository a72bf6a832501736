"""The Kafka client's settings where there is no file: in the environment, as containers have them."""

from pathlib import Path

import pytest

from assets.errors import UnusableLog
from assets.log.kafka.place import CLIENT, PASSWORD, USERNAME, parse_place

URL = "kafka://host:9096/topic"


def test_settings_and_secrets_come_from_the_environment_and_stay_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLIENT, "security.protocol=SASL_SSL\n\n# ours\nsasl.mechanism=SCRAM-SHA-512")
    monkeypatch.setenv(USERNAME, "publog")
    monkeypatch.setenv(PASSWORD, "the secret=")
    place = parse_place(URL)
    assert place.url == URL
    assert "secret" not in repr(place)
    settings = {"security.protocol", "sasl.mechanism", "sasl.username", "sasl.password"}
    for given in (place.producer(), place.consumer()):
        assert settings <= given.keys()
        assert given["sasl.password"] == "the secret="
        assert given["bootstrap.servers"] == "host:9096"


def test_a_file_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLIENT, "security.protocol=PLAINTEXT\nssl.ca.location=/ca.pem")
    file = tmp_path / "client"
    file.write_text("security.protocol=SSL")
    assert parse_place(f"{URL}?client={file}").extra == {"security.protocol": "SSL", "ssl.ca.location": "/ca.pem"}


@pytest.mark.parametrize(("text", "problem"), [("acks=0", "not yours to set"), ("nonsense", "must be NAME=VALUE")])
def test_what_may_not_be_set_is_refused(text: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLIENT, f"a=b\n{text}")
    with pytest.raises(UnusableLog, match=f"PUBLOG_KAFKA_CLIENT:2: .*{problem}"):
        parse_place(URL)

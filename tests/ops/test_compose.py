"""The compose file is one, and names what is there. No container runs here."""

import json
import re
import subprocess
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from tests.support.newsroom import ROOT

COMPOSE = (ROOT / "compose.yaml").read_text()


def checked(text: str) -> dict[str, Any]:
    """A compose file, with its anchors resolved, as the specification has it."""
    document = yaml.safe_load(text)
    PyCompose.from_json(json.dumps(document)).validate()
    return document


def test_it_is_a_compose_file_whose_parts_are_there() -> None:
    document = checked(COMPOSE)
    services, volumes = document["services"], document["volumes"]
    assert services.keys() == {"kafka", "topics", "elasticsearch", "gateway", "stream", "prometheus", "grafana"}
    used: set[str] = set()
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= services.keys(), name
        for condition in service.get("depends_on", {}).values():
            assert condition["condition"] in {"service_healthy", "service_completed_successfully"}
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                used.add(source)
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} listens beyond this machine"
        assert re.fullmatch(r"[\w/]+:[\w.]+|publog", service["image"]), service["image"]
    assert used == volumes.keys()
    for name in ("kafka", "elasticsearch"):
        assert services[name]["healthcheck"]["test"][0] == "CMD"


def test_what_it_gives_publog_is_what_publog_takes() -> None:
    services = checked(COMPOSE)["services"]
    for name in ("gateway", "stream"):
        environment = services[name]["environment"]
        assert environment["PUBLOG_LOG"] == services["topics"]["command"][2] == "kafka://kafka:9092/publog"
        assert environment["PUBLOG_INDEX"] == "http://elasticsearch:9200/publog"
        scraped = environment["PUBLOG_METRICS"].rpartition(":")[2]
        assert f"{name}:{scraped}" in (ROOT / "ops" / "prometheus" / "prometheus.yml").read_text()
    assert services["kafka"]["environment"]["KAFKA_LOG_RETENTION_MS"] == "-1"


def test_grafana_finds_its_dashboard_and_its_prometheus() -> None:
    provisioning = ROOT / "ops" / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "publog.yaml").read_text())["providers"]
    mounted = checked(COMPOSE)["services"]["grafana"]["volumes"]
    assert any(volume.split(":")[1].startswith(provider["options"]["path"]) for volume in mounted)
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


@pytest.mark.parametrize("wrong", ["prots: []", 'ports: ["1:x"]', "restart: sometimes"])
def test_what_is_no_compose_file_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        checked(f"services: {{a: {{image: x, {wrong}}}}}")


@pytest.mark.servers
@pytest.mark.requires_tool("promtool")
def test_prometheus_takes_its_settings() -> None:
    folder = ROOT / "ops" / "prometheus"
    subprocess.run(["promtool", "check", "config", "prometheus.yml"], check=True, cwd=folder, capture_output=True)

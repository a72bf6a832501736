"""What the dashboard draws and the alerts watch is there: names, labels and their values, in programs that run."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx2
import promql_parser
import pytest

from assets.log import open_log
from assets.model import Draft, Transaction
from indexers.counts import bulk_retried
from publog.telemetry.newsroom import Surroundings
from tests.support.newsroom import ROOT, article, byline, run_process, write_catalog, write_lines
from tests.support.scraping import Exporting, all_samples
from tests.support.streaming import until

pytestmark = pytest.mark.servers

ALERTS, DASHBOARD = ROOT / "ops" / "prometheus" / "alerts.yml", ROOT / "ops" / "grafana" / "publog.json"
GIVEN_BY_PROMETHEUS = {"job", "instance"}

Labels = dict[str, set[str]]
"""Label to the values that it was seen with."""


def parse_rules(text: str) -> list[dict[str, str]]:
    """The alerts: name, expression, runbook. The file is plain enough to be read by its indentation."""
    alerts: list[dict[str, str]] = []
    for block in re.split(r"\n      - alert: ", text)[1:]:
        name = block.split("\n", 1)[0]
        found = re.search(r"\n        expr: (?:\|\n((?:          .*\n)+)|(.*)\n)", block)
        runbook = re.search(r"runbook: (\S+)", block)
        assert found, name
        assert runbook, name
        alerts.append({"name": name, "expr": (found[1] or found[2]).strip(), "runbook": runbook[1]})
    return alerts


ALERT_LIST = parse_rules(ALERTS.read_text())


def panels() -> list[tuple[str, str, str]]:
    """Title, expression and legend of all that is drawn."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in document["panels"]
        for target in panel.get("targets", ())
    ]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Labels]:
    """Every metric that a gateway, a stream and a backfill show, with its labels."""
    folder = tmp_path_factory.mktemp("exposed")
    write_catalog(folder / "catalog")
    write_lines(folder / "history.jsonl", byline("ada"), article(1, byline="news://byline/ada"))
    assert run_process("publish", "history.jsonl", "--catalog", "catalog", folder=folder).code == 0
    assert run_process("run", "--batch", folder=folder).code == 0
    with closing(open_log(f"sqlite:{folder / '.publog' / 'log.sqlite'}")) as log, log.writing():
        log.append([Transaction(None, [Draft("news://article/bad", 0, "bad", b"\0\0\0\0\x63")])])
    seen: dict[str, Labels] = {}

    def note(text: str) -> None:
        for sample in all_samples(text):
            labels = seen.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)

    with (
        closing(Exporting("serve", "--port", 0, "--no-stream", folder=folder)) as gateway,
        closing(Exporting("run", "--stream", folder=folder)) as stream,
    ):
        assert gateway.process.stdout is not None
        url = gateway.process.stdout.readline().split()[2].rstrip(";")
        assert httpx2.post(f"{url}/v1/messages", json=byline("ada", name="Ada")).status_code == 200
        until(lambda: "publog_publish_searchable_seconds_count 1.0" in gateway.read())
        with closing(Exporting("backfill", folder=folder)) as backfill:
            while backfill.process.poll() is None:
                try:
                    note(backfill.read())
                except OSError:
                    break
        note(gateway.read())
        until(lambda: "publog_stream_fanout_views_bucket" in stream.read())
        note(stream.read())
    # No search server is here to be busy.
    bulk_retried("429")
    for family in Surroundings(folder).collect():
        for sample in family.samples:
            for label, value in sample.labels.items():
                seen.setdefault(sample.name, {}).setdefault(label, set()).add(value)
    return seen


def parsed(expression: str) -> Any:
    return promql_parser.parse(re.sub(r"\$__rate_interval", "5m", expression).replace("$job", ".*"))


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        if getattr(node, name, None) is not None:
            yield from nodes(getattr(node, name))
    for inner in getattr(node, "args", None) or ():
        yield from nodes(inner)


def check(expression: str, exposed: dict[str, Labels]) -> None:
    """Each selector's metric is there with the labels that are asked for, and so are the labels that are kept."""
    known: set[str] = set(GIVEN_BY_PROMETHEUS)
    found = list(nodes(parsed(expression)))
    selectors = [node for node in found if type(node).__name__ == "VectorSelector"]
    assert selectors, expression
    for selector in selectors:
        assert selector.name in exposed, f"no program shows {selector.name}"
        labels = exposed[selector.name]
        known |= labels.keys()
        for matcher in selector.matchers.matchers:
            if matcher.name in GIVEN_BY_PROMETHEUS:
                continue
            assert matcher.name in labels, f"{selector.name} has no label {matcher.name}"
            if "Equal" in str(matcher.op) and "Not" not in str(matcher.op):
                assert matcher.value in labels[matcher.name], (
                    f"{selector.name} never has {matcher.name}={matcher.value}"
                )
    for node in found:
        modifier = getattr(node, "modifier", None)
        if type(node).__name__ == "AggregateExpr" and modifier is not None:
            assert set(modifier.labels) <= known, f"{expression}: no label of {modifier.labels}"


@pytest.mark.parametrize("alert", ALERT_LIST, ids=[alert["name"] for alert in ALERT_LIST])
def test_an_alert_watches_what_is_there_and_has_a_runbook(alert: dict[str, str], exposed: dict[str, Labels]) -> None:
    check(alert["expr"], exposed)
    runbook = ROOT / alert["runbook"]
    assert runbook.is_file()
    text = runbook.read_text()
    for section in ("**What people see.**", "**Look.**", "**Do.**"):
        assert section in text or alert["runbook"].endswith("publishing-fails.md"), section
    for name in re.findall(r"`(publog_\w+)", text):
        assert {name, f"{name}_bucket"} & exposed.keys(), f"{runbook.name} speaks of {name}"


def test_every_runbook_is_listed_and_of_an_alert() -> None:
    folder = ROOT / "docs" / "runbooks"
    files = {f"docs/runbooks/{path.name}" for path in folder.glob("*.md")} - {"docs/runbooks/README.md"}
    assert files == {alert["runbook"] for alert in ALERT_LIST}
    listed = set(re.findall(r"\]\(([\w\-]+\.md)\)", (folder / "README.md").read_text()))
    assert {f"docs/runbooks/{name}" for name in listed} == files


def test_the_dashboard_draws_what_is_there(exposed: dict[str, Labels]) -> None:
    for title, expression, legend in panels():
        try:
            check(expression, exposed)
            names = {node.name for node in nodes(parsed(expression)) if type(node).__name__ == "VectorSelector"}
            labels = set().union(GIVEN_BY_PROMETHEUS, *(exposed[name] for name in names))
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels, legend
        except AssertionError as error:
            raise AssertionError(f"{title}: {error}") from None


def test_the_dashboard_is_whole() -> None:
    document = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in document["panels"]]
    assert len(set(ids)) == len(ids)
    drawn = {panel["title"] for panel in document["panels"] if panel["type"] == "row"}
    assert drawn == {"Publish to searchable", "Publishing", "Streams", "Rebuilding", "Processes"}
    places = [tuple(panel["gridPos"][key] for key in "xy") for panel in document["panels"]]
    assert len(set(places)) == len(places)


def test_a_name_that_no_program_shows_is_found(exposed: dict[str, Labels]) -> None:
    with pytest.raises(AssertionError, match="no program shows publog_lag"):
        check("max(publog_lag) > 1", exposed)
    with pytest.raises(AssertionError, match="has no label code"):
        check('publog_held_messages{code="x"}', exposed)
    with pytest.raises(AssertionError, match="never has route"):
        check('publog_http_requests_total{route="/v2"}', exposed)
    with pytest.raises(AssertionError, match="no label of"):
        check("sum by (shard) (publog_stream_views_total)", exposed)


@pytest.mark.requires_tool("promtool")
def test_prometheus_takes_the_rules_and_they_fire_when_they_shall() -> None:
    tests = ALERTS.with_name("alerts_test.yml")
    for command in (["check", "rules", str(ALERTS)], ["test", "rules", str(tests)]):
        ran = subprocess.run(["promtool", *command], capture_output=True, text=True, cwd=ALERTS.parent, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    fired = set(re.findall(r"alertname: (\w+)\n\s+exp_alerts", tests.read_text()))
    assert fired == {alert["name"] for alert in ALERT_LIST}, "each alert is seen to fire"


def test_the_alarms_in_the_cloud_watch_what_is_there(exposed: dict[str, Labels]) -> None:
    modules = ROOT / "terraform" / "modules"
    alarms, services = ((modules / name / "main.tf").read_text() for name in ("alarms", "services"))
    watched = set(re.findall(r'metric = "(publog_\w+)"', re.sub(r"metric +=", "metric =", alarms)))
    assert {"publog_index_lag_seconds", "publog_stream_dead_letters_total"} <= watched <= exposed.keys()
    (selectors,) = re.findall(r"metric_name_selectors = (\[.*\])", services)
    patterns = [re.compile(pattern) for pattern in json.loads(selectors)]
    assert all(any(pattern.search(name) for pattern in patterns) for name in watched), "an alarm gets no metric"
    assert all(any(pattern.search(name) for name in exposed) for pattern in patterns), "nobody shows such a metric"
    runbooks = set(re.findall(r'runbook += "([\w\-]+\.md)"', alarms))
    assert runbooks
    assert all((ROOT / "docs" / "runbooks" / name).is_file() for name in runbooks)


def test_what_the_cloud_gives_a_program_is_what_it_takes() -> None:
    services = (ROOT / "terraform" / "modules" / "services" / "main.tf").read_text()
    given = set(re.findall(r"\b(PUBLOG_\w+)\b", services))
    sources = [
        path.read_text() for package in ("assets", "indexers", "publog") for path in (ROOT / package).rglob("*.py")
    ]
    for name in given - {"PUBLOG_LOG", "PUBLOG_INDEX"}:
        assert any(f'"{name}"' in source for source in sources), name


def test_the_metrics_that_are_described_are_there(exposed: dict[str, Labels]) -> None:
    described = set(re.findall(r"`(publog_\w+)`", (ROOT / "docs" / "operations.md").read_text()))
    assert len(described) > 15
    for name in described:
        assert {name, f"{name}_bucket"} & exposed.keys(), name

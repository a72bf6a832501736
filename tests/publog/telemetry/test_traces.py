"""One trace from a publisher's own span to searchable, through the log and two processes."""

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from starlette.testclient import TestClient

from assets.log import open_log
from pipeline.stream.engine import Progress
from publog.server.newsroom import Newsroom
from publog.settings import Flags, resolve
from publog.telemetry.spans import TRACED_OFFSETS_MAX, StreamTraces, Tracing
from publog.telemetry.traces import is_wanted
from tests.support.collecting import collector
from tests.support.newsroom import article, byline, quiet_environment, write_catalog
from tests.support.serving import client_of, serving
from tests.support.streaming import Running, until

TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{SENDER}-01", "tracestate": "vendor=1"}


def test_a_publish_over_http_is_one_trace_until_searches_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_catalog(tmp_path / "catalog")
    with collector() as collected:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
        with serving(tmp_path, "--catalog", "catalog") as (server, url):
            # What is there when the stream begins is loaded as a batch.
            assert httpx2.post(f"{url}/v1/messages", json=byline("bob")).status_code == 200
            until(lambda: httpx2.get(f"{url}/readyz").status_code == 200)
            ada = byline("ada", id="the id")
            assert httpx2.post(f"{url}/v1/messages", json=ada, headers=HEADERS).status_code == 200
            until(lambda: httpx2.get(f"{url}/v1/receipts/the%20id").json()["state"] == "searchable")
            assert httpx2.post(f"{url}/v1/messages", json=article(1)).status_code == 200
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
            assert server.stderr is not None
            events = [json.loads(line) for line in server.stderr.read().splitlines()]
    told = {event["event"] for event in events if event.get("trace_id") == TRACE}
    assert told == {"published", "request"}, "the events of a request name its trace"
    spans = collected.of(TRACE)
    request, append, apply, searchable = (
        spans[name] for name in ("POST /v1/messages", "append", "apply", "searchable")
    )
    assert len(spans) == 4
    assert [span.parent for span in (request, append, apply, searchable)] == [
        SENDER,
        request.id,
        append.id,
        apply.id,
    ]
    assert [span.service for span in (request, append, apply, searchable)] == [
        "publog-serve",
        "publog-serve",
        "publog-stream",
        "publog-stream",
    ]
    assert request.begun <= append.begun <= append.ended <= request.ended
    assert apply.begun <= searchable.begun <= apply.ended <= searchable.ended
    assert request.attributes["http.response.status_code"] == 200
    assert append.attributes["publog.uri"] == "news://byline/ada"
    assert append.attributes["publog.offset"] == apply.attributes["publog.offset"] == 1
    # Whoever sends none begins one.
    others = {span.trace for span in collected.spans if span.name == "POST /v1/messages"} - {TRACE}
    assert [collected.of(trace)["POST /v1/messages"].parent for trace in others] == ["", ""]


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_catalog(tmp_path / "catalog")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "publog.toml").write_text('catalog = "../catalog"')
    return tmp_path / "home"


def test_every_message_of_a_request_carries_its_trace(home: Path, tracing: Tracing) -> None:
    with closing(Newsroom(resolve(home, environment={}), tracing)) as newsroom:
        client = client_of(newsroom)
        answer = client.post("/v1/messages", json=[byline(1), byline(2)], headers=HEADERS)
        assert answer.json()["appended"] == 2
        assert client.post("/v1/messages", json=byline(3), params={"dry_run": "true"}).status_code == 200
        with newsroom.reading() as reader:
            carried = reader.log.traces(0, 9)
    assert set(carried) == {0, 1}
    assert {trace.traceparent[:36] for trace in carried.values()} == {f"00-{TRACE}-"}
    assert {trace.tracestate for trace in carried.values()} == {"vendor=1"}


def test_a_trace_that_is_not_sampled_is_not_carried(home: Path) -> None:
    with closing(Newsroom(resolve(home, environment={}), Tracing(TracerProvider(ALWAYS_OFF)))) as newsroom:
        assert client_of(newsroom).post("/v1/messages", json=byline(1), headers=HEADERS).status_code == 200
        with newsroom.reading() as reader:
            assert reader.log.traces(0, 9) == {}


def test_without_tracing_nothing_is_carried_and_nothing_is_loaded(client: TestClient, newsroom: Newsroom) -> None:
    assert client.post("/v1/messages", json=byline(1), headers=HEADERS).status_code == 200
    with newsroom.reading() as reader:
        assert reader.log.traces(0, 9) == {}
    check = "import sys, publog.server.app, publog.commands.serve, publog.telemetry.traces as it\n"
    check += "with it.tracing('x', {}) as found: assert found is None\n"
    # Elasticsearch's client looks whether the API is there, and finds that nobody set it up.
    check += "assert not [name for name in sys.modules if name.startswith('opentelemetry.sdk')]"
    subprocess.run([sys.executable, "-c", check], check=True, env=quiet_environment())


def test_an_error_is_told_in_its_span(home: Path, tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    with closing(Newsroom(resolve(home, environment={}), tracing)) as newsroom:
        assert client_of(newsroom).get("/readyz").status_code == 503
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.status.is_ok) == ("GET /readyz", False)


def test_a_stream_that_catches_up_looks_for_no_traces(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    with closing(open_log("memory:")) as log:
        traces = StreamTraces(tracing, log)
        monitored: list[tuple[int, int]] = []
        log.traces = lambda first, last: monitored.append((first, last)) or {}  # type: ignore[method-assign]
        traces.applied(0, TRACED_OFFSETS_MAX)
        assert monitored == []
        traces.applied(TRACED_OFFSETS_MAX + 1, TRACED_OFFSETS_MAX + 1)
        # Another shard of the process applies the same.
        traces.applied(TRACED_OFFSETS_MAX + 1, TRACED_OFFSETS_MAX + 1)
        assert monitored == [(TRACED_OFFSETS_MAX + 1, TRACED_OFFSETS_MAX + 1)]


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_opentelemetrys_own_variables_say_whether_there_are_traces(environment: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environment) is wanted


@pytest.mark.servers
def test_a_trace_goes_through_a_log_on_kafka(
    kafka: str, home: Path, tmp_path: Path, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    settings = resolve(home, Flags(log=f"kafka://{kafka}/traced?index={tmp_path / 'beside'}"), environment={})
    with closing(Newsroom(settings, tracing)) as newsroom, closing(settings.open_log()) as log:
        client = client_of(newsroom)
        assert client.post("/v1/messages", json=byline("bob")).status_code == 200
        traces = StreamTraces(tracing, log)

        class Traced(Running):
            def _note(self, progress: Progress) -> None:
                super()._note(progress)
                traces.progressed(progress)

        stream = Traced(
            log=settings.log,
            index=settings.index,
            load_catalog=settings.load_catalog,
            folder=home,
            on_apply=traces.applied,
        )
        stream.start()
        until(lambda: bool(stream.followed))
        answer = client.post("/v1/messages", json=byline("ada"), headers=HEADERS)
        offset = answer.json()["receipts"][0]["offset"]
        until(lambda: stream.progress is not None and stream.progress.offset >= offset)
        stream.end()
    spans = {span.name: span for span in exporter.get_finished_spans() if f"{span.context.trace_id:032x}" == TRACE}
    assert list(spans) == ["append", "POST /v1/messages", "apply", "searchable"]
    assert spans["apply"].parent.span_id == spans["append"].context.span_id
    assert spans["apply"].attributes["publog.offset"] == offset

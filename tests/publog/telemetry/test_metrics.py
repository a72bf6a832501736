"""Every program that runs for long shows what it does, to whoever asks on the port it was given."""

import shutil
import signal
import socket
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from starlette.testclient import TestClient

from assets.errors import UnusableLog
from indexers.counts import bulk_retried
from publog.server.newsroom import Newsroom, Standing
from publog.settings import UsedWrongly
from publog.telemetry.exporter import exporting, parse_address
from tests.support.newsroom import Shell, article, byline, run_process, write_catalog, write_lines
from tests.support.scraping import Exporting, value
from tests.support.serving import index_now
from tests.support.streaming import until

ADA = "news://byline/ada"


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_catalog(folder / "catalog")
    write_lines(folder / "history.jsonl", byline("ada"), *(article(number, byline=ADA) for number in range(3)))
    assert run_process("publish", "history.jsonl", "--catalog", "catalog", folder=folder).code == 0
    assert run_process("run", "--batch", folder=folder).code == 0
    return folder


@pytest.fixture
def home(made_home: Path, tmp_path: Path) -> Path:
    """A folder whose home has a byline and three articles by it, indexed."""
    shutil.copytree(made_home, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_stream_shows_how_far_it_is_and_how_far_a_change_reaches(home: Path) -> None:
    with closing(Exporting("run", "--stream", folder=home)) as stream:
        until(lambda: "publog_stream_applied_offset 3.0" in stream.read())
        write_lines(home / "more.jsonl", byline("ada", name="Ada Lovelace"))
        assert run_process("publish", "more.jsonl", folder=home).code == 0
        until(lambda: "publog_index_applied_through 4.0" in stream.read())
        text = stream.read()
        assert value(text, "publog_log_last_offset") == 4
        assert value(text, "publog_index_lag_messages") == 0
        assert value(text, "publog_index_lag_seconds") == 0
        assert value(text, "publog_stream_messages_total") == 1
        # The byline's own view and three stories.
        assert value(text, "publog_stream_views_total") == 4
        assert value(text, "publog_stream_fanout_views_sum") == 4
        assert value(text, "publog_stream_fanout_views_count") == 1
        assert value(text, "publog_stream_starts_total") == 1
        assert 'publog_index_info{generation="' in text
        assert value(text, "publog_disk_free_bytes") <= value(text, "publog_disk_size_bytes")
        stream.process.send_signal(signal.SIGTERM)
        out, err = stream.process.communicate(timeout=60)
        assert (stream.process.returncode, err) == (0, "")
        assert "1 messages applied, 4 views written" in out


def test_a_server_shows_what_is_published_through_it(client: TestClient, newsroom: Newsroom) -> None:
    ada, unknown = byline("ada", id="1"), article(1, byline="news://byline/nobody")
    assert client.post("/v1/messages", json=ada).status_code == 200
    assert client.post("/v1/messages", json=ada).status_code == 200
    assert client.post("/v1/messages", json=unknown).status_code == 422
    assert client.post("/v1/messages", params={"references": "hold"}, json=unknown).status_code == 200
    assert client.post("/v1/messages", params={"dry_run": "true"}, json=unknown).status_code == 422
    behind = client.get("/metrics").text
    assert value(behind, "publog_index_lag_messages") == 1
    index_now(newsroom)
    until(lambda: "publog_publish_searchable_seconds_count 1.0" in client.get("/metrics").text)
    text = client.get("/metrics").text
    for outcome in ("appended", "present", "held", "refused"):
        assert value(text, "publog_publish_messages_total", outcome=outcome) == 1, outcome
    assert value(text, "publog_publish_seconds_count") == 3
    assert value(text, "publog_held_messages") == 1
    assert value(text, "publog_backfill_at_work") == 0
    assert value(text, "publog_index_lag_seconds") == 0
    assert value(text, "process_resident_memory_bytes") > 1e6


def test_an_index_that_is_behind_is_so_for_longer_and_longer(client: TestClient) -> None:
    assert client.post("/v1/messages", json=byline("ada")).status_code == 200
    client.get("/metrics")
    until(lambda: value(client.get("/metrics").text, "publog_index_lag_seconds") > 0.05)


def test_when_the_log_or_the_index_is_away_the_other_metrics_go_on(
    client: TestClient, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert value(client.get("/metrics").text, "publog_parts_answer") == 1
    away = Event()

    def never() -> Standing:
        away.wait(60)
        raise UnusableLog("it is away")

    with monkeypatch.context() as patched:
        patched.setattr(newsroom, "standing", never)
        patched.setattr("publog.server.metrics.STANDING_SECONDS_MAX", 0.05)
        for _ in range(3):
            text = client.get("/metrics").text
            assert value(text, "publog_parts_answer") == 0
            assert value(text, "publog_held_messages") == 0
            assert "publog_index_lag_messages" not in text
        away.set()
    until(lambda: "publog_parts_answer 1.0" in client.get("/metrics").text)


def test_bulk_retries_are_counted_by_reason(client: TestClient) -> None:
    before = client.get("/metrics").text
    bulk_retried("test")
    bulk_retried("test")
    assert 'reason="test"' not in before
    assert value(client.get("/metrics").text, "publog_index_bulk_retries_total", reason="test") == 2


def test_a_port_that_is_taken_is_refused() -> None:
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as taken,
        pytest.raises(UsedWrongly, match="name another port"),
        exporting(str(taken.getsockname()[1])),
    ):
        pass


def test_without_an_address_nothing_listens() -> None:
    with exporting(None) as registry:
        assert registry is None


def test_metrics_are_for_this_machine_unless_another_address_is_given() -> None:
    assert parse_address("9464") == ("127.0.0.1", 9464)
    assert parse_address("0.0.0.0:9464") == ("0.0.0.0", 9464)
    assert parse_address("[::1]:0") == ("::1", 0)
    with exporting("0"):
        pass


@pytest.mark.parametrize("text", ["", "host", "host:", ":1", "1:2:3", "70000", "a b:1"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsedWrongly, match="write PORT or HOST:PORT"):
        parse_address(text)


def test_a_batch_has_no_metrics(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(home, capsys, monkeypatch)
    assert "--metrics goes with --stream" in shell("run", "--batch", "--metrics", 0, code=2).err
    monkeypatch.setenv("PUBLOG_METRICS", "0")
    shell("run", "--batch")

"""Events: one line each, with what belongs to it and nothing that is nobody's business."""

import json
import logging
import re
import signal
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from assets.log import open_log
from assets.model import Draft, Transaction
from publog.server.logs import logging_lines
from publog.settings import UsedWrongly
from publog.telemetry.logs import READY_LINE, Formatter, form_of
from tests.support.newsroom import (
    Json,
    Shell,
    article,
    byline,
    process,
    run_process,
    write_catalog,
    write_lines,
)
from tests.support.serving import serving
from tests.support.streaming import applied_through, until

SECRET = "nobody else is to read this"


def events(text: str) -> list[Json]:
    found = [json.loads(line) for line in text.splitlines()]
    for event in found:
        assert event["event"]
        assert event["level"] in {"info", "warning", "error"}
        assert event["logger"].startswith("publog")
        assert event["time"].endswith("Z")
    return found


def of(found: list[Json], name: str) -> Json:
    (event,) = (event for event in found if event["event"] == name)
    return event


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a byline, an article and what nobody can read."""
    made = tmp_path_factory.mktemp("logs")
    write_catalog(made / "catalog")
    write_lines(made / "history.jsonl", byline("ada", name=SECRET), article(1, headline=SECRET))
    assert run_process("publish", "history.jsonl", "--catalog", "catalog", folder=made).code == 0
    with closing(open_log(f"sqlite:{made / '.publog' / 'log.sqlite'}")) as log, log.writing():
        log.append([Transaction(None, [Draft("news://article/bad", 0, "bad", b"\0\0\0\0\x63" + SECRET.encode())])])
    return made


def test_a_batch_and_a_backfill_tell_events(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(folder, capsys, monkeypatch)
    monkeypatch.setenv("PUBLOG_LOGS", "json")

    def told(*arguments: Json, code: int = 0) -> list[Json]:
        err = shell(*arguments, code=code).err
        assert SECRET not in err
        return events(err)

    assert of(told("run", "--batch", code=1), "batch done")["offset"] == 2
    backfill = told("backfill", "--json")
    names = [event["event"] for event in backfill if event["event"] not in {"progress", "dead letter"}]
    assert names == ["begun", "built", "verified", "switched"]
    assert of(backfill, "verified")["passed"] is True
    assert of(told("backfill", "rollback"), "rolled back")["current"] == of(backfill, "begun")["former"]


def test_a_stream_tells_events(folder: Path) -> None:
    index = f"tantivy:{folder / 'streamed'}"
    log_url = f"sqlite:{folder / '.publog' / 'log.sqlite'}"
    arguments = ("--home", "other", "run", "--stream", "--index", index, "--log", log_url)
    with process(*arguments, folder=folder, PUBLOG_LOGS="json") as stream:
        until(lambda: (folder / "streamed").exists() and applied_through(index) == 2)
        with closing(open_log(log_url)) as log, log.writing():
            log.append([Transaction(None, [Draft("news://article/worse", 0, "worse", b"\0\0\0\0\x63")])])
        until(lambda: applied_through(index) == 3)
        stream.send_signal(signal.SIGTERM)
        out, err = stream.communicate(timeout=60)
    assert "stopped at offset 3" in out
    found = events(err)
    assert of(found, "following")["offset"] == 2
    letters = {event["offset"]: (event["uri"], event["code"]) for event in found if event["event"] == "dead letter"}
    assert letters[3] == ("news://article/worse", "unknown-schema")
    assert of(found, "stopped")["messages"] == 1


def test_a_server_tells_requests_and_what_was_published_and_no_payload_and_no_key(tmp_path: Path) -> None:
    write_catalog(tmp_path / "catalog")
    with serving(tmp_path, "--catalog", "catalog") as (server, url):
        sent = {"Authorization": f"Bearer {SECRET}", "traceparent": "no trace"}
        answer = httpx2.post(f"{url}/v1/messages", json=byline("ada", name=SECRET), headers=sent)
        assert answer.status_code in {200, 401}
        assert httpx2.post(f"{url}/v1/messages", json=byline("bob", name=SECRET)).status_code == 200
        until(lambda: httpx2.get(f"{url}/readyz").status_code == 200)
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=60)
    assert SECRET not in err
    found = events(err)
    published = [event for event in found if event["event"] == "published"][-1]
    assert (published["uri"], published["appended"]) == ("news://byline/bob", 1)
    (request,) = (
        event for event in found if event["event"] == "request" and event["request_id"] == published["request_id"]
    )
    assert (request["method"], request["route"], request["status"]) == ("POST", "/v1/messages", 200)
    # The stream beside it says what it does in the same log.
    assert {"publog.stream", "publog.access", "publog.publish"} <= {event["logger"] for event in found}


def test_on_a_terminal_events_are_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with logging_lines() as form:
        logging.getLogger("publog.access").info("request", extra={"route": "/healthz", "status": 200})
    assert form == "text"
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err)
    assert re.search(r"request +.*route=/healthz status=200", text), text


def test_an_error_is_an_event_too(tmp_path: Path) -> None:
    ran = run_process("search", "x", folder=tmp_path, PUBLOG_LOGS="json")
    assert ran.code == 1
    (event,) = events(ran.err)
    assert event["level"] == "error"
    assert "There is no index" in event["event"]


def test_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsedWrongly, match="PUBLOG_LOGS=xml: it is json, or text"):
        form_of({"PUBLOG_LOGS": "xml"})
    ran = run_process("search", "x", folder=tmp_path, PUBLOG_LOGS="xml")
    assert (ran.code, ran.err) == (2, "error: PUBLOG_LOGS=xml: it is json, or text\n")
    assert form_of({}) is None


def test_a_fault_is_one_line_and_a_line_of_another_process_stays_as_it_is() -> None:
    record = logging.LogRecord("publog.fault", logging.ERROR, __file__, 1, "request %s", ("a",), None)
    try:
        raise ValueError("because")
    except ValueError as error:
        record.exc_info = type(error), error, error.__traceback__
    (line,) = Formatter("json").format(record).splitlines()
    assert "ValueError: because" in json.loads(line)["exception"]
    record = logging.LogRecord("publog.stream", logging.WARNING, __file__, 1, "%s", ('{"event":"x"}',), None)
    setattr(record, READY_LINE, True)
    assert Formatter("json").format(record) == '{"event":"x"}'

"""What every request meets: its id, its problems, and those who watch the server."""

import json
import logging

import pytest
from starlette.testclient import TestClient

from publog.server.limits import REQUEST_ID_CHARACTERS_MAX, REQUESTS_MAX
from publog.server.newsroom import Newsroom
from publog.telemetry.logs import Formatter
from tests.support.serving import check_problem, client_of


def test_the_process_answers(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_path_that_is_none_is_a_problem(client: TestClient) -> None:
    check_problem(client.get("/v1/nothing"), 404, "not-found")
    check_problem(client.get("/healthz/"), 404, "not-found")


def test_another_method_is_a_problem_that_names_the_right_one(client: TestClient) -> None:
    answer = client.delete("/healthz")
    check_problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


def test_an_unknown_parameter_is_refused(client: TestClient) -> None:
    problem = check_problem(client.get("/healthz?verbose=1"), 422, "invalid-parameter")
    assert problem["field"] == "verbose"
    assert problem["known"] == []


def test_an_address_that_is_no_utf_8_is_refused(client: TestClient) -> None:
    check_problem(client.get("/healthz?a=%ff"), 422, "invalid-parameter")


def test_more_parameters_than_anyone_needs_are_refused(client: TestClient) -> None:
    check_problem(client.get("/healthz?" + "a=1&" * 300), 422, "invalid-parameter")


def test_a_fault_of_ours_tells_nobody_what_it_was(
    client: TestClient, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(newsroom, "standing", lambda: {}["secret"])
    problem = check_problem(client.get("/readyz"), 500, "fault")
    assert "secret" not in json.dumps(problem)
    assert problem["request_id"] in caplog.text
    assert "secret" in caplog.text


@pytest.mark.parametrize("sane", ["a", "7f3-x.y:z/1=+", "x" * REQUEST_ID_CHARACTERS_MAX])
def test_a_request_id_is_taken_over(client: TestClient, sane: str) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": sane}).headers["x-request-id"] == sane


@pytest.mark.parametrize("other", ["", "two words", "<b>", "x" * (REQUEST_ID_CHARACTERS_MAX + 1), "ä"])
def test_a_request_id_that_is_not_sane_is_replaced(client: TestClient, other: str) -> None:
    made = client.get("/healthz", headers={"X-Request-Id": other.encode()}).headers["x-request-id"]
    assert made != other
    assert len(made) == 32


def test_each_request_is_one_line(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "publog.access")
    client.get("/healthz", headers={"X-Request-Id": "mine"})
    client.get("/v1/%0a%22")
    lines = [Formatter("json").format(record) for record in caplog.records if record.name == "publog.access"]
    first, second = map(json.loads, lines)
    assert (first["request_id"], first["route"], first["status"]) == ("mine", "/healthz", 200)
    assert (second["route"], second["path"], second["status"]) == ("unmatched", "/v1/%0a%22", 404)


def test_on_loopback_another_host_name_is_not_answered(newsroom: Newsroom) -> None:
    stranger = {"Host": "newsroom.example"}
    check_problem(client_of(newsroom).get("/healthz", headers=stranger), 421, "misdirected")
    assert client_of(newsroom, is_loopback=False).get("/healthz", headers=stranger).status_code == 200


def test_too_many_at_a_time_are_told_to_come_back(client: TestClient) -> None:
    client.app._at_work = REQUESTS_MAX  # type: ignore[attr-defined]
    answer = client.get("/healthz")
    check_problem(answer, 503, "busy")
    assert answer.headers["retry-after"] == "1"


def test_a_newsroom_without_an_index_is_not_ready(client: TestClient) -> None:
    assert check_problem(client.get("/readyz"), 503, "not-ready")["lag"] == 0


def test_a_newsroom_whose_index_follows_is_ready(indexed: TestClient) -> None:
    answer = indexed.get("/readyz").json()
    generation = answer.pop("generation")
    assert generation
    assert answer == {"status": "ready", "last_offset": 7, "applied_through": 7, "lag": 0}


def test_a_newsroom_whose_index_is_behind_is_not_ready(indexed: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publog.server.health.READY_LAG_MESSAGES_MAX", -1)
    check_problem(indexed.get("/readyz"), 503, "not-ready")


def test_prometheus_reads_requests_and_how_the_newsroom_is(indexed: TestClient) -> None:
    indexed.get("/healthz")
    indexed.get("/nowhere")
    text = indexed.get("/metrics").text.splitlines()
    assert 'publog_http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text
    assert 'publog_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'publog_http_request_seconds_count{method="GET",route="/healthz"} 1.0' in text
    for line in (
        "publog_log_last_offset 7.0",
        "publog_index_applied_through 7.0",
        "publog_index_lag_messages 0.0",
        "publog_held_messages 0.0",
    ):
        assert line in text

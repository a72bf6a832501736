"""`publog serve` as a process: a new home becomes a newsroom that publishes, indexes, searches and ends well."""

import os
import signal
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.support.newsroom import Ran, Shell, check_manners
from tests.support.serving import serving
from tests.support.streaming import PATIENCE_SECONDS, until


def end(server: "subprocess.Popen[str]", number: signal.Signals) -> Ran:
    server.send_signal(number)
    out, err = server.communicate(timeout=PATIENCE_SECONDS)
    ran = Ran(server.returncode, out, err)
    check_manners(ran)
    return ran


def test_a_server_on_a_new_home_is_a_working_newsroom_and_ends_well(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, url):
        until(lambda: httpx2.get(f"{url}/readyz").status_code == 200)
        tag = {
            "uri": "news://tag/floods",
            "kind": "tag",
            "op": "publish",
            "time": "2026-11-23T09:00:00Z",
            "id": "first",
            "data": {"name": "Floods", "type": "subject", "slug": "floods"},
        }
        told = httpx2.post(f"{url}/v1/messages", json=tag)
        assert told.status_code == 200, told.text
        offset = told.json()["receipts"][0]["offset"]
        found = httpx2.get(f"{url}/v1/search", params={"q": "floods", "at_least": offset, "wait": 30}, timeout=40)
        assert found.status_code == 200, found.text
        assert [hit["uri"] for hit in found.json()["hits"]] == ["news://tag/floods"]
        assert found.json()["applied_through"] == offset
        until(lambda: "at" in httpx2.get(f"{url}/v1/receipts/first").json()["searchable"])
        ran = end(server, signal.SIGTERM)
    assert ran.code == 0
    assert ran.out == "stopped\n"
    assert '"route":"/v1/messages"' in ran.err


def test_without_a_stream_nothing_fills_the_index(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-stream") as (server, url):
        assert httpx2.get(f"{url}/healthz").status_code == 200
        assert end(server, signal.SIGINT).code == 0
    assert not (tmp_path / ".publog" / "index").exists()


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--host", "no.such.host.invalid"]])
def test_an_address_that_is_none_is_used_wrongly(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Shell(tmp_path, capsys, monkeypatch)("serve", *arguments, code=2)


def children(process: int) -> set[int]:
    listed = (path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children"))
    return {int(child) for text in listed for child in text.split()}


def has_ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells a process's children this way")
def test_a_stream_that_dies_is_started_again_and_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, url):
        until(lambda: httpx2.get(f"{url}/readyz").status_code == 200)
        (first,) = children(server.pid)
        os.kill(first, signal.SIGKILL)
        until(lambda: bool(children(server.pid) - {first}))
        (second,) = children(server.pid)
        server.kill()
        until(lambda: has_ended(second))

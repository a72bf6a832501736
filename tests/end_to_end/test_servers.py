"""`make servers`: what it says makes a newsroom on Kafka and Elasticsearch."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.newsroom import ROOT, Shell, article, byline, write_catalog, write_lines


@pytest.mark.servers
def test_two_lines_bring_a_home_onto_the_servers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = subprocess.Popen(
        [sys.executable, "-m", "tests.servers", str(tmp_path / "servers")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert servers.stdout is not None
    try:
        said = ""
        for line in servers.stdout:
            said += line
            if "Ctrl-C stops" in line:
                break
        settings = re.findall(r"^    (\w+ = .*)$", said, flags=re.MULTILINE)
        assert [line.split()[0] for line in settings] == ["log", "index"]
        (create,) = re.findall(r"^Once: publog (.*)$", said, flags=re.MULTILINE)
        (tmp_path / ".publog").mkdir()
        (tmp_path / ".publog" / "publog.toml").write_text("\n".join(settings))
        write_catalog(tmp_path / "catalog")
        write_lines(tmp_path / "history.jsonl", byline("ada"), article(1, headline="Flood at the mill"))
        shell = Shell(tmp_path, capsys, monkeypatch)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        shell(*create.split())
        shell("publish", "history.jsonl", "--catalog", "catalog")
        shell("run", "--batch")
        found = shell("search", "flood", "--json").json
        assert [hit["uri"] for hit in found["hits"]] == ["news://article/1"]
        servers.send_signal(signal.SIGINT)
        assert servers.wait(90) == 0
    finally:
        if servers.poll() is None:
            servers.terminate()
            servers.wait(90)
        servers.stdout.close()

"""What the README says to type works, on the message that it shows."""

import json
import re
import shlex
import signal
from pathlib import Path

import pytest

from tests.support.newsroom import ROOT, Shell, byline, process, write_lines

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, capsys, monkeypatch)


def test_every_command_of_the_readme_does_what_it_says(shell: Shell, tmp_path: Path) -> None:
    (message,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL))
    write_lines(tmp_path / "messages.jsonl", byline(7), message)
    commands = [
        shlex.split(line.partition("#")[0])[1:]
        for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("publog ")
    ]
    assert len(commands) >= 6
    for command in commands:
        known = [
            argument.replace("article/ID", "article/1").replace("byline/ID", "byline/7").replace("1200", "1")
            for argument in command
        ]
        if "--stream" in known:
            start_and_stop(known, tmp_path, "following ", "stopped at offset 1")
        elif "serve" in known:
            start_and_stop([*known, "--port", "0"], tmp_path, "listening on ", "stopped")
        else:
            assert shell(*known).code == 0, command


def start_and_stop(known: list[str], folder: Path, first: str, last: str) -> None:
    """What has no end ends well when it is told to."""
    started = process(*known, folder=folder)
    assert started.stdout is not None
    assert started.stdout.readline().startswith(first)
    started.send_signal(signal.SIGINT)
    assert started.communicate()[0].startswith(last)
    assert started.returncode == 0


@pytest.mark.parametrize("target", ["demo", "install", "check", "test", "bench"])
def test_the_habits_that_the_readme_names_are_there(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert target in README

"""The server's log waits for nobody."""

import json
import logging
import os
import sys

import pytest

from publog.server.logs import logging_lines


def test_lines_come_out_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_lines():
        for number in range(100):
            logging.getLogger("publog.test").info("line %d", number)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in told] == [f"line {number}" for number in range(100)]


def test_nobody_reads_it_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader:
        with os.fdopen(writing, "w") as writer:
            monkeypatch.setattr(sys, "stderr", writer)
            monkeypatch.setattr("publog.server.logs.LOG_STOP_SECONDS_MAX", 0.05)
            with logging_lines():
                for _ in range(12_000):
                    logging.getLogger("publog.test").info("x" * 100)
            # Now somebody does, and the thread goes on to its end.
            text = ""
            while "lost" not in text:
                text += os.read(reader.fileno(), 65_536).decode()
        assert "lines of this log are lost: nobody read them" in text

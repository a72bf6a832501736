"""Killed at any step of a cutover or a rollback, an index has one generation or the other, and the next try ends well.

`make soak` kills at every step and races more often; `make test` does at some.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.newsroom import ROOT, quiet_environment

SOAK = bool(os.environ.get("PUBLOG_SOAK"))


def done(*arguments: Any) -> int:
    command = [sys.executable, "-m", "tests.faults.backfill_killer", *map(str, arguments)]
    ran = subprocess.run(command, cwd=ROOT, env=quiet_environment(), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return int(ran.stdout)


@pytest.mark.parametrize("command", ["cutover", "rollback"])
def test_a_switch_survives_a_kill_at_any_step(command: str, tmp_path: Path) -> None:
    assert done("kill", command, tmp_path, 1 if SOAK else 8) > 20, "there are steps to be killed at"


def test_of_two_that_change_what_is_current_one_wins(tmp_path: Path) -> None:
    assert done("race", tmp_path, 6 if SOAK else 1) >= 1

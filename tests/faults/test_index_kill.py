"""Killed at any step of a change of generations, an index has the old ones or the new ones, whole; the next change heals."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


# By hand with 1: every step, which takes half a minute.
@pytest.mark.parametrize(("scheme", "every"), [("jsonl", 4), ("tantivy", 9)])
def test_changes_of_generations_survive_a_kill_at_any_step(tmp_path: Path, scheme: str, every: int) -> None:
    command = [sys.executable, "-m", "tests.faults.index_killer", scheme, str(tmp_path), str(every)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 80, "there are steps to be killed at"

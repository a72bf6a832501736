"""A tester that knows nothing but the description finds nothing: every check of schemathesis, on requests it makes up."""

import subprocess
import sys
from pathlib import Path

from tests.support.newsroom import ROOT, quiet_environment, run_process
from tests.support.serving import serving


def test_it_finds_nothing(prepared_home: Path) -> None:
    scopes = ("--scope", "publish", "--scope", "search", "--scope", "admin")
    # With a key of its own it can't lock itself out by making one.
    key = run_process("keys", "add", *scopes, folder=prepared_home).out.strip()
    with serving(prepared_home, is_busy=True) as (_, url):
        ran = subprocess.run(
            [
                *(Path(sys.executable).parent / "schemathesis", "--config-file", ROOT / "schemathesis.toml"),
                *("run", f"{url}/openapi.json", "--max-examples", "5", "--no-color"),
                *("--header", f"Authorization: Bearer {key}"),
            ],
            cwd=prepared_home,
            env=quiet_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout
    assert "Failures" not in ran.stdout

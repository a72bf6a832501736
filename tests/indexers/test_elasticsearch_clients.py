"""The next major version of Elasticsearch's client makes the same calls; it is refused by the server before it, and that is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.newsroom import ROOT, quiet_environment

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "javac", "mvn", "flock")]

LATER = ("elasticsearch==9.5.1", "elastic-transport==9.4.2", "sniffio==1.3.1")
WITH_LATER = """
import elasticsearch, sys
assert elasticsearch.__versionstr__.startswith("9."), elasticsearch.__versionstr__
"""


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with that client before ours."""
    folder = tmp_path_factory.mktemp("later")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "--target", str(folder), *LATER], check=True)
    return {**quiet_environment(), "PYTHONPATH": str(folder)}


def test_it_makes_the_same_calls(later: dict[str, str], tmp_path: Path) -> None:
    calls = Path(__file__).with_name("test_elasticsearch_calls.py")
    run = f"{WITH_LATER}import pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', {str(calls)!r}]))"
    ran = subprocess.run([sys.executable, "-c", run], cwd=ROOT, env=later, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout


def test_a_server_that_refuses_it_is_told(later: dict[str, str], elasticsearch: str, tmp_path: Path) -> None:
    run = f"{WITH_LATER}from publog.cli import main; main()"
    search = ["--home", str(tmp_path), "search", "fox", "--index", f"{elasticsearch}/later"]
    ran = subprocess.run([sys.executable, "-c", run, *search], env=later, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "version" in ran.stderr
    assert "pip install" in ran.stderr
    assert "Traceback" not in ran.stderr

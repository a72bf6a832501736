"""The image's definition: linted, and its steps tried here as far as they go without a container. It is not built here."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.newsroom import ROOT, quiet_environment, run_process
from tests.support.serving import serving

IMAGE = ROOT / "Dockerfile"
TEXT = re.sub(r"\\\n", " ", IMAGE.read_text())


def last(instruction: str) -> str:
    """What the last such instruction says."""
    return re.findall(rf"^{instruction} +(.*)$", TEXT, flags=re.MULTILINE)[-1]


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    ran = subprocess.run([hadolint, "--no-color", IMAGE], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
    broken = TEXT.replace("USER 10001:10001\n", "USER root\n")
    ran = subprocess.run([hadolint, "-"], input=broken, capture_output=True, text=True, check=False)
    assert "DL3002" in ran.stdout, "it would have"


@pytest.mark.servers  # It compiles, which takes too long for the others.
def test_what_is_sent_to_the_builder_is_enough_for_the_wheel(tmp_path: Path) -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in allowed:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.so"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "wheels"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    here = {
        path.relative_to(ROOT).as_posix()
        for name in allowed
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and name != "requirements"
    }
    assert held == here
    assert all((ROOT / source).exists() for source in re.findall(r"requirements/\S+\.txt", TEXT))


def test_nobody_is_root_and_what_is_installed_has_hashes() -> None:
    assert last("USER") == "10001:10001"
    assert TEXT.count("--require-hashes") == TEXT.count("--requirement ") == 2
    assert last("VOLUME") == "/var/lib/publog"
    assert "PUBLOG_HOME=/var/lib/publog" in TEXT


def test_its_command_and_its_check_of_health_work_on_the_real_server(tmp_path: Path) -> None:
    entry, command = json.loads(last("ENTRYPOINT")), json.loads(last("CMD"))
    assert entry == ["publog"]
    assert run_process(*command, "--help", folder=tmp_path).code == 0
    check = json.loads(re.findall(r"HEALTHCHECK .*CMD (\[.*\])", TEXT)[0])
    with serving(tmp_path) as (_, server):
        for path, code in (("/healthz", 0), ("/nothing", 1)):
            environment = {**quiet_environment(), "HEALTH_URL": f"{server}{path}"}
            ran = subprocess.run([sys.executable, *check[1:]], env=environment, check=False, capture_output=True)
            assert ran.returncode == code
    assert f"HEALTH_URL=http://127.0.0.1:{command[-1]}/healthz" in TEXT
    assert last("EXPOSE") == command[-1]
    # A port that is published is not on the container's loopback.
    assert command[command.index("--host") + 1] == "0.0.0.0"

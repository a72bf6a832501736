"""The wheel, installed away from this folder, is all that publog and its workers need."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.servers.dask import Cluster
from tests.support.elsewhere import records
from tests.support.newsroom import ROOT, article, byline, lines, quiet_environment, write_catalog

pytestmark = pytest.mark.servers


class Installed:
    """publog in an environment of its own, whose other packages are those of this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder / "wheels"]
        subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = (folder / "wheels").iterdir()
        venv.create(folder / "venv", with_pip=False)
        self.python = folder / "venv" / "bin" / "python"
        site = sysconfig.get_path("purelib", vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")})
        # A folder that a .pth names gives its packages, and its own .pth files are not read: not the tree behind them.
        (Path(site) / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
        install = ["install", "--quiet", "--no-deps", "--no-index", "--python", self.python, wheel]
        subprocess.run([sys.executable, "-m", "uv", "pip", *install], check=True)

    def run(self, *command: object, code: int = 0) -> str:
        environment = {name: value for name, value in quiet_environment().items() if name != "PYTHONPATH"}
        ran = subprocess.run(
            [self.python, *map(str, command)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == code, ran
        return ran.stdout

    def publog(self, *arguments: object) -> str:
        return self.run(self.folder / "venv" / "bin" / "publog", *arguments)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    made = Installed(tmp_path_factory.mktemp("wheel"))
    found = made.run("-c", "import assets, pipeline.batch, publog; print(assets.__file__, publog.__file__)").split()
    assert all(Path(path).is_relative_to(made.folder) for path in found), "the tree is out of reach"
    return made


def test_the_demo_runs_from_it(installed: Installed) -> None:
    said = installed.publog("--home", "demo", "demo")
    assert "publog" in said
    assert "doctor --thorough" in said
    assert "all are as the log says" in installed.publog("--home", "demo", "doctor", "--thorough")


def test_workers_of_every_kind_run_from_it(installed: Installed) -> None:
    """Processes of publog's own, Beam's, and a Dask cluster's, none of which sees this folder."""
    history = [*(byline(n) for n in range(9)), *(article(n, byline=f"news://byline/{n % 9}") for n in range(500))]
    (installed.folder / "history.jsonl").write_bytes(lines(history))
    installed.publog("publish", "history.jsonl", "--catalog", write_catalog(installed.folder / "catalog"))
    beams = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    path = f"{installed.python.parent}{os.pathsep}{os.environ['PATH']}"
    with (
        pytest.MonkeyPatch.context() as patched,
        Cluster(installed.folder / "cluster", python=installed.python) as dask,
    ):
        # Beam starts its workers as `python` from PATH.
        patched.setenv("PATH", path)
        on_dask = ["--runner", "DaskRunner", "--dask_client_address", dask.address]
        ways = {
            "one": ["--shards", 1],
            "own": ["--shards", 2],
            "beam": ["--shards", 2, *beams],
            "dask": ["--shards", 2, *on_dask],
        }
        for name, options in ways.items():
            installed.publog("run", "--batch", "--index", f"jsonl:{name}.jsonl", *options)
    right = records(installed.folder / "one.jsonl")
    assert len(right) == len(history)
    for name in ways:
        assert records(installed.folder / f"{name}.jsonl") == right, name

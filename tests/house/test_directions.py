"""Each import contract can be broken: a contract that nothing breaks checks nothing."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]

OFFENCES = {
    "stages": ("assets/offence_1.py", "import publog"),
    "denormalizer-sees": ("denormalizer/offence_2.py", "import assets.codec"),
    "indexers-see": ("indexers/offence_3.py", "import denormalizer.fold"),
    "beam": ("indexers/offence_4.py", "import apache_beam"),
    "elasticsearch": ("indexers/offence_5.py", "import elasticsearch"),
    "kafka": ("assets/offence_6.py", "import confluent_kafka"),
    "per-message": ("denormalizer/fold.py", "import networkx"),
    "terminal": ("pipeline/offence_7.py", "import rich"),
    "tantivy": ("publog/offence_8.py", "import tantivy"),
    "fastavro": ("denormalizer/offence_9.py", "import fastavro"),
    "duckdb": ("backfill/offence_10.py", "import duckdb"),
    "http": ("pipeline/offence_11.py", "import starlette"),
}


def test_every_contract_is_broken_by_its_offence(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in CONFIGURATION["root_packages"]:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, offence in OFFENCES.values():
        with (tmp_path / file).open("a") as module:
            module.write(f"\n{offence}\n")
    # From the copy, and finding it there: the project itself is installed too.
    program = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as run; run()"
    ran = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    outcomes = {contract["id"]: f"{contract['name']} BROKEN" in ran.stdout for contract in CONFIGURATION["contracts"]}
    assert outcomes == dict.fromkeys(OFFENCES, True), ran.stdout

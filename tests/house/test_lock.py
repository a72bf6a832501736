"""The locks are complete: whatever gets installed was named, pinned and hashed here."""

import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PROJECT["project"]["dependencies"]
EXTRAS = [line for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines]
GROUPS = PROJECT["dependency-groups"]
ASKED = {
    "bootstrap.txt": GROUPS["bootstrap"],
    "run.txt": RUN,
    "image.txt": [*RUN, *EXTRAS],
    "dev.txt": [*RUN, *GROUPS["bootstrap"], *GROUPS["dev"], *GROUPS["bench"]],
}


def entries(lock: str) -> dict[str, str]:
    """Each package of a lock, with everything that is said of it."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / "requirements" / lock).read_text(), flags=re.MULTILINE)
    found = re.findall(r"^(\S+==.*(?:\n .*)*)$", text, flags=re.MULTILINE)
    assert "\n".join(found) + "\n" == text, "a lock holds pinned packages only: no index, no path, no option"
    return {canonicalize_name(entry.partition("==")[0]): entry for entry in found}


def pinned(entry: str) -> Requirement:
    return Requirement(entry.partition("\\")[0])


@pytest.mark.parametrize("lock", ASKED)
def test_every_package_has_a_hash(lock: str) -> None:
    for entry in entries(lock).values():
        assert re.search(r"\n    --hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("lock", ASKED)
def test_it_answers_what_the_project_asks_for(lock: str) -> None:
    locked = entries(lock)
    for line in ASKED[lock]:
        asked = Requirement(line)
        (pin,) = pinned(locked[canonicalize_name(asked.name)]).specifier
        assert asked.specifier.contains(pin.version), f"{line}, but {lock} has {pin}: run `make lock`"


def test_the_locks_agree_with_each_other() -> None:
    for lock in ("bootstrap.txt", "run.txt", "image.txt"):
        assert entries(lock).items() <= entries("dev.txt").items()


def test_the_lock_of_npm_has_a_hash_of_each_package_and_no_address() -> None:
    (lock,) = (ROOT / "tests").rglob("package-lock.json")
    packages = json.loads(lock.read_text())["packages"]
    assert len(packages) > 1
    for name, entry in packages.items():
        assert "resolved" not in entry
        assert name == "" or entry["integrity"].startswith("sha512-")


def test_what_the_packages_import_is_asked_for_by_name() -> None:
    packages = PROJECT["tool"]["importlinter"]["root_packages"]
    graph = grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)
    # Python's own from 3.14 on, and looked for only there.
    stdlib = sys.stdlib_module_names | {"compression"}
    imported = {name for name in graph.modules if graph.is_module_squashed(name)} - stdlib
    distributions = packages_distributions()
    asked = {canonicalize_name(Requirement(line).name) for line in [*RUN, *EXTRAS]}
    unasked = {name for name in imported if not asked & set(map(canonicalize_name, distributions.get(name, [])))}
    assert unasked == set()

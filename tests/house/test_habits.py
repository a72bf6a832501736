"""What a newcomer looks at first is there and true."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_make_alone_lists_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony
    listed = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.findall(r"^  make (\S+) +\S", listed, flags=re.MULTILINE) == phony[1].split()


def test_a_reader_finds_the_readme_the_changes_and_the_licence() -> None:
    assert (ROOT / "README.md").read_text().startswith("# publog\n")
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_the_compiled_module_is_newer_than_its_source() -> None:
    """Else other tests would try what is no longer there: `make install` compiles it again."""
    for source in ROOT.glob("*/native.pyx"):
        for module in source.parent.glob("native.*.so"):
            assert module.stat().st_mtime >= source.stat().st_mtime

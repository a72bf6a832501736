"""`publog` with workers elsewhere: a history that takes them a while, and the moment in the middle of it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.newsroom import article, byline, lines, run_process, write_catalog
from tests.support.streaming import until

ARTICLES = 40_000
BYLINES = 100


def write_history(folder: Path, articles: int = ARTICLES) -> None:
    """A home in this folder, `.publog`, with a log that is worth several workers."""

    def messages() -> Iterator[dict[str, Any]]:
        for number in range(BYLINES):
            yield byline(number)
        for number in range(articles):
            yield article(number, headline=f"Article {number} " + "x" * 200, byline=f"news://byline/{number % BYLINES}")

    (folder / "history.jsonl").write_bytes(lines(messages()))
    catalog = write_catalog(folder / "catalog")
    assert run_process("publish", "history.jsonl", "--catalog", catalog, folder=folder).code == 0


def records(path: Path) -> list[bytes]:
    """What a jsonl index holds, in an order of its own."""
    return sorted(path.read_bytes().splitlines())


def in_the_middle(job: "subprocess.Popen[str]", folder: Path) -> None:
    """Wait until shards are at work, and see that none has ended what it does."""
    until(lambda: any(folder.rglob("*.progress")) or job.poll() is not None)
    assert job.poll() is None, job.communicate()
    assert not list(folder.rglob("manifest.json"))
    assert not list(folder.rglob("*.dead-letters.jsonl")), "a shard was done already"


def ended(job: "subprocess.Popen[str]", seconds: float = 120) -> tuple[int, str]:
    """The exit code and what was complained of."""
    _, err = job.communicate(timeout=seconds)
    assert "Traceback" not in err, err
    return job.returncode, err

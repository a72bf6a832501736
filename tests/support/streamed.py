"""A home with a stream over it, a publisher beside it, and what its index must hold in the end."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from assets.fixing import catalog_of
from assets.log import open_log
from backfill.verify import as_text, verify
from indexers import open_index
from indexers.errors import EngineFailed
from tests.support.newsroom import ROOT, article, lines, quiet_environment, run_process, write_catalog
from tests.support.streaming import StreamProcess, applied_through, until


class Place:
    """A home with a little history, so that a stream has something to restore."""

    def __init__(self, folder: Path, index: str | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.receipts = folder / "receipts.jsonl"
        self.index = index or f"tantivy:{self.home / 'index'}"
        self.home.mkdir()
        (self.home / "publog.toml").write_text(f'index = "{self.index}"\n')
        catalog = write_catalog(folder / "catalog")
        (folder / "first.jsonl").write_bytes(lines([article(n) for n in range(300)]))
        assert (
            run_process(
                "--home", self.home, "publish", folder / "first.jsonl", "--catalog", catalog, folder=folder
            ).code
            == 0
        )

    @contextmanager
    def publishing(self, seed: int) -> Generator["subprocess.Popen[bytes]"]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.steady_publisher", self.home, self.receipts, str(seed), "100"],
            cwd=ROOT,
            env=quiet_environment(),
        )
        try:
            until(self.receipts.exists)
            yield process
            assert process.poll() is None, "nothing was refused"
        finally:
            process.kill()
            process.wait()

    def reaches(self, offset: int, stream: StreamProcess) -> None:
        def has() -> bool:
            # A server that was just started may not have all of it yet.
            with suppress(EngineFailed):
                return applied_through(self.index) >= offset
            return False

        until(lambda: has() or not stream.is_running())
        assert stream.is_running(), stream.said

    def acknowledged(self) -> list[Any]:
        """The receipts that were written whole."""
        return [json.loads(line) for line in self.receipts.read_bytes().split(b"\n")[:-1]]

    def assert_current(self) -> None:
        with closing(open_log(f"sqlite:{self.home / 'log.sqlite'}")) as log, closing(open_index(self.index)) as index:
            assert index.info().applied_through == log.last_offset()
            assert log.verify() == []
            report = verify(log, index, catalog_of(log, None))
            assert report.different == 0, as_text(report)
            messages = list(log.read())
            receipts = self.acknowledged()
            for receipt in receipts:
                message = messages[receipt["offset"]]
                assert (message.id, message.uri) == (receipt["id"], receipt["uri"])
            assert len(receipts) > 100


def acknowledged_offset(place: Place) -> int:
    return max((receipt["offset"] for receipt in place.acknowledged()), default=-1)

"""A disk that is full or fails: nothing was appended, nothing appears later, and the log goes on when the disk does."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from assets.errors import UnusableLog
from assets.log.sqlite import SqliteLog
from tests.contract.log_contract import ROOT, alone, append, draft
from tests.contract.log_writer import wire

BIG = wire(1, b"x" * 200_000)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.register_schema("article", "{}")
        append(log, *alone(draft("a"), draft("b", value=BIG)))
        yield log


def check_refused(log: SqliteLog, reason: str) -> None:
    with pytest.raises(UnusableLog, match=rf"{reason}.*nothing was appended"):
        append(log, *alone(draft("c"), *(draft(f"d{number}", value=BIG) for number in range(10))))
    with closing(SqliteLog(Path(log.url.removeprefix("sqlite:")))) as other:
        for instance in (log, other):
            assert [message.id for message in instance.read()] == ["a", "b"]
            assert instance.receipts(["c", "d0"]) == {}
            assert list(instance.verify()) == []


def check_goes_on(log: SqliteLog) -> None:
    append(log, *alone(draft("c"), draft("d", value=BIG)))
    assert [message.id for message in log.read()] == ["a", "b", "c", "d"]
    assert list(log.verify()) == []


def test_a_full_database_takes_nothing(log: SqliteLog) -> None:
    assert log._writer is not None
    (pages,) = log._writer.execute("PRAGMA page_count").fetchone()
    log._writer.execute(f"PRAGMA max_page_count = {pages + 20}")
    check_refused(log, "there is no room for")
    log._writer.execute("PRAGMA max_page_count = 1000000")
    check_goes_on(log)


def test_a_write_that_fails_leaves_nothing(log: SqliteLog, tmp_path: Path) -> None:
    with files_no_larger_than((tmp_path / "log.db-wal").stat().st_size + 300_000):
        check_refused(log, "the disk under")
    check_goes_on(log)


def test_a_checkpoint_that_fails_loses_nothing(log: SqliteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.log.sqlite.WAL_BYTES", 0)
    with files_no_larger_than((tmp_path / "log.db").stat().st_size):
        check_refused(log, "the disk under")
    check_goes_on(log)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.requires_tool("strace")
@pytest.mark.parametrize("failing", ["1", "3", "5", "1+"])  # the second is of the folder, which SQLite lets pass
def test_what_could_not_be_synced_is_not_there_after_a_crash(log: SqliteLog, tmp_path: Path, failing: str) -> None:
    # SQLite alone fails this: all of the transaction is in the write-ahead log, and the next to open it takes it as good.
    log.close()
    trace = [str(shutil.which("strace")), "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=fsync,fdatasync"]
    fault = ["-e", f"inject=fsync,fdatasync:error=EIO:when={failing}"]
    program = [sys.executable, "-m", "tests.faults.test_log_disk", str(tmp_path / "log.db")]
    crashed = subprocess.run([*trace, *fault, *program], check=False, cwd=ROOT, capture_output=True, text=True)
    acknowledged, refused, _ = crashed.stdout.partition("refused")
    assert refused, crashed
    with closing(SqliteLog(tmp_path / "log.db")) as after:
        assert [message.id for message in after.read()] == ["a", "b", *acknowledged.split()]
        assert list(after.verify()) == []


def main(path: str) -> None:
    """Append until it fails, say what happened, and crash."""
    log = SqliteLog(Path(path))
    try:
        for number in range(10):
            append(log, *alone(draft(f"c{number}"), draft(f"d{number}", value=BIG)))
            sys.stdout.write(f"c{number} d{number}\n")
    except UnusableLog:
        sys.stdout.write("refused")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Streams at work beside a test: in a thread of this process, or as the real command."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from indexers import open_index
from pipeline.stream.engine import Done, Progress
from pipeline.stream.run import run_stream
from tests.support.newsroom import ROOT, quiet_environment

PATIENCE_SECONDS = 60.0


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that will be so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be so in time"
        time.sleep(0.005)


def applied_through(index: str) -> int:
    with closing(open_index(index)) as opened:
        return opened.info().applied_through


class Running:
    """A stream in a thread of its own."""

    def __init__(self, **settings: Any) -> None:
        self.stop = Event()
        self.done: Done | None = None
        self.error: BaseException | None = None
        self.followed: list[int] = []
        self.progress: Progress | None = None
        self._settings = settings
        self._thread = Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.done = run_stream(
                **self._settings, stop=self.stop, on_follow=self.followed.append, on_progress=self._note
            )
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.error = error

    def _note(self, progress: Progress) -> None:
        self.progress = progress

    def has_applied(self, offset: int) -> None:
        """Wait until every shard has applied so much, which may be what the index had already."""
        until(lambda: self.progress is not None and self.progress.applied >= offset)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> Done:
        """Stop it; what it did."""
        self.stop.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        assert self.done is not None
        return self.done

    def fails(self) -> None:
        """Wait for it to fail; raises what it failed with."""
        until(lambda: not self._thread.is_alive())
        self.end()

    def reaches(self, index: str, offset: int) -> None:
        until(lambda: not self._thread.is_alive() or applied_through(index) >= offset)
        if self.error is not None:
            raise self.error


@contextmanager
def running(**settings: Any) -> Generator[Running]:
    """A stream that runs as long as the block."""
    one = Running(**settings)
    one.start()
    try:
        yield one
    finally:
        one.stop.set()
        one._thread.join(PATIENCE_SECONDS)


def following(home: Path, *arguments: Any) -> "StreamProcess":
    """A stream that has begun: one that can't is for a person to see, and does not try again."""
    before = home.parent / f"{home.name}.stream.txt"
    count = before.read_text().count("following") if before.exists() else 0
    stream = StreamProcess(home, *arguments)
    until(lambda: stream.said.count("following") > count or not stream.is_running())
    assert stream.is_running(), stream.said
    return stream


class StreamProcess:
    """The real command."""

    def __init__(self, home: Path, *arguments: Any, code: str = "from publog.cli import main; main()") -> None:
        self.output = home.parent / f"{home.name}.stream.txt"
        self._file = self.output.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "--home", str(home), "run", "--stream", *map(str, arguments)],
            cwd=ROOT,
            env=quiet_environment(),
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def kill(self) -> None:
        """No chance to do anything about it."""
        # It may have ended by itself.
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        self._file.close()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        self._file.close()
        return code

    def is_running(self) -> bool:
        return self.process.poll() is None

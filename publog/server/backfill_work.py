"""The steps of a backfill that a server begins: one at a time, each in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from tempfile import TemporaryFile
from threading import Lock, Thread
from typing import Any

import msgspec

from assets.model import rfc3339
from backfill.record import Records
from publog.options import child_environment
from publog.server.limits import BACKFILL_LINES_MAX, BACKFILL_REPORT_BYTES_MAX, BACKFILL_STOP_SECONDS_MAX
from publog.server.problems import Problem
from publog.settings import Settings


class Work(msgspec.Struct):
    """A step that this server began, the last one."""

    step: str
    begun: str
    is_running: bool
    seconds: float
    code: int | None
    """0: done; 1: it found something wrong; 2: it could not be done."""
    lines: list[str]
    """What it says on its way, and why it failed."""
    answer: Any
    """What it answered, once it has: a verify report, what is searched now."""


class BackfillWork:
    """Steps of a backfill, one at a time, each the command of its name in a process of its own."""

    def __init__(self, settings: Settings) -> None:
        catalog = () if settings.catalog is None else ("--catalog", str(settings.catalog))
        self._home = settings.home
        self._program = (sys.executable, "-m", "publog", "--home", str(settings.home), "backfill")
        self._parts = ("--log", settings.log, "--index", settings.index, "--json")
        self._catalog = catalog
        self._changing = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread: Thread | None = None
        self._step = ""
        self._lines: deque[str] = deque(maxlen=BACKFILL_LINES_MAX)
        self._begun = self._ended = 0.0
        self._answer: Any = None

    def begin(self, step: str, *arguments: str) -> None:
        """Begin a step.

        Raises:
            Problem: one is at work.
        """
        with self._changing:
            if (self._thread is not None and self._thread.is_alive()) or Records(self._home).is_at_work():
                raise Problem(
                    409, "at-work", "A backfill is at work", "One step at a time: wait until this one has ended."
                )
            self._step, self._answer = step, None
            self._lines.clear()
            self._begun, self._ended = time.time(), 0.0
            # Only a new generation is made with a catalog; the other steps know theirs.
            catalog = self._catalog if step == "start" else ()
            answers = TemporaryFile()  # noqa: SIM115 - closed by the thread that reads it
            self._process = process = subprocess.Popen(  # noqa: S603 - this program, with settings of its own
                [*self._program, *arguments, *self._parts, *catalog],
                stdin=subprocess.DEVNULL,
                stdout=answers,
                stderr=subprocess.PIPE,
                env=child_environment(),
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._thread = Thread(target=self._watch, args=(process, answers), name="backfill", daemon=True)
            self._thread.start()

    def work(self) -> Work | None:
        """The last step that was begun here."""
        process, thread = self._process, self._thread
        if process is None or thread is None:
            return None
        is_running = thread.is_alive()
        return Work(
            self._step,
            rfc3339(round(self._begun) * 1_000_000),
            is_running,
            round((self._ended or time.time()) - self._begun, 1),
            None if is_running else process.returncode,
            list(self._lines),
            None if is_running else self._answer,
        )

    def close(self) -> None:
        """End what is at work, its own processes too; it can be gone on with."""
        process, thread = self._process, self._thread
        if process is None or thread is None or not thread.is_alive():
            return
        # It leads a session of its own, so all that it began is in its group.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        thread.join(BACKFILL_STOP_SECONDS_MAX)
        if thread.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            thread.join(BACKFILL_STOP_SECONDS_MAX)

    def _watch(self, process: "subprocess.Popen[str]", answers: Any) -> None:
        assert process.stderr is not None
        with answers, process.stderr:
            for line in process.stderr:
                self._lines.append(line.rstrip()[:2_000])
            process.wait()
            answers.seek(0)
            try:
                self._answer = json.loads(answers.read(BACKFILL_REPORT_BYTES_MAX))
            except ValueError:
                self._answer = None
        self._ended = time.time()

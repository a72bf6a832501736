"""The stream beside the server: `publog run --stream` in a process of its own, kept alive for as long as the server is."""

import logging
import subprocess
import sys
import time
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import IO, Final, Self

from publog.options import child_environment
from publog.server.limits import (
    STREAM_BACKOFF_SECONDS,
    STREAM_BACKOFF_SECONDS_MAX,
    STREAM_LINE_BYTES_MAX,
    STREAM_STEADY_SECONDS,
    STREAM_STOP_SECONDS_MAX,
)
from publog.settings import Settings
from publog.telemetry.logs import READY_LINE, SETTING, Form

log: Final = logging.getLogger("publog.stream")


class StreamProcess:
    """Runs while the block lasts."""

    def __init__(self, settings: Settings, form: Form) -> None:
        """`form` is of the server's own log, which what the stream says goes into."""
        self._form = form
        catalog = () if settings.catalog is None else ("--catalog", str(settings.catalog))
        self._command = [
            *(sys.executable, "-m", "publog", "--home", str(settings.home), "run", "--stream", "--until-input-ends"),
            *("--log", settings.log, "--index", settings.index, *catalog),
        ]
        self._stop = Event()
        self._thread = Thread(target=self._run, name="stream")
        self.pid: int | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        backoff = STREAM_BACKOFF_SECONDS
        while not self._stop.is_set():
            begun = time.monotonic()
            code = self._run_once()
            if self._stop.is_set():
                return
            if time.monotonic() - begun >= STREAM_STEADY_SECONDS:
                backoff = STREAM_BACKOFF_SECONDS
            log.warning("the stream ended with code %s; it is started again in %g s", code, backoff)
            self._stop.wait(backoff)
            backoff = min(backoff * 2, STREAM_BACKOFF_SECONDS_MAX)

    def _run_once(self) -> int:
        # Its input ends with this process, however that ends; Ctrl-C is for this process, which then tells it.
        with subprocess.Popen(  # noqa: S603 - this program, with settings of its own
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=child_environment() | ({SETTING: "json"} if self._form == "json" else {}),
            start_new_session=True,
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            self.pid = process.pid
            # In the server's log: whoever does not read that must not hold up the stream.
            Thread(target=_hand_on, args=[process.stderr], name="stream-log", daemon=True).start()
            while not self._stop.wait(0.1):
                if process.poll() is not None:
                    break
            process.stdin.close()
            try:
                process.wait(STREAM_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
            return process.wait()


def _hand_on(said: IO[bytes]) -> None:
    with suppress(ValueError):
        while line := said.readline(STREAM_LINE_BYTES_MAX):
            text = line.decode(errors="replace").rstrip("\n")
            # An event of its own, if it begins like one.
            log.warning("%s", text, extra={READY_LINE: True} if text.startswith('{"') else None)

"""What people see: progress with rate and time left on a terminal, plain lines otherwise."""

import logging
import os
import sys
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, Final

import orjson
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from assets.log.port import Log

out: Final = Console(highlight=False, soft_wrap=True)
err: Final = Console(stderr=True, highlight=False, soft_wrap=True)

PLAIN_SECONDS: Final = 5.0
"""Between two lines of progress where there is no terminal."""


LINE_SECONDS: Final = 60.0
"""Between two plain lines of work that has no end."""

LIVE_SECONDS: Final = 0.25
"""Between two changes of a line on a terminal."""


_log: Final = logging.getLogger("publog")


def are_logged() -> bool:
    """Whether what is told on standard error is told as events (`PUBLOG_LOGS`): then it is for programs, and lasts."""
    return bool(os.environ.get("PUBLOG_LOGS"))


def say(text: str = "", style: str | None = None) -> None:
    """A line for a person, never read as markup."""
    out.print(text, style=style, markup=False)


def warn(text: str) -> None:
    """A line on standard error."""
    if are_logged():
        _log.warning("%s", text)
        return
    err.print(text, style="yellow", markup=False)


def note(text: str) -> None:
    """What is good to know, on standard error."""
    if are_logged():
        _log.info("%s", text)
        return
    err.print(text, markup=False)


def fail(text: str) -> None:
    """An error, on standard error."""
    if are_logged():
        _log.error("%s", text)
        return
    err.print("error: ", style="bold red", end="", markup=False)
    err.print(text, markup=False)


def unit_of_offsets(log: Log) -> str:
    """What differences of a log's offsets count."""
    return "messages" if log.contiguous else "offsets"


def write_lines(lines: Iterable[bytes]) -> None:
    """Lines for a program, on standard output, as they come."""
    stream = sys.stdout.buffer
    for line in lines:
        stream.write(line + b"\n")
    stream.flush()


def write_json(value: Any) -> None:
    """One JSON document for a program."""
    write_lines([orjson.dumps(value, option=orjson.OPT_INDENT_2)])


class Meter:
    """Shows how far long work is."""

    def __init__(self, what: str, unit: str, progress: Progress | None, total: int | None) -> None:
        self._what = what
        self._unit = unit
        self._progress = progress
        self._total = total
        self._started = self._said = time.monotonic()
        self._task = progress.add_task(what, total=total, rate="") if progress is not None else None

    def go_on(self, what: str, unit: str) -> None:
        """Another part of the work begins, unless it is this one already."""
        if what == self._what:
            return
        self._what, self._unit, self._total = what, unit, None
        self._started = time.monotonic()
        if self._progress is not None and self._task is not None:
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(what, total=None, rate="")

    def show(self, done: int, total: int | None = None, note: str = "") -> None:
        """The work is this far."""
        now = time.monotonic()
        rate = done / (now - self._started) if now > self._started else 0.0
        text = f"{done:,} {self._unit}, {rate:,.0f}/s{note}"
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total or self._total, rate=text)
        elif now - self._said >= PLAIN_SECONDS:
            self._said = now
            if are_logged():
                told = {"step": self._what, "done": done, "of": total or self._total, "unit": self._unit}
                _log.info("progress", extra=told)
            else:
                err.print(f"{self._what}: {text}", markup=False)


class Line:
    """One line that is kept up to date on a terminal; elsewhere a plain line now and then."""

    def __init__(self, live: Live | None) -> None:
        self._live = live
        self._said = time.monotonic()
        self._shown = 0.0

    def say(self, text: str) -> None:
        """A line that stays, above the one that changes."""
        if self._live is not None and out.is_terminal:
            self._live.console.print(text, markup=False)
        else:
            say(text)

    def show(self, text: str) -> None:
        """This is how it is now."""
        now = time.monotonic()
        if self._live is not None:
            if now - self._shown >= LIVE_SECONDS:
                self._shown = now
                self._live.update(Text(text))
        elif now - self._said >= LINE_SECONDS:
            self._said = now
            note(text)


@contextmanager
def line() -> Generator[Line]:
    """A line while the work lasts."""
    if not err.is_terminal or are_logged():
        yield Line(None)
        return
    with Live(console=err, transient=True, refresh_per_second=1 / LIVE_SECONDS) as live:
        yield Line(live)


@contextmanager
def meter(what: str, unit: str, total: int | None = None) -> Generator[Meter]:
    """A meter while the work lasts."""
    if not err.is_terminal or are_logged():
        yield Meter(what, unit, None, total)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        yield Meter(what, unit, progress, total)

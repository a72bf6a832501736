"""`publog run --stream`: follow the log until stopped."""

import logging
import os
import signal
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from threading import Event, Thread, current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import orjson

from pipeline.beam_loading import load_beam
from publog.settings import Settings, UsedWrongly
from publog.terminal import Line, are_logged, line, say, unit_of_offsets, warn, write_lines

if TYPE_CHECKING:
    from pipeline.run import Progress as Filling
    from pipeline.stream.engine import Progress

_log: Final = logging.getLogger("publog.stream")

JSON_SECONDS: Final = 1.0
"""Between two lines for a program, while anything changes."""


def run_stream(
    settings: Settings,
    runner: str | None,
    shards: int,
    micro_batch: int | None,
    options: list[str],
    *,
    only: int | None = None,
    until_input_ends: bool,
    json: bool,
    metrics: str | None = None,
) -> int:
    """Follow the log; the exit code is 0 when it was stopped, whatever it met."""
    load_beam()
    from pipeline.limits import MICRO_BATCH_MESSAGES
    from pipeline.runners import short_name
    from pipeline.stream.engine import Tuning
    from pipeline.stream.run import run_stream as follow
    from publog.telemetry.exporter import exporting
    from publog.telemetry.newsroom import Surroundings
    from publog.telemetry.stream import StreamMetrics
    from publog.telemetry.traces import tracing

    if runner is not None and short_name(runner) == "dask":
        raise UsedWrongly("--runner DaskRunner runs batches and backfills; a stream needs another (docs/runners.md)")
    if any(option.startswith("--direct_") for option in options):
        raise UsedWrongly(
            "a stream keeps its folds in its own process, so Beam's --direct_... options mean nothing to it"
        )
    with closing(settings.open_log()) as log:
        url, unit = log.url, unit_of_offsets(log)
    tuning = Tuning(shards=shards, only=only, micro_batch=micro_batch or MICRO_BATCH_MESSAGES)
    with (
        ExitStack() as opened,
        exporting(metrics) as exported,
        tracing("publog-stream") as traces,
        _stopped_by_signals() as stop,
        line() as shown,
    ):
        if until_input_ends:
            Thread(target=_stop_with_input, args=(stop,), daemon=True).start()
        said = _Said(settings, shown, unit, json=json)
        traced = None
        if traces is not None:
            from publog.telemetry.spans import StreamTraces

            traced = StreamTraces(traces, opened.enter_context(closing(settings.open_log())))
        told = None
        if exported is not None:
            told = StreamMetrics(settings.home)
            exported.register(told)
            exported.register(Surroundings(settings.home))

        def on_follow(offset: int) -> None:
            said.follow(offset)
            if told is not None:
                told.followed()

        def on_progress(progress: "Progress") -> None:
            said.progress(progress)
            if told is not None:
                told.progressed(progress)
            if traced is not None:
                traced.progressed(progress)

        done = follow(
            log=url,
            index=settings.index,
            load_catalog=settings.load_catalog,
            folder=settings.home,
            tuning=tuning,
            runner=runner,
            options=options,
            stop=stop,
            on_fill=said.fill,
            on_follow=on_follow,
            on_progress=on_progress,
            on_apply=None if traced is None else traced.applied,
            on_write=None if told is None else told.wrote,
        )
    said.end(done.messages, done.views, done.dead_letters, done.bounded)
    return 0


class _Said:
    """What is told while the stream runs: lines for a person, or for a program."""

    def __init__(self, settings: Settings, line: Line, unit: str, *, json: bool) -> None:
        self._settings = settings
        self._line = line
        self._unit = unit
        self._json = json
        self._rated = time.monotonic()
        self._views = 0
        self._rate = 0.0
        self._offset = -1
        self._written: tuple[float, int, int] | None = None

    def fill(self, filling: "Filling") -> None:
        if not self._json:
            self._line.show(f"filling the empty index: {filling.applied:,} of {filling.offsets:,} {self._unit}")

    def follow(self, offset: int) -> None:
        self._offset = offset
        self._write("following", log=self._settings.log, index=self._settings.index, offset=offset)
        if not self._json:
            self._line.say(
                f"following {self._settings.log} into {self._settings.index} from offset {offset}; Ctrl-C stops"
            )

    def progress(self, progress: "Progress") -> None:
        self._offset = progress.offset
        now = time.monotonic()
        if now - self._rated >= 1:
            self._rate = (progress.done.views - self._views) / (now - self._rated)
            self._views, self._rated = progress.done.views, now
        if self._json or are_logged():
            self._write_progress(progress, now)
            return
        if progress.applied < progress.offset:
            self._line.show(f"reading the log again: {progress.applied + 1:,} of {progress.offset + 1:,} {self._unit}")
            return
        waiting = f", {progress.waiting:,} views wait" if progress.waiting else ""
        self._line.show(
            f"offset {progress.offset:,}, {progress.lag:,} {self._unit} behind, {self._rate:,.0f} views/s{waiting}"
        )

    def end(self, messages: int, views: int, dead_letters: int, bounded: int) -> None:
        self._write(
            "stopped",
            offset=self._offset,
            messages=messages,
            views=views,
            dead_letters=dead_letters,
            bounded=bounded,
        )
        if self._json:
            return
        say(f"stopped at offset {self._offset}: {messages:,} messages applied, {views:,} views written", style="green")
        if bounded:
            warn(f"{bounded:,} views were cut short at a bound; their records say so in `bounds`")
        if dead_letters:
            warn(f"{dead_letters:,} messages could not be processed: publog dead-letters list")

    def _write_progress(self, progress: "Progress", now: float) -> None:
        before = self._written
        if before is None or (now - before[0] >= JSON_SECONDS and before[1:] != (progress.offset, progress.waiting)):
            self._written = now, progress.offset, progress.waiting
            self._write(
                "progress",
                offset=progress.offset,
                lag=progress.lag,
                applied=progress.applied,
                waiting=progress.waiting,
                views=progress.done.views,
                dead_letters=progress.done.dead_letters,
            )

    def _write(self, event: str, **values: Any) -> None:
        _log.info(event, extra=values)
        if self._json:
            write_lines([orjson.dumps({"event": event, **values})])


def _stop_with_input(stop: Event) -> None:
    """Whoever started this holds the other end, and lets go of it when it ends, however it does."""
    # Not through Python's buffer: a daemon thread inside it would stand in the way of the end.
    while os.read(0, 4096):
        pass
    stop.set()


@contextmanager
def _stopped_by_signals() -> Generator[Event]:
    """An event that SIGTERM and SIGINT set: what is being written is written to its end. The second ends it at once.

    Nothing is lost by that either, but what was half done is done again.
    """
    stop = Event()
    if current_thread() is not main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        stop.set()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, end)
    try:
        yield stop
    finally:
        restore()

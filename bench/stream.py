"""How soon a published article is found, by the real `publog run --stream` over the built-in newsroom, in the embedded parts.

    python -m bench --only stream [--json FILE] [--keep DIR]

A receipt is the start, a search that finds the article the end. First at a steady rate, with nothing else to do; then one
article a second while a tag with 20,000 stories is edited ten times within a second, to the end of that fan-out.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Final, NamedTuple

import orjson

from assets.catalog import newsroom_catalog
from assets.gateway import Gateway
from assets.holding import Holding
from assets.log import open_log
from assets.newsroom import history
from assets.validation import parse_message
from bench.measuring import Failed, run
from indexers import open_index
from indexers.port import Index, Query
from indexers.query import parse

HISTORY_MESSAGES: Final = 20_000
STEADY_PER_SECOND: Final = 100
STEADY_SECONDS: Final = 20
HUB_STORIES: Final = 20_000
HUB_EDITS: Final = 10
HUB_SECONDS_MAX: Final = 120
_PATIENCE_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.002
_HUB: Final = "news://tag/hub"
_TIME: Final = "2026-11-23T09:00:00Z"


_Due = tuple[float, str | None]
"""When to publish, and what the hub is called then; None: an article."""


class Waits(NamedTuple):
    """From receipts to searches that found them, in seconds."""

    articles: int
    p50: float
    p99: float
    most: float


class StreamResults(NamedTuple):
    """What was measured."""

    start_seconds: float
    """From the start of the process, with an index and a state, to the first new article found."""
    steady: Waits
    hub_articles: Waits
    hub_seconds: float
    """From the first edit of the hub until the index reflects the last."""
    old_tags_left: int
    new_tags: int
    peak_bytes: int
    """The stream's highest resident memory before the hub was edited."""
    peak_hub_bytes: int
    """And at the end."""


class StreamBench:
    """The measurements, in one folder."""

    def __init__(
        self,
        folder: Path,
        messages: int = HISTORY_MESSAGES,
        stories: int = HUB_STORIES,
        seconds: int = STEADY_SECONDS,
    ) -> None:
        self._folder = folder
        self._home = folder / "stream-home"
        self._messages = messages
        self._stories = stories
        self._seconds = seconds
        self._articles = 0
        self._last = -1
        """The offset of the hub's last edit."""

    def measure(self, say: Callable[[str], None]) -> StreamResults:
        """Prepare a home, and measure it from outside.

        Raises:
            Failed: the stream ended, or did not get there in time.
        """
        shutil.rmtree(self._home, ignore_errors=True)
        say(f"a home with {self._messages:,} messages of history and a tag with {self._stories:,} stories")
        self._prepare()
        with (
            closing(open_log(f"sqlite:{self._home / 'log.sqlite'}")) as log,
            closing(Holding(self._home / "held.sqlite")) as holding,
            closing(open_index(f"tantivy:{self._home / 'index'}")) as index,
        ):
            gateway = Gateway(log, newsroom_catalog(), holding)
            process = self._start()
            try:
                # What is there is filled in and a state is made; the second start finds both.
                self._wait(process, index, self._publish(gateway)[0])
                process = self._restart(process)
                started = perf_counter()
                offset, _ = self._publish(gateway)
                self._wait(process, index, offset)
                start_seconds = perf_counter() - started
                say(f"steady: {STEADY_PER_SECOND} a second for {self._seconds} s")
                steady = self._steady(process, gateway, index)
                peak_bytes = _peak_bytes(process.pid)
                say(f"hub: {HUB_EDITS} edits within a second, one article a second")
                hub, hub_seconds = self._edit_hub(process, gateway, index)
                peak_hub_bytes = _peak_bytes(process.pid)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(_PATIENCE_SECONDS)
            old = sum(_count(index, f"hub{number}") for number in range(HUB_EDITS - 1))
            new = _count(index, f"hub{HUB_EDITS - 1}")
        return StreamResults(start_seconds, steady, hub, hub_seconds, old, new, peak_bytes, peak_hub_bytes)

    def _prepare(self) -> None:
        file = self._folder / "stream-history.jsonl"
        with file.open("wb") as opened:
            articles: list[dict[str, Any]] = []
            for message in history(self._messages):
                opened.write(orjson.dumps(message) + b"\n")
                if message["kind"] == "article" and message["op"] == "publish":
                    articles.append(message["data"])
            opened.write(orjson.dumps(_message(_HUB, {"name": "hub before"})) + b"\n")
            for number, data in enumerate(islice(cycle(articles), self._stories)):
                opened.write(orjson.dumps(_message(f"news://article/hub-{number}", {**data, "tags": [_HUB]})) + b"\n")
        run([*self._publog(), "publish", "--references", "allow", file], self._folder / "output.txt")
        run([*self._publog(), "run", "--batch"], self._folder / "output.txt")

    def _publog(self) -> list[str | Path]:
        return [sys.executable, "-m", "publog", "--home", self._home]

    def _start(self) -> "subprocess.Popen[bytes]":
        with (self._folder / "stream.txt").open("wb") as output:
            return subprocess.Popen([*self._publog(), "run", "--stream"], stdout=output, stderr=subprocess.STDOUT)

    def _restart(self, process: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE_SECONDS)
        return self._start()

    def _publish(self, gateway: Gateway) -> tuple[int, str]:
        """One more article; its offset and the word that finds it."""
        self._articles += 1
        word = f"probe{self._articles}"
        data = {"headline": f"Measured {word}", "tags": [_HUB] if self._articles % 2 else []}
        return _append(gateway, _message(f"news://article/{word}", data)), word

    def _wait(self, process: "subprocess.Popen[bytes]", index: Index, offset: int) -> None:
        end = perf_counter() + _PATIENCE_SECONDS
        while index.info().applied_through < offset:
            if process.poll() is not None or perf_counter() > end:
                raise Failed((self._folder / "stream.txt").read_text())
            sleep(_POLL_SECONDS)

    def _steady(self, process: "subprocess.Popen[bytes]", gateway: Gateway, index: Index) -> Waits:
        count = self._seconds * STEADY_PER_SECOND
        started = perf_counter()
        due = ((started + number / STEADY_PER_SECOND, None) for number in range(count))
        return _waits(list(self._follow(process, gateway, index, due)))

    def _edit_hub(self, process: "subprocess.Popen[bytes]", gateway: Gateway, index: Index) -> tuple[Waits, float]:
        started = perf_counter()

        def due() -> Iterator[_Due]:
            """Edits of the hub in the first second, and an article once a second, until the fan-out is done."""
            for number in range(HUB_EDITS):
                if number == HUB_EDITS // 2:
                    yield started + number / HUB_EDITS, None
                yield started + number / HUB_EDITS, f"hub{number}"
            last = self._last
            for second in range(1, HUB_SECONDS_MAX):
                if index.info().applied_through >= last:
                    return
                yield started + second + 0.5, None

        found = list(self._follow(process, gateway, index, due()))
        self._wait(process, index, self._last)
        return _waits(found), perf_counter() - started

    def _follow(
        self, process: "subprocess.Popen[bytes]", gateway: Gateway, index: Index, due: Iterator[_Due]
    ) -> Iterator[float]:
        """Publishes when it is due; yields how long each article took to be found."""
        outstanding: list[tuple[str, float]] = []
        following = next(due, None)
        end = perf_counter() + _PATIENCE_SECONDS
        while following is not None or outstanding:
            now = perf_counter()
            if following is not None and now >= following[0]:
                if following[1] is None:
                    _, word = self._publish(gateway)
                    outstanding.append((word, perf_counter()))
                else:
                    self._last = _append(gateway, _message(_HUB, {"name": following[1]}))
                following = next(due, None)
            for word, since in list(outstanding):
                if _count(index, word):
                    outstanding.remove((word, since))
                    yield perf_counter() - since
            if process.poll() is not None or now > end:
                raise Failed((self._folder / "stream.txt").read_text())
            sleep(_POLL_SECONDS)


def show(results: StreamResults) -> str:
    """The results for a person, with the bars."""
    steady, hub = results.steady, results.hub_articles
    mib = 1024 * 1024
    return "\n".join(
        [
            f"start to first new article found: {results.start_seconds:.2f} s (bar: 5)",
            (
                f"steady, {steady.articles:,} articles: p50 {steady.p50 * 1000:.0f} ms (bar: 250), p99 {steady.p99 * 1000:.0f} ms"
                f" (bar: 1,000), most {steady.most * 1000:.0f} ms"
            ),
            (
                f"beside the hub, {hub.articles:,} articles: p50 {hub.p50 * 1000:.0f} ms, p99 {hub.p99 * 1000:.0f} ms (bar: 2,000),"
                f" most {hub.most * 1000:.0f} ms"
            ),
            (
                f"the hub's fan-out: {results.hub_seconds:.1f} s; old tags left: {results.old_tags_left} (bar: 0),"
                f" stories with the new one: {results.new_tags:,}"
            ),
            (
                f"memory: {results.peak_bytes / mib:,.0f} MiB before the hub's edits, {results.peak_hub_bytes / mib:,.0f} MiB"
                " behind them"
            ),
        ]
    )


def to_json(results: StreamResults) -> bytes:
    """Every figure."""
    document = {**results._asdict(), "steady": results.steady._asdict(), "hub_articles": results.hub_articles._asdict()}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _message(uri: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"uri": uri, "kind": uri.split("/")[2], "op": "publish", "time": _TIME, "data": data}


def _append(gateway: Gateway, message: dict[str, Any]) -> int:
    (outcome,) = gateway.publish([gateway.propose([parse_message(orjson.dumps(message))])], "allow")
    if outcome.status != "appended":
        raise Failed(str(outcome))
    return outcome.receipts[0].offset


def _count(index: Index, word: str) -> int:
    return index.search(Query(text=parse(word), view="story", limit=1)).total


def _waits(found: list[float]) -> Waits:
    ordered = sorted(found)
    return Waits(len(ordered), ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1])


def _peak_bytes(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

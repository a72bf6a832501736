"""How long a search over HTTP takes beside the same one by tantivy alone, at 100,000 stories.

    python -m bench --only search [--stories N] [--repeats N] [--json FILE] [--keep DIR]

The built-in newsroom's history, published and denormalized by the real commands into the embedded index, and served by
`publog serve --no-stream`. Each round asks the same seeded mix of searches three times: of tantivy, over HTTP one at a
time, and over HTTP by eight clients at once. An answer that is not the engine's stops the bench.
"""

import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson

from assets.newsroom import history
from bench.measuring import Failed, run
from bench.report import table
from bench.search_asks import Ask, asks
from indexers import open_index

STORIES: Final = 100_000
ASKS: Final = 600
CLIENTS: Final = 8
RATIO_MAX: Final = 3.0
P99_SECONDS_MAX: Final = 0.025
_MESSAGES_PER_STORY: Final = 3
_START_SECONDS_MAX: Final = 60
_SCORE_DIFFERENCE_MAX: Final = 2**-8
"""Our scores are the engine's, cut to ten bits; the cut moves hits between neighbours, once each."""


class Round(NamedTuple):
    """The seconds that each search took."""

    raw: list[float]
    alone: list[float]
    crowded: list[float]


class SearchResults(NamedTuple):
    """What was measured."""

    stories: int
    kinds: list[str]
    """Of each search."""
    rounds: list[Round]

    @property
    def ratio(self) -> float:
        """How many times as long a search over HTTP takes in the median: the median over the rounds."""
        return median(median(one.alone) / median(one.raw) for one in self.rounds)

    @property
    def p99_seconds(self) -> float:
        """Of eight clients; the median over the rounds."""
        return median(_percentile(one.crowded, 0.99) for one in self.rounds)


class SearchBench:
    """One home with a log, an index and a server."""

    def __init__(self, folder: Path, stories: int = STORIES, count: int = ASKS) -> None:
        self._folder = folder
        self._stories = stories
        self._count = count
        self._home = folder / "search-home"
        self._history = folder / f"search-history-{stories}.jsonl"

    def measure(self, rounds: int, say: Callable[[str], None]) -> SearchResults:
        """Build, then ask everything in each round.

        Raises:
            Failed: a command did not end well, or an answer is not the engine's.
        """
        shutil.rmtree(self._home, ignore_errors=True)
        say(f"a history with {self._stories:,} stories")
        self._write_history()
        for command in (["publish", self._history], ["run", "--batch"]):
            self._run("publog", "--home", self._home, *command)
        with closing(open_index(f"tantivy:{self._home / 'index'}")) as index:
            stories = index.info().live["story"]
            asked = asks(index, self._count)
        (self._folder / "asks.json").write_bytes(orjson.dumps([list(ask) for ask in asked]))
        paths = [f"/v1/search?{urlencode(ask.parameters())}" for ask in asked]
        (self._folder / "paths.json").write_bytes(orjson.dumps(paths))
        measured: list[Round] = []
        with self._served() as port:
            # What is read for the first time is read from the disk, and is no round.
            for number in range(rounds + 1):
                raw = self._ask("search_raw", self._home / "index", self._folder / "asks.json")
                alone, crowded = (
                    self._ask("search_load", port, self._folder / "paths.json", str(clients))
                    for clients in (1, CLIENTS)
                )
                if number == 0:
                    check(asked, raw, alone)
                    check(asked, raw, crowded)
                    continue
                one = Round(*([seconds for seconds, _ in found] for found in (raw, alone, crowded)))
                measured.append(one)
                say(
                    f"round {number} of {rounds}: tantivy {median(one.raw) * 1000:.2f} ms, over HTTP"
                    f" {median(one.alone) * 1000:.2f} ms, {CLIENTS} clients p99 {_percentile(one.crowded, 0.99) * 1000:.1f} ms"
                )
        return SearchResults(stories, [ask.kind for ask in asked], measured)

    def _write_history(self) -> None:
        """Messages until there are so many stories, and to the end of that transaction."""
        live: set[str] = set()
        transaction: str | None = None
        partial = self._history.with_suffix(".partial")
        with partial.open("wb") as file:
            for message in history(self._stories * _MESSAGES_PER_STORY + 1_000):
                if len(live) >= self._stories and message.get("tx") != transaction:
                    break
                file.write(orjson.dumps(message) + b"\n")
                if message["kind"] == "article":
                    (live.add if message["op"] == "publish" else live.discard)(message["uri"])
                transaction = message.get("tx")
        partial.replace(self._history)

    def _ask(self, module: str, *arguments: str | Path) -> list[tuple[float, dict[str, Any]]]:
        answers = self._folder / "answers.json"
        self._run(f"bench.{module}", *arguments, answers)
        return orjson.loads(answers.read_bytes())

    def _run(self, module: str, *arguments: str | Path) -> None:
        run([sys.executable, "-m", module, *arguments], self._folder / "output.txt")

    @contextmanager
    def _served(self) -> Generator[str]:
        """The port of a server."""
        with (self._folder / "serve.txt").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "publog", "--home", self._home, "serve", "--no-stream", "--port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            if not said.startswith("listening on "):
                raise Failed(f"publog serve said {said!r}; see {self._folder / 'serve.txt'}")
            yield said.partition(";")[0].rpartition(":")[2]
        finally:
            process.terminate()
            process.communicate(timeout=_START_SECONDS_MAX)


def check(asked: Sequence[Ask], raw: Sequence[Any], served: Sequence[Any]) -> None:
    """The same hits; by relevance ours are ordered by a score cut to ten bits, so of nearly equal ones others may be there."""
    for ask, (_, theirs), (_, ours) in zip(asked, raw, served, strict=True):
        same = theirs["total"] == ours["total"] and len(theirs["hits"]) == len(ours["hits"])
        for (*their, their_score), (*our, our_score) in zip(theirs["hits"], ours["hits"], strict=False):
            if our_score is None or their_score is None:
                same &= their == our
            else:
                same &= math.isclose(their_score, our_score, rel_tol=_SCORE_DIFFERENCE_MAX)
        if not same:
            raise Failed(f"{ask}: tantivy found {theirs}, the server {ours}")


def show(results: SearchResults) -> str:
    """The tables, and the bars."""
    kinds = sorted(set(results.kinds), key=results.kinds.index)
    rows = [_row(kind, results, lambda other, kind=kind: other == kind) for kind in sorted(kinds)]
    rows.append(_row("all of them", results, lambda _: True))
    crowded = [one.crowded for one in results.rounds]
    return "\n".join(
        [
            f"{results.stories:,} stories, {len(results.kinds)} searches, medians of {len(results.rounds)} rounds, in ms",
            "",
            *table(["", "asked", "tantivy", "HTTP", "times", f"{CLIENTS} clients", "p99"], rows),
            "",
            *table(
                ["", "median", "least", "most", "bar", ""],
                [
                    _bar(
                        "over HTTP against tantivy, median",
                        [median(one.alone) / median(one.raw) for one in results.rounds],
                        RATIO_MAX,
                        "at most 3",
                    ),
                    _bar(
                        f"{CLIENTS} clients, p99 in ms",
                        [_percentile(one, 0.99) * 1000 for one in crowded],
                        P99_SECONDS_MAX * 1000,
                        "below 25",
                    ),
                ],
            ),
        ]
    )


def to_json(results: SearchResults) -> bytes:
    """Every figure, search by search."""
    document = {
        **results._asdict(),
        "rounds": [one._asdict() for one in results.rounds],
        "ratio": results.ratio,
        "p99_seconds": results.p99_seconds,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _row(name: str, results: SearchResults, is_wanted: Callable[[str], bool]) -> list[str]:
    numbers = [number for number, kind in enumerate(results.kinds) if is_wanted(kind)]

    def of(figure: Callable[[Round], list[float]], share: float) -> float:
        return median(_percentile([figure(one)[number] for number in numbers], share) for one in results.rounds) * 1000

    raw, alone = of(lambda one: one.raw, 0.5), of(lambda one: one.alone, 0.5)
    crowded, slowest = of(lambda one: one.crowded, 0.5), of(lambda one: one.crowded, 0.99)
    return [
        name,
        str(len(numbers)),
        f"{raw:.2f}",
        f"{alone:.2f}",
        f"{alone / raw:.1f}",
        f"{crowded:.1f}",
        f"{slowest:.1f}",
    ]


def _bar(what: str, values: list[float], most: float, bar: str) -> list[str]:
    middle = median(values)
    figures = [f"{value:.2f}" for value in (middle, min(values), max(values))]
    return [what, *figures, bar, "reached" if middle <= most else "not reached"]


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

"""The runs: what is prepared, what each round measures, and whether all wrote the same views."""

import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import orjson

import assets.newsroom
from bench.measuring import Cost, run

FLOOR: Final = "orjson and fastavro alone"
PUBLISH: Final = "publog publish"
ONE_SHARD: Final = "publog run --batch"
TWO_SHARDS: Final = "publog run --batch --shards 2"
MEMORY: Final = "1GiB"
BOUNDED: Final = f"{TWO_SHARDS} --memory {MEMORY}"
SCAN_AND_WRITE: Final = "log read, the same bytes written"
PLAIN_FOLD: Final = "plain Python fold"
DUCKDB: Final = "DuckDB join"

_Command = list[str | Path]

KINDS: Final = Path(assets.newsroom.__file__).parent / "catalog" / "kinds"


class Results(NamedTuple):
    """What the bench measured."""

    messages: int
    rounds: int
    history_bytes: int
    views: int
    """Live ones, the same from each."""
    views_bytes: dict[str, int]
    """Of the files that each wrote."""
    costs: dict[str, list[Cost]]
    """By what ran, one for each round."""


class Bench:
    """The commands to measure, over one history, in one folder."""

    def __init__(self, folder: Path, messages: int) -> None:
        self._folder = folder
        self._messages = messages
        self._history = folder / f"history-{messages}.jsonl"
        self._home = folder / "home"
        self._duckdb_log = folder / "log.duckdb"

    def measure(self, rounds: int, say: Callable[[str], None]) -> Results:
        """Prepare, then run everything once in each round.

        Raises:
            Failed: a command did not end well, or a rival's views are not publog's.
        """
        say(f"a history of {self._messages:,} messages")
        self._run(_module("history", self._history, str(self._messages)))
        measured = [FLOOR, PUBLISH, ONE_SHARD, SCAN_AND_WRITE, PLAIN_FOLD, TWO_SHARDS, BOUNDED]
        if find_spec("duckdb") is None:
            say(f"without the {DUCKDB}: duckdb is not installed (it is in the bench group of pyproject.toml)")
        else:
            measured.append(DUCKDB)
        costs: dict[str, list[Cost]] = {name: [] for name in measured}
        for number in range(1, rounds + 1):
            for name in measured:
                self._clear(name)
                if name == DUCKDB and number == 1:
                    say(f"the {DUCKDB}'s own log")
                    self._duckdb_log.unlink(missing_ok=True)
                    self._run(_module("duckdb_log", self._home / "log.sqlite", self._duckdb_log, KINDS))
                cost = self._run(self._command(name))
                costs[name].append(cost)
                say(
                    f"round {number} of {rounds}: {name}: {cost.wall_seconds:.2f} s, {cost.cpu_seconds:.2f} s of processor"
                )
        say("comparing every view")
        compared = {name: self._compare(name) for name in measured if name not in {FLOOR, PUBLISH, SCAN_AND_WRITE}}
        return Results(
            self._messages,
            rounds,
            self._history.stat().st_size,
            compared[ONE_SHARD]["views"],
            {name: comparison["bytes"] for name, comparison in compared.items()},
            costs,
        )

    def views(self, name: str) -> list[Path]:
        """The files of views that something wrote."""
        return sorted(self._output(name).glob("*.jsonl"))

    def _command(self, name: str) -> _Command:
        log, views = self._home / "log.sqlite", self._output(name)
        publog: _Command = [sys.executable, "-m", "publog", "--home", self._home]
        batch: _Command = [*publog, "run", "--batch", "--index", f"jsonl:{views / 'views.jsonl'}", "--shards"]
        commands: dict[str, _Command] = {
            FLOOR: _module("floor", self._history, KINDS),
            PUBLISH: [*publog, "publish", self._history],
            ONE_SHARD: [*batch, "1"],
            TWO_SHARDS: [*batch, "2"],
            BOUNDED: [*batch, "2", "--memory", MEMORY],
            SCAN_AND_WRITE: _module("scan_and_write", log, *self.views(ONE_SHARD), views / "bytes"),
            PLAIN_FOLD: _module("plain_fold", log, views / "views.jsonl"),
            DUCKDB: _module("duckdb_join", self._duckdb_log, views),
        }
        return commands[name]

    def _clear(self, name: str) -> None:
        """Everything writes anew: what overwrites a file pays for freeing the old one."""
        if name == PUBLISH:
            shutil.rmtree(self._home, ignore_errors=True)
        shutil.rmtree(self._output(name), ignore_errors=True)
        self._output(name).mkdir(parents=True)

    def _output(self, name: str) -> Path:
        return self._folder / "views" / name.replace(" ", "-")

    def _compare(self, name: str) -> dict[str, int]:
        """How many live views something wrote, and their bytes; they must be those of one shard."""
        said = self._folder / "comparison.txt"
        run(_module("same", *self.views(ONE_SHARD), *self.views(name)), said)
        return orjson.loads(said.read_bytes())

    def _run(self, command: _Command) -> Cost:
        return run(command, self._folder / "output.txt")


def _module(name: str, *arguments: str | Path) -> _Command:
    return [sys.executable, "-m", f"bench.{name}", *arguments]

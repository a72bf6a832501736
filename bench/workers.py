"""What workers bring: one batch in one process, in processes of this machine, and on two workers of a Dask cluster."""

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import orjson

from bench.history import write_history
from bench.measuring import Failed, run
from bench.report import table

ONE_PROCESS: Final = "one process"
TWO_PROCESSES: Final = "two processes, 2 shards"
DASK: Final = "Dask, two workers, 2 shards"
DASK_FINER: Final = "Dask, two workers, 4 shards"
_ALL: Final = (ONE_PROCESS, TWO_PROCESSES, DASK, DASK_FINER)

_STOP_SECONDS_MAX: Final = 60


class WorkersResults(NamedTuple):
    """What was measured."""

    messages: int
    seconds: dict[str, list[float]]
    """By what ran, one for each round: a whole process, from its start to its end."""


class WorkersBench:
    """The commands to measure, over one history, in one folder."""

    def __init__(self, folder: Path, messages: int) -> None:
        self._folder = folder
        self._messages = messages
        self._publog = [sys.executable, "-m", "publog", "--home", str(folder / "home")]

    def measure(self, rounds: int, say: Callable[[str], None]) -> WorkersResults:
        """Prepare, then run everything once in each round, and see that all made the same views.

        Raises:
            Failed: a command did not end well, or views differ.
        """
        history = self._folder / f"history-{self._messages}.jsonl"
        write_history(history, self._messages)
        self._run([*self._publog, "publish", str(history)])
        seconds: dict[str, list[float]] = {name: [] for name in _ALL}
        with self._cluster() as address:
            # A worker's first job pays for importing Beam.
            self._run(self._command(DASK, address))
            for number in range(1, rounds + 1):
                for name in _ALL:
                    took = self._run(self._command(name, address))
                    seconds[name].append(took)
                    say(f"round {number} of {rounds}: {name}: {took:.2f} s")
        say("comparing every view")
        same = self._lines(ONE_PROCESS)
        for name in _ALL:
            if self._lines(name) != same:
                raise Failed(f"{name} made other views than {ONE_PROCESS}")
        return WorkersResults(self._messages, seconds)

    def _command(self, name: str, address: str) -> list[str]:
        batch = [*self._publog, "run", "--batch", "--index", f"jsonl:{self._views(name)}", "--shards"]
        on_dask = ["--runner", "DaskRunner", "--dask_client_address", address]
        commands = {
            ONE_PROCESS: ["1", "--direct_running_mode=in_memory"],
            TWO_PROCESSES: ["2"],
            DASK: ["2", *on_dask],
            DASK_FINER: ["4", *on_dask],
        }
        return [*batch, *commands[name]]

    def _views(self, name: str) -> Path:
        return self._folder / f"{name.replace(' ', '-')}.jsonl"

    def _lines(self, name: str) -> list[bytes]:
        return sorted(self._views(name).read_bytes().splitlines())

    def _run(self, command: list[str]) -> float:
        return run(command, self._folder / "output.txt").wall_seconds

    @contextmanager
    def _cluster(self) -> Generator[str]:
        """The address of a scheduler with two workers, on loopback."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.dask", str(self._folder / "cluster"), "2"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise Failed("the Dask cluster did not start")
            yield address
        finally:
            process.terminate()
            process.communicate(timeout=_STOP_SECONDS_MAX)


def show(results: WorkersResults) -> str:
    """The table; a speed-up is the median of the rounds' own."""
    alone = results.seconds[ONE_PROCESS]
    rows = [
        [name, f"{median(took):.2f} s", f"{median(one / other for one, other in zip(alone, took, strict=True)):.2f}"]
        for name, took in results.seconds.items()
    ]
    heads = ["", "median", "times as fast"]
    return "\n".join([f"{results.messages:,} messages, {len(alone)} rounds", "", *table(heads, rows)])


def to_json(results: WorkersResults) -> bytes:
    """Every figure."""
    return orjson.dumps(results._asdict(), option=orjson.OPT_INDENT_2)

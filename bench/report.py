"""What was measured, as tables for a person and as JSON for a program."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import orjson

from bench.measuring import Cost
from bench.rounds import (
    BOUNDED,
    DUCKDB,
    FLOOR,
    ONE_SHARD,
    PLAIN_FOLD,
    PUBLISH,
    SCAN_AND_WRITE,
    TWO_SHARDS,
    Results,
)

_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Machine:
    """Where it ran."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    load: float
    """The load average before: processes that wanted a core in the last minute."""

    def __str__(self) -> str:
        text = f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB, {self.system}, Python {self.python}"
        if self.load > 0.5:
            text += (
                f"\nload average {self.load:.1f}: other programs are at work, so trust processor time, not the clock"
            )
        return text


def this_machine() -> Machine:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return Machine(
        cpu=names[0].partition(":")[2].strip() if names else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load=os.getloadavg()[0],
    )


class Figure(NamedTuple):
    """One result: the median over the rounds, with the least and the most."""

    what: str
    median: float
    least: float
    most: float
    by_cpu: float | None
    """The median of the same by processor time in place of the clock."""
    bar: str
    """What `median` ought to be; empty where nothing is asked."""


def figures(results: Results) -> Iterator[Figure]:
    """A speed-up is how many times as fast the first is as the second, round by round."""
    publish = results.costs[PUBLISH]
    yield _figure(
        f"{PUBLISH}, messages/s",
        [results.messages / cost.wall_seconds for cost in publish],
        [results.messages / cost.cpu_seconds for cost in publish],
        "25,000",
    )
    speedups = [
        (PUBLISH, FLOOR, "0.4"),
        (ONE_SHARD, SCAN_AND_WRITE, "0.35"),
        (ONE_SHARD, PLAIN_FOLD, ""),
        (TWO_SHARDS, PLAIN_FOLD, "4"),
        (ONE_SHARD, DUCKDB, "above 1"),
        (TWO_SHARDS, DUCKDB, "2.5"),
        (TWO_SHARDS, ONE_SHARD, "1.7"),
        (BOUNDED, TWO_SHARDS, "0.5"),
    ]
    for ours, theirs, bar in speedups:
        if theirs in results.costs:
            pairs = list(zip(results.costs[ours], results.costs[theirs], strict=True))
            yield _figure(
                f"{ours} against {theirs}",
                [their.wall_seconds / our.wall_seconds for our, their in pairs],
                [their.cpu_seconds / our.cpu_seconds for our, their in pairs],
                bar,
            )
    for name in (PUBLISH, ONE_SHARD, TWO_SHARDS, BOUNDED):
        peaks = [cost.peak_sum_bytes / 1024**3 for cost in results.costs[name]]
        yield _figure(f"{name}, GiB of memory", peaks, [], "" if name == PUBLISH else "below 1.5")


def _figure(what: str, values: list[float], by_cpu: list[float], bar: str) -> Figure:
    return Figure(what, median(values), min(values), max(values), median(by_cpu) if by_cpu else None, bar)


def show(results: Results) -> str:
    """The tables."""
    messages = results.messages
    lines = [
        f"{messages:,} messages ({results.history_bytes / 1e6:,.0f} MB of JSON), medians of {results.rounds} rounds;",
        f"{results.views:,} live views, the same from each",
        "",
        *table(
            ["", "messages/s", "seconds", "cpu s", "cpu µs/message", "largest MiB", "sum MiB", "views MB"],
            [
                [
                    name,
                    f"{messages / _median(costs, lambda cost: cost.wall_seconds):,.0f}",
                    f"{_median(costs, lambda cost: cost.wall_seconds):.2f}",
                    f"{_median(costs, lambda cost: cost.cpu_seconds):.2f}",
                    f"{_median(costs, lambda cost: cost.cpu_seconds) / messages * 1e6:.1f}",
                    f"{_median(costs, lambda cost: cost.peak_process_bytes) / _MIB:,.0f}",
                    f"{_median(costs, lambda cost: cost.peak_sum_bytes) / _MIB:,.0f}",
                    f"{results.views_bytes[name] / 1e6:,.1f}" if name in results.views_bytes else "",
                ]
                for name, costs in results.costs.items()
            ],
        ),
        "",
        *table(
            ["", "median", "least", "most", "by cpu", "bar"],
            [
                [
                    figure.what,
                    *map(_short, (figure.median, figure.least, figure.most)),
                    "" if figure.by_cpu is None else _short(figure.by_cpu),
                    figure.bar,
                ]
                for figure in figures(results)
            ],
        ),
    ]
    return "\n".join(lines)


def to_json(results: Results, machine: Machine) -> bytes:
    """Every figure, run by run."""
    document: dict[str, Any] = {
        "machine": asdict(machine),
        **results._asdict(),
        "costs": {name: [cost._asdict() for cost in costs] for name, costs in results.costs.items()},
        "figures": [figure._asdict() for figure in figures(results)],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _median(costs: Sequence[Cost], figure: Callable[[Cost], float]) -> float:
    return median(map(figure, costs))


def table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Columns as wide as they must be, the first one to the left."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip()

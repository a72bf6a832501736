"""What verification found, for a person and for a program."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from denormalizer.view import State

DIFFERENCES_KEPT_MAX: Final = 1_000
"""Differing documents that a report names; the others are counted."""

What = Literal["missing", "unexpected", "unreadable", "version", "state", "content"]


class Difference(NamedTuple):
    """A document that is not what the log says."""

    view: str
    uri: str
    what: What
    """`unexpected`: the log has no such view, or it stands there once more. `unreadable`: the index can't read it back.
    `content`: the bytes of its content, its sources or its bounds."""


Counts = dict[str, dict[State, int]]
"""View name to its documents by state."""


@dataclass
class Report:
    """What verification found at the generation's watermark."""

    generation: str
    watermark: int
    expected: Counts = field(default_factory=Counts)
    """What the log says."""
    found: Counts = field(default_factory=Counts)
    """What the index holds."""
    ranges: int = 0
    """How many ranges were compared by their digests; 0 where each document was compared by itself."""
    ranges_different: int = 0
    different: int = 0
    """Documents."""
    differences: list[Difference] = field(default_factory=list[Difference])
    """The first of them."""
    problem: str = ""
    """Why the index could not be read through; then there may be unexpected documents that nobody saw."""
    kept_max: int = DIFFERENCES_KEPT_MAX
    """How many differences it names."""

    @property
    def passed(self) -> bool:
        """Whether every document is as the log says."""
        return not self.different and not self.problem

    @property
    def checked(self) -> int:
        """Documents that the log says there should be."""
        return total(self.expected)

    def add(self, difference: Difference) -> None:
        """Count a difference, and keep it while there is room."""
        self.different += 1
        if len(self.differences) < self.kept_max:
            self.differences.append(difference)


def count(counts: Counts, view: str, state: State) -> None:
    """One document more."""
    counts.setdefault(view, {"live": 0, "gone": 0})[state] += 1


def total(counts: Counts) -> int:
    """Documents of all views and states."""
    return sum(sum(states.values()) for states in counts.values())


def as_text(report: Report) -> str:
    """The report for a person."""
    lines = [f"{report.checked:,} documents checked against the log at offset {report.watermark}"]
    if not report.passed:
        lines += [
            f"  {view}: {_states(report.expected, view)} in the log, {_states(report.found, view)} here"
            for view in sorted(report.expected.keys() | report.found.keys())
        ]
    if report.ranges_different:
        lines.append(f"  {report.ranges_different:,} of {report.ranges:,} ranges differ")
    if report.problem:
        lines.append(f"  it can't be read through: {report.problem}")
    lines += [f"  {difference.what:<10} {difference.view} {difference.uri}" for difference in report.differences]
    if report.different > len(report.differences):
        lines.append(f"  and {report.different - len(report.differences):,} more")
    if report.passed:
        lines.append("all are as the log says")
    else:
        lines.append(f"{report.different:,} are not" if report.different else "not all of it can be read")
    return "\n".join(lines)


def as_json(report: Report) -> Mapping[str, Any]:
    """The report for a program."""
    return {
        "passed": report.passed,
        "generation": report.generation,
        "watermark": report.watermark,
        "expected": report.expected,
        "found": report.found,
        "ranges": report.ranges,
        "ranges_different": report.ranges_different,
        "different": report.different,
        "differences": [difference._asdict() for difference in report.differences],
        "problem": report.problem,
    }


def _states(counts: Counts, view: str) -> str:
    states = counts.get(view, {"live": 0, "gone": 0})
    return f"{states['live']:,} live and {states['gone']:,} gone"

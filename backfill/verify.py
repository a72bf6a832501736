"""Verification: every document of an index against its view recomputed from the log."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from assets.catalog import Catalog
from assets.errors import InvalidUri
from assets.log.port import Log
from assets.model import checked_kind
from indexers.port import Index
from pipeline.as_of import LogViews

DIFFERENCES_KEPT_MAX: Final = 1_000
"""Differing documents that a report names; the others are counted."""


class Difference(NamedTuple):
    """A document that is not what the log says."""

    view: str
    uri: str
    what: Literal["missing", "unexpected", "version", "content"]


@dataclass
class Report:
    """What verification found at the index's watermark."""

    watermark: int
    checked: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])
    """The first of them."""

    def add(self, difference: Difference) -> None:
        """Count a difference, and keep it while there is room."""
        self.different += 1
        if len(self.differences) < DIFFERENCES_KEPT_MAX:
            self.differences.append(difference)


def verify(log: Log, index: Index, catalog: Catalog, on_progress: Callable[[int], None] | None = None) -> Report:
    """Compare presence, version, state and bytes of every document with its view at the index's `applied_through`."""
    info = index.info()
    report = Report(info.applied_through)
    as_of = LogViews(log, catalog)
    at = as_of.at(info.applied_through)
    seen: set[tuple[str, str]] = set()
    for found in index.scan(None):
        seen.add((found.view, found.uri))
        report.checked += 1
        expected = next(at.views(found.uri, found.view), None)
        if expected is None:
            report.add(Difference(found.view, found.uri, "unexpected"))
        elif expected != found:
            what = "version" if expected.version != found.version else "content"
            report.add(Difference(found.view, found.uri, what))
        if on_progress is not None:
            on_progress(report.checked)
    for view, uri in _roots(log, catalog, info.applied_through):
        if (view, uri) not in seen and next(at.views(uri, view), None) is not None:
            seen.add((view, uri))
            report.add(Difference(view, uri, "missing"))
    return report


def _roots(log: Log, catalog: Catalog, last: int) -> Iterator[tuple[str, str]]:
    roots: dict[str, list[str]] = {}
    for view in catalog.views.values():
        roots.setdefault(view.root, []).append(view.name)
    for message in log.read(0, last):
        with suppress(InvalidUri):
            for view in roots.get(checked_kind(message.uri), ()):
                yield view, message.uri


def as_text(report: Report) -> str:
    """The report for a person."""
    lines = [f"{report.checked:,} documents checked against the log at offset {report.watermark}"]
    lines += [f"  {difference.what:<10} {difference.view} {difference.uri}" for difference in report.differences]
    if report.different > len(report.differences):
        lines.append(f"  and {report.different - len(report.differences):,} more")
    lines.append("all are as the log says" if not report.different else f"{report.different:,} are not")
    return "\n".join(lines)

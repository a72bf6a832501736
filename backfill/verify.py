"""Verification: every document of a generation against its view recomputed from the log.

Neither side is kept: each document falls into one of many ranges, and of a range there are a count and a digest, as the
log says and as the index holds it. Only where these differ are the documents looked at one by one.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from typing import Final, NamedTuple

from assets.catalog import Catalog
from assets.collector import paused_collector
from assets.errors import InvalidUri
from assets.log.port import Log
from assets.model import NEVER, checked_kind
from backfill.errors import OtherCatalog, RepairFailed
from backfill.ranges import RANGES, Side, range_of
from backfill.report import DIFFERENCES_KEPT_MAX, Difference, Report, What, as_json, as_text, count, total
from denormalizer.as_of import AsOf
from denormalizer.view import State, View
from indexers import Generation, IndexInfo
from indexers.errors import EngineFailed, IndexBusy, InvalidRecord
from pipeline.as_of import LogViews

__all__ = ["Difference", "Progress", "Report", "as_json", "as_text", "repair", "verify", "verify_some"]

REPAIRED_MAX: Final = 250_000
"""Documents that are written again in one step."""

PROGRESS_DOCUMENTS: Final = 500
"""Documents between two reports of progress."""

MOMENTS_MAX: Final = 1_000
"""Tries to look at an index that is being written while it says the same watermark before and after."""

UNREADABLE_MAX: Final = 16
"""So many documents of which none can be read: then nothing of the index can."""

Progress = Callable[[int, int], None]
"""Told how many documents are done, of about how many."""

Key = tuple[str, str]
"""A document's view and URI."""


def verify(log: Log, generation: Generation, catalog: Catalog, on_progress: Progress | None = None) -> Report:
    """Compare presence, version, state and bytes of every document with its view at the generation's watermark.

    The generation may be written meanwhile. It is read through as of one moment; documents that seem to differ are looked
    at again as of a later one.

    Raises:
        NoIndex: the index was never loaded.
        OtherCatalog: the generation was built with another one.
        InvalidRecord, EngineFailed: nothing of it can be read.
        IndexBusy: it is written faster than it can be looked at.
    """
    return _verify(log, generation, catalog, on_progress or _nobody, DIFFERENCES_KEPT_MAX)


def verify_some(log: Log, generation: Generation, catalog: Catalog, keys: Iterable[Key]) -> Report:
    """Compare only these documents (view and URI), as `verify` does: for what changed since a full verification."""
    views = LogViews(log, catalog)
    info = _info(generation, catalog)
    report = Report(info.generation, info.applied_through)
    _compare_each(generation, _Recomputed(views, info.applied_through), dict.fromkeys(keys), report)
    return report


def repair(log: Log, generation: Generation, catalog: Catalog, report: Report) -> int:
    """Write the documents that a report found different again from the log, until all are as it says.

    Whoever calls this writes the generation, and writes nothing else into it meanwhile.

    Returns:
        How many documents were written or removed.

    Raises:
        OtherCatalog: the generation was built with another one.
        RepairFailed: writing them does not help.
        IndexBusy, EngineFailed, InvalidRecord: as `Generation.write` does.
    """
    views = LogViews(log, catalog)
    repaired = 0
    while not report.passed:
        named = [(difference.view, difference.uri) for difference in report.differences]
        if not named:
            raise RepairFailed(report.generation, report.different, report.problem)
        watermark = _info(generation, catalog).applied_through
        right = views.at(watermark)
        written = (view for name, uri in named for view in right.views(uri, name))
        # Removed before they are written: a version that is too high would win, and what is unexpected is not written.
        generation.write(written, applied_through=watermark, repair=True, remove=named)
        repaired += len(named)
        before, report = report, _verify(log, generation, catalog, _nobody, REPAIRED_MAX)
        # Once the index can be read through, there may be more than was seen before.
        if report.different >= before.different and bool(report.problem) == bool(before.problem) and not report.passed:
            raise RepairFailed(report.generation, report.different, report.problem)
    return repaired


def _verify(log: Log, generation: Generation, catalog: Catalog, on_progress: Progress, kept_max: int) -> Report:
    with paused_collector():
        return _Verification(log, generation, catalog, on_progress, kept_max).report()


class _Recomputed:
    """The views of the log at a watermark, one root after the other."""

    def __init__(self, views: LogViews, watermark: int) -> None:
        self.watermark = watermark
        self._views = views
        self._at: AsOf = views.at(watermark)

    def at(self, watermark: int) -> "_Recomputed":
        """At another watermark."""
        return self if watermark == self.watermark else _Recomputed(self._views, watermark)

    def rooted(self, uri: str) -> Iterator[View]:
        """Every view rooted at a URI."""
        return self._at.views(uri)

    def view(self, key: Key) -> View | None:
        """One view."""
        return next(self._at.views(key[1], key[0]), None)


class _Short(NamedTuple):
    """What is kept of a document to compare it."""

    version: int
    state: State
    digest: bytes


class _Verification:
    """One run of `verify`."""

    def __init__(
        self, log: Log, generation: Generation, catalog: Catalog, on_progress: Progress, kept_max: int
    ) -> None:
        self._kept_max = kept_max
        self._log = log
        self._generation = generation
        self._on_progress = on_progress
        self._views = LogViews(log, catalog)
        self._kinds = self._views.plan.roots
        self._roots: dict[str, None] = {}
        self._roots_through = NEVER
        self._steps = 0
        self._about = 0

    def report(self) -> Report:
        report, documents = self._moment()
        self._about = total(report.found)
        report.found = {}
        right, here = Side(), Side()
        try:
            for view in documents:
                count(report.found, view.view, view.state)
                here.add(view)
                self._step()
        except (InvalidRecord, EngineFailed) as error:
            report.problem = str(error)
        recomputed = _Recomputed(self._views, report.watermark)
        for uri in self._roots_until(report.watermark):
            for view in recomputed.rooted(uri):
                count(report.expected, view.view, view.state)
                right.add(view)
                self._step()
        if report.problem:
            report.expected, report.found = {}, {}
            names = {plan.definition.name: plan.definition.root for plan in self._views.plan.views}
            keys = ((name, uri) for uri in self._roots for name, kind in names.items() if checked_kind(uri) == kind)
            _compare_each(self._generation, recomputed, keys, report)
            return report
        report.ranges = RANGES
        different = right.different(here)
        report.ranges_different = len(different)
        for numbers in right.portions(here, different):
            self._name(numbers, recomputed, report)
        self._on_progress(report.checked, report.checked)
        return report

    def _moment(self) -> tuple[Report, Iterator[View]]:
        """What a scan gives, with the watermark that it is at."""
        info = _info(self._generation, self._views.plan.catalog)
        for _ in range(MOMENTS_MAX):
            documents = self._generation.scan()
            before, info = info, self._generation.info()
            if (before.generation, before.applied_through) == (info.generation, info.applied_through):
                found: dict[str, dict[State, int]] = {
                    view: {"live": live, "gone": info.gone[view]} for view, live in info.live.items()
                }
                report = Report(info.generation, info.applied_through, found=found, kept_max=self._kept_max)
                return report, documents
            # Only what has begun to read ends it when it is given up.
            next(documents, None)
        raise IndexBusy(info.generation)

    def _roots_until(self, last: int) -> Iterable[str]:
        """The URIs of the log that views may be rooted at, in the order of their first messages."""
        kinds = self._kinds
        for message in self._log.read(self._roots_through + 1, last):
            if message.uri not in self._roots:
                with suppress(InvalidUri):
                    if checked_kind(message.uri) in kinds:
                        self._roots[message.uri] = None
        self._roots_through = max(self._roots_through, last)
        return self._roots

    def _name(self, numbers: frozenset[int], recomputed: _Recomputed, report: Report) -> None:
        """Name the documents that differ in these ranges."""
        moment, documents = self._moment()
        here: dict[Key, _Short] = {}
        twice: set[Key] = set()
        for view in documents:
            if range_of(view.view, view.uri) in numbers:
                key = view.view, view.uri
                if key in here:
                    twice.add(key)
                here[key] = _short(view)
        recomputed = recomputed.at(moment.watermark)
        for uri in self._roots_until(moment.watermark):
            # The views are computed only where one of them is in a range that differs.
            plans = self._kinds[checked_kind(uri)]
            if not any(range_of(plan.definition.name, uri) in numbers for plan in plans):
                continue
            for view in recomputed.rooted(uri):
                if range_of(view.view, uri) in numbers and (view.view, uri) not in twice:
                    what = _what(_short(view), here.pop((view.view, uri), None))
                    if what is not None:
                        report.add(Difference(view.view, uri, what))
        for view, uri in here:
            report.add(Difference(view, uri, "unexpected"))

    def _step(self) -> None:
        # A document is done when it was read from the index and computed from the log.
        self._steps += 1
        if self._steps % (2 * PROGRESS_DOCUMENTS) == 0:
            self._on_progress(self._steps // 2, self._about)


def _info(generation: Generation, catalog: Catalog) -> IndexInfo:
    info = generation.info()
    # Where nothing was ever loaded there is no generation: to read it says so.
    if info.generation and info.catalog_digest != catalog.digest:
        raise OtherCatalog(info.generation)
    return info


def _compare_each(generation: Generation, recomputed: _Recomputed, keys: Iterable[Key], report: Report) -> None:
    """Compare documents one by one, each as of a moment at which the index says the watermark of what it is compared to."""
    readable = unreadable = 0
    for key in keys:
        for _ in range(MOMENTS_MAX):
            right = recomputed.view(key)
            try:
                here = generation.get(*key)
                readable += 1
                what = None if here == right else _what(right and _short(right), here and _short(here))
            except (InvalidRecord, EngineFailed):
                unreadable += 1
                if not readable and unreadable >= UNREADABLE_MAX:
                    raise
                here, what = None, "unreadable"
            moved = generation.applied_through() if what is not None else recomputed.watermark
            if moved == recomputed.watermark:
                break
            recomputed = recomputed.at(moved)
        else:
            raise IndexBusy(report.generation)
        for counts, view in ((report.expected, right), (report.found, here)):
            if view is not None:
                count(counts, view.view, view.state)
        if what is not None:
            report.add(Difference(*key, what))


def _what(right: _Short | None, here: _Short | None) -> What | None:
    if here == right:
        return None
    if right is None:
        return "unexpected"
    if here is None:
        return "missing"
    if here.version != right.version:
        return "version"
    return "state" if here.state != right.state else "content"


def _short(view: View) -> _Short:
    return _Short(view.version, view.state, blake2b(view.to_line(), digest_size=16).digest())


def _nobody(_done: int, _about: int) -> None:
    """For who asks for no progress."""

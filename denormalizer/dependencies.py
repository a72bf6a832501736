"""Dependency resolution: from a changed asset to every view to bring up to date. The inverse of link expansion.

It walks the references backwards, along the positions of each view, to the roots. What it finds may include a view
that in truth stops short of the changed asset (at a cycle, or because two references of one asset were told apart by
name only): the fold expands it, sees that no changed asset is in its closure, and does not emit it.
"""

from collections.abc import Iterable, Iterator, Sequence

from assets.model import kind_of
from denormalizer.fragments import Rendered, references
from denormalizer.plan import Plan, Position, ViewPlan


class Referrers:
    """Who refers to whom, by the references that some view expands, backwards."""

    def __init__(self) -> None:
        self._referrers: dict[str, dict[str, None]] = {}
        self._references: dict[str, tuple[str, ...]] = {}

    def update(self, uri: str, rendered: list[Rendered] | None) -> None:
        """Take an asset's present references in place of its former ones; `rendered` None: it has none."""
        self.replace(uri, tuple(dict.fromkeys(references(rendered))) if rendered is not None else ())

    def replace(self, uri: str, now: tuple[str, ...]) -> None:
        """Take these references, each once, in place of an asset's former ones."""
        before = self._references.get(uri, ())
        if now == before:
            return
        for target in before:
            self._referrers[target].pop(uri, None)
        for target in now:
            self._referrers.setdefault(target, {})[uri] = None
        if now:
            self._references[uri] = now
        else:
            self._references.pop(uri, None)

    def by(self, uri: str) -> tuple[str, ...]:
        """What an asset refers to."""
        return self._references.get(uri, ())

    def of(self, uri: str) -> Iterable[str]:
        """The assets that refer to one."""
        return self._referrers.get(uri, ())


def dependents(plan: Plan, referrers: Referrers, changed: Iterable[str]) -> Iterator[tuple[ViewPlan, str]]:
    """The views, by definition and root URI, whose closure may hold one of the changed assets, each once."""
    uris = list(changed)
    for view in plan.views:
        for uri in _roots_above(view, referrers, uris):
            yield view, uri


def _roots_above(view: ViewPlan, referrers: Referrers, changed: Sequence[str]) -> Iterator[str]:
    """Breadth first and backwards, no deeper than the view goes."""
    level: dict[tuple[int, str], Position] = {
        (id(position), uri): position
        for uri in changed
        for position in view.positions
        if kind_of(uri) in position.places
    }
    seen = set(level)
    roots: dict[str, None] = {}
    for distance in range(view.definition.depth + 1):
        above: dict[tuple[int, str], Position] = {}
        for (_, uri), position in level.items():
            if position is view.root:
                roots[uri] = None
            if distance == view.definition.depth or not position.above:
                continue
            for referrer in referrers.of(uri):
                for higher in position.above:
                    key = (id(higher), referrer)
                    if key not in seen and kind_of(referrer) in higher.places:
                        seen.add(key)
                        above[key] = higher
        level = above
    yield from roots

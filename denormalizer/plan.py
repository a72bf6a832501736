"""The plan of a catalog: expand paths compiled to what the per-message code walks.

A view's expand paths are a small automaton. An asset stands in a view at a *position*: the set of paths, and how far
along each, that led there. Following one of the asset's references leads to the next position, or to none (then the
reference stays a URI). So two paths never combine into a third. What an asset must be rendered to at a position - which
fields, cut open at which references - is its *shape*; most kinds have one or two in a whole catalog.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from assets.catalog import Catalog, Kind, Record, Type, ViewDefinition, step_into


class Shape(NamedTuple):
    """Which top-level fields of a kind to render, and at which references to leave holes."""

    fields: tuple[str, ...]
    holes: tuple[str, ...]
    """Dotted paths of references, in the schema's order."""


@dataclass(eq=False)
class Place:
    """A kind at a position: its shape, and the position behind each of the shape's holes."""

    shape: int
    """The number of the shape among the kind's shapes."""
    holes: tuple[str, ...]
    targets: tuple["Position", ...] = ()


@dataclass(eq=False)
class Position:
    """Where assets may stand in a view, by the paths that led there."""

    view: str
    places: dict[str, Place] = field(default_factory=dict[str, Place])
    """By kind; an asset of another kind can't stand here."""
    above: list["Position"] = field(default_factory=list["Position"])
    """The positions whose references lead here."""


@dataclass(frozen=True)
class ViewPlan:
    """A view, compiled."""

    definition: ViewDefinition
    root: Position
    positions: tuple[Position, ...]


@dataclass(frozen=True)
class Plan:
    """A catalog, compiled."""

    catalog: Catalog
    views: tuple[ViewPlan, ...]
    shapes: Mapping[str, tuple[Shape, ...]]
    """By kind, what each asset is rendered to; kinds that appear in no view have none."""
    roots: Mapping[str, tuple[ViewPlan, ...]]
    """By kind, the views that it is the root of."""
    dependencies: frozenset[str]
    """The kinds that some view reaches by a reference."""


def compile_catalog(catalog: Catalog) -> Plan:
    """The plan of a catalog that was checked when it was read."""
    shapes: dict[str, list[Shape]] = {}
    views = tuple(_ViewCompiler(catalog, view, shapes).compile() for view in catalog.views.values())
    roots: dict[str, tuple[ViewPlan, ...]] = {}
    for view in views:
        roots[view.definition.root] = (*roots.get(view.definition.root, ()), view)
    dependencies = frozenset(
        kind for view in views for position in view.positions if position.above for kind in position.places
    )
    return Plan(catalog, views, {kind: tuple(made) for kind, made in shapes.items()}, roots, dependencies)


# How far along the expand paths: (number of the path, number of its next step).
_Progress = frozenset[tuple[int, int]]


class _ViewCompiler:
    """Builds a view's positions, each set of progress once for the kinds that may stand there."""

    def __init__(self, catalog: Catalog, view: ViewDefinition, shapes: dict[str, list[Shape]]) -> None:
        self._catalog = catalog
        self._view = view
        self._shapes = shapes
        self._paths = [(tuple(path.removesuffix("*").split(".")), path.endswith("*")) for path in view.expand]
        self._positions: dict[tuple[_Progress, tuple[str, ...]], Position] = {}

    def compile(self) -> ViewPlan:
        start: _Progress = frozenset((number, 0) for number in range(len(self._paths)))
        # The root may also be reached again along `*`; it stands apart so that only the root kind is at the start.
        root = Position(self._view.name)
        pending = self._add_place(root, self._view.root, start)
        while pending:
            progress, kinds = pending.pop()
            position = self._positions[progress, kinds]
            for kind in kinds:
                if kind not in position.places:
                    pending.extend(self._add_place(position, kind, progress))
        return ViewPlan(self._view, root, (root, *self._positions.values()))

    def _add_place(self, position: Position, kind: str, progress: _Progress) -> list[tuple[_Progress, tuple[str, ...]]]:
        """Put a kind at a position; returns the progress and the kinds behind its references."""
        record = self._catalog.kinds[kind].record
        chosen = self._view.fields.get(kind)
        fields = tuple(name for name in record.fields if chosen is None or name in chosen)
        holes: list[str] = []
        targets: list[Position] = []
        behind: list[tuple[_Progress, tuple[str, ...]]] = []
        for reference, kinds in _reference_paths(self._catalog.kinds[kind], fields):
            following = self._follow(progress, tuple(reference.split(".")))
            if following is None:
                continue
            target = self._positions.setdefault((following, kinds), Position(self._view.name))
            if position not in target.above:
                target.above.append(position)
            holes.append(reference)
            targets.append(target)
            behind.append((following, kinds))
        position.places[kind] = Place(self._shape(kind, Shape(fields, tuple(holes))), tuple(holes), tuple(targets))
        return behind

    def _follow(self, progress: _Progress, steps: tuple[str, ...]) -> _Progress | None:
        """The progress behind a reference, None where no path goes along it."""
        following: set[tuple[int, int]] = set()
        matched = False
        for number, at in progress:
            path, starred = self._paths[number]
            if path[at : at + len(steps)] != steps:
                continue
            matched = True
            if at + len(steps) < len(path):
                following.add((number, at + len(steps)))
            elif starred:
                following.add((number, len(path) - 1))
        return frozenset(following) if matched else None

    def _shape(self, kind: str, shape: Shape) -> int:
        shapes = self._shapes.setdefault(kind, [])
        if shape not in shapes:
            shapes.append(shape)
        return shapes.index(shape)


def _reference_paths(kind: Kind, fields: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The references that a path can reach, with the kinds they point at, in the schema's order."""
    found: dict[str, dict[str, None]] = {}
    for reference in kind.references:
        steps = reference.path.split(".")
        types: list[Type] = [kind.record]
        for step in steps:
            types = [inner for type_ in types for inner in step_into(type_, step)]
        if steps[0] in fields and any(not isinstance(type_, Record) for type_ in types):
            found.setdefault(reference.path, {}).update(dict.fromkeys(reference.kinds))
    for path, kinds in found.items():
        yield path, tuple(kinds)

"""What a new catalog changes, line by line: what a backfill with it will make different."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from assets.catalog import Catalog, Record, Type, ViewDefinition

What = Literal["references", "kind", "field", "reference", "view", "mapping"]
"""`references`: the policy. `reference`: what a field may point at. `mapping`: what a view's documents are searched by."""

_ORDER: Final[tuple[What, ...]] = ("references", "kind", "field", "reference", "view", "mapping")


class Change(NamedTuple):
    """One thing that is different."""

    what: What
    where: str
    """A kind, a dotted path that begins with one, or a view; empty for the catalog as a whole."""
    text: str
    """A line for a person, `where` included."""


def catalog_changes(before: Catalog, after: Catalog) -> list[Change]:
    """What is different in `after`: none for equal catalogs, and in an order that does not depend on the files'."""
    changes = [*_policy(before, after), *_kinds(before, after), *_views(before, after)]
    return sorted(changes, key=lambda change: (_ORDER.index(change.what), change.where, change.text))


def _policy(before: Catalog, after: Catalog) -> Iterator[Change]:
    if before.references != after.references:
        yield Change("references", "", f"references: {before.references} becomes {after.references}")


# --------------------------------------------------------------------------------------------------------------- kinds


def _kinds(before: Catalog, after: Catalog) -> Iterator[Change]:
    for name in before.kinds.keys() - after.kinds.keys():
        yield Change("kind", name, f"kind {name} is removed")
    for name in after.kinds.keys() - before.kinds.keys():
        yield Change("kind", name, f"kind {name} is added")
    for name in before.kinds.keys() & after.kinds.keys():
        yield from _types(before.kinds[name].record, after.kinds[name].record, name)


def _types(before: Type, after: Type, path: str) -> Iterator[Change]:
    """The differences of a place in a kind and below it."""
    if isinstance(before, Record) and isinstance(after, Record):
        yield from _records(before, after, path)
    elif before.kinds and after.kinds:
        yield from _reference(before.kinds, after.kinds, path)
    elif before.name == after.name and before.name in {"array", "map"}:
        yield from _types(before.inner[0], after.inner[0], path)
    elif before.name == after.name == "union":
        yield from _unions(before, after, path)
    elif _describe(before) != _describe(after):
        yield Change("field", path, f"field {path} was {_describe(before)} and is {_describe(after)}")


def _records(before: Record, after: Record, path: str) -> Iterator[Change]:
    for name in before.fields.keys() - after.fields.keys():
        yield Change("field", f"{path}.{name}", f"field {path}.{name} is removed ({_describe(before.fields[name])})")
    for name in after.fields.keys() - before.fields.keys():
        yield Change("field", f"{path}.{name}", f"field {path}.{name} is added ({_describe(after.fields[name])})")
    common = [name for name in before.fields if name in after.fields]
    for name in common:
        yield from _types(before.fields[name], after.fields[name], f"{path}.{name}")
        yield from _default(before.defaults, after.defaults, name, f"{path}.{name}")
    if common != [name for name in after.fields if name in before.fields]:
        yield Change("field", path, f"the fields of {path} are in another order")


def _default(before: Mapping[str, Any], after: Mapping[str, Any], name: str, path: str) -> Iterator[Change]:
    if name not in after and name in before:
        yield Change("field", path, f"field {path} has no default any more")
    elif name in after and name not in before:
        yield Change("field", path, f"field {path} has a default now: {_json(after[name])}")
    elif name in after and (had := _json(before[name])) != (has := _json(after[name])):
        yield Change("field", path, f"field {path} had the default {had} and has {has}")


def _json(value: Any) -> str:
    # A default is what a reader gives: bytes and times are among them.
    return json.dumps(value, default=repr)


def _unions(before: Type, after: Type, path: str) -> Iterator[Change]:
    """Branch by branch where they are the same ones, which is so of all that are just nullable."""
    had, has = _branches(before), _branches(after)
    if had.keys() != has.keys():
        yield Change("field", path, f"field {path} was {_describe(before)} and is {_describe(after)}")
        return
    for name, branch in had.items():
        yield from _types(branch, has[name], path)


def _branches(union: Type) -> dict[str, Type]:
    """A union's branches by what tells them apart: a union may hold several named types, and one of each other."""
    return {branch.declared or f"{branch.name} {branch.logical}": branch for branch in union.inner}


def _reference(before: Iterable[str], after: Iterable[str], path: str) -> Iterator[Change]:
    more, fewer = sorted({*after} - {*before}), sorted({*before} - {*after})
    said = [f"may refer to {', '.join(more)}"] if more else []
    said += [f"may not refer to {', '.join(fewer)} any more"] if fewer else []
    if said:
        yield Change("reference", path, f"field {path} {' and '.join(said)}")


def _describe(type_: Type) -> str:
    """A type in a few words."""
    if type_.kinds:
        return f"reference to {' or '.join(sorted(type_.kinds))}"
    match type_.name:
        case "array" | "map":
            return f"{type_.name} of {_describe(type_.inner[0])}"
        case "union":
            return " or ".join(_describe(branch) for branch in type_.inner)
        case "enum":
            return f"enum of {', '.join(type_.symbols)}"
        case "fixed":
            return f"fixed of {type_.size} bytes"
        case name:
            return f"{name} ({type_.logical})" if type_.logical else name


# --------------------------------------------------------------------------------------------------------------- views


def _views(before: Catalog, after: Catalog) -> Iterator[Change]:
    for name in before.views.keys() - after.views.keys():
        yield Change("view", name, f"view {name} is removed")
    for name in after.views.keys() - before.views.keys():
        yield Change("view", name, f"view {name} is added, rooted at {after.views[name].root}")
    for name in before.views.keys() & after.views.keys():
        yield from _view(before.views[name], after.views[name])
        yield from _mapping(before.views[name], after.views[name])


def _view(before: ViewDefinition, after: ViewDefinition) -> Iterator[Change]:
    view = f"view {after.name}"

    def change(text: str) -> Change:
        return Change("view", after.name, f"{view} {text}")

    if before.root != after.root:
        yield change(f"was rooted at {before.root} and is at {after.root}")
    for path in {*after.expand} - {*before.expand}:
        yield change(f"expands {path}")
    for path in {*before.expand} - {*after.expand}:
        yield change(f"does not expand {path} any more")
    if before.depth != after.depth:
        yield change(f"was {before.depth} references deep and is {after.depth}")
    for kind in before.fields.keys() | after.fields.keys():
        had, has = _embedded(before, kind), _embedded(after, kind)
        if had != has:
            yield change(f"embedded {had} of {kind} and embeds {has}")


def _embedded(view: ViewDefinition, kind: str) -> str:
    chosen = view.fields.get(kind)
    # They stand in the schema's order, whatever the order here.
    return "all" if chosen is None else ", ".join(sorted(chosen)) or "nothing but the URI"


def _mapping(before: ViewDefinition, after: ViewDefinition) -> Iterator[Change]:
    def change(text: str) -> Change:
        return Change("mapping", after.name, f"view {after.name} has another mapping: {text}")

    had, has = before.search, after.search
    for path in has.text.keys() - had.text.keys():
        yield change(f"{path} is searched")
    for path in had.text.keys() - has.text.keys():
        yield change(f"{path} is not searched any more")
    for path in had.text.keys() & has.text.keys():
        if had.text[path] != has.text[path]:
            yield change(f"{path} counted {had.text[path]:g} times and counts {has.text[path]:g} times")
    for path in {*has.facets} - {*had.facets}:
        yield change(f"{path} is a facet")
    for path in {*had.facets} - {*has.facets}:
        yield change(f"{path} is no facet any more")
    if had.date != has.date:
        yield change(f"the date was {had.date or 'none'} and is {has.date or 'none'}")

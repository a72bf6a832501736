"""References: where they stand in an asset's data, found along its schema."""

from typing import Any, NamedTuple, cast

from assets.schema import Record, Type


class FoundReference(NamedTuple):
    """One reference in a message."""

    place: str
    """Dotted path from the message's root."""
    uri: str
    kinds: tuple[str, ...]
    """What it may point at."""


class ReferenceTree(NamedTuple):
    """Where in a value references stand; arrays and unions are seen through."""

    kinds: tuple[str, ...] = ()
    """Of a value that is a reference."""
    fields: tuple[tuple[str, "ReferenceTree"], ...] = ()
    """Of a record."""
    values: "ReferenceTree | None" = None
    """Of a map."""


def reference_tree(type_: Type) -> ReferenceTree | None:
    """The tree of a type, None where it holds no references."""
    if isinstance(type_, Record):
        fields = [(name, tree) for name, inner in type_.fields.items() if (tree := reference_tree(inner))]
        return ReferenceTree(fields=tuple(fields)) if fields else None
    if type_.kinds:
        return ReferenceTree(type_.kinds)
    trees = [tree for inner in type_.inner if (tree := reference_tree(inner))]
    if not trees:
        return None
    if type_.name == "map":
        return ReferenceTree(values=trees[0])
    # Records of a union are told apart by their fields; the catalog refuses a reference beside another type.
    return ReferenceTree(
        tuple(kind for tree in trees for kind in tree.kinds),
        tuple(entry for tree in trees for entry in tree.fields),
        next((tree.values for tree in trees if tree.values), None),
    )


def find_references(tree: ReferenceTree | None, data: dict[str, Any]) -> list[FoundReference]:
    """The references in a message's valid data, in the schema's order."""
    found: list[FoundReference] = []
    if tree is not None:
        _in_record(tree, data, "data", found)
    return found


def _in_record(tree: ReferenceTree, record: dict[str, Any], place: str, found: list[FoundReference]) -> None:
    # Most fields are empty, most references stand in a field itself or in its array: those take no further call.
    for name, inner in tree.fields:
        value = record.get(name)
        # An empty text is no URI, and is found to be refused.
        if not value and value != "":
            continue
        if isinstance(value, str):
            if inner.kinds:
                found.append(FoundReference(f"{place}.{name}", value, inner.kinds))
        elif isinstance(value, list):
            _in_items(inner, cast("list[Any]", value), f"{place}.{name}", found)
        elif isinstance(value, dict):
            _in_record(inner, cast("dict[str, Any]", value), f"{place}.{name}", found)
    if tree.values is not None:
        _in_record(ReferenceTree(fields=tuple((name, tree.values) for name in record)), record, place, found)


def _in_items(tree: ReferenceTree, items: list[Any], place: str, found: list[FoundReference]) -> None:
    for number, item in enumerate(items):
        if isinstance(item, str):
            if tree.kinds:
                found.append(FoundReference(f"{place}[{number}]", item, tree.kinds))
        elif isinstance(item, dict):
            _in_record(tree, cast("dict[str, Any]", item), f"{place}[{number}]", found)
        elif isinstance(item, list):
            _in_items(tree, cast("list[Any]", item), f"{place}[{number}]", found)

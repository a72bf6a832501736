"""A kind's schema as help for who writes an asset: each field with its type, what it is for and what may stand there."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import orjson

from assets.catalog import Kind

_DEPTH_MAX = 6


class FieldHelp(NamedTuple):
    """What is to know of a field."""

    name: str
    type: str
    doc: str
    is_required: bool
    default: str
    symbols: tuple[str, ...]
    """What may stand there, where that is a choice."""
    fields: tuple["FieldHelp", ...]
    """Of the record that stands there, or of each in the array."""


def help_of(kind: Kind) -> list[FieldHelp]:
    """The fields of a kind, in the schema's order."""
    return list(_fields(orjson.loads(kind.text), {}, 0))


def blank_of(kind: Kind) -> dict[str, Any]:
    """Data to begin with: the fields that must be there."""
    fields: list[dict[str, Any]] = orjson.loads(kind.text)["fields"]
    return {field["name"]: _blank(field["type"]) for field in fields if "default" not in field}


def _fields(record: Mapping[str, Any], named: dict[str, Any], depth: int) -> Iterator[FieldHelp]:
    named[record["name"].rpartition(".")[2]] = record
    for field in record["fields"]:
        type_ = field["type"]
        inner = _inner(type_, named)
        record_in = inner if inner.get("type") == "record" and depth < _DEPTH_MAX else None
        yield FieldHelp(
            field["name"],
            _type(type_, named),
            field.get("doc", ""),
            "default" not in field,
            orjson.dumps(field["default"]).decode() if "default" in field else "",
            tuple(inner.get("symbols", ())),
            () if record_in is None else tuple(_fields(record_in, named, depth + 1)),
        )


def _inner(type_: Any, named: dict[str, Any]) -> dict[str, Any]:
    """What stands in a field once nulls and arrays are looked through, where that has a description of its own."""
    if isinstance(type_, str):
        return named.get(type_.rpartition(".")[2], {})
    if isinstance(type_, list):
        others = [branch for branch in cast("list[Any]", type_) if branch != "null"]
        return _inner(others[0], named) if len(others) == 1 else {}
    schema: dict[str, Any] = type_
    if "name" in schema:
        named[schema["name"].rpartition(".")[2]] = schema
        return schema
    inner = schema.get("items", schema.get("values"))
    return {} if inner is None else _inner(inner, named)


def _type(type_: Any, named: dict[str, Any]) -> str:
    match type_:
        case list():
            branches = cast("list[Any]", type_)
            text = " or ".join(_type(branch, named) for branch in branches if branch != "null")
            return f"{text}, or null" if "null" in branches else text
        case {"type": "array", "items": items}:
            inner = _type(items, named)
            return f"list of {'records' if inner == 'record' else inner}"
        case {"type": "map", "values": values}:
            return f"map of {_type(values, named)}"
        case {"logicalType": "asset-ref", "kinds": kinds}:
            return f"URI of {' or '.join(kinds)}"
        case {"type": "enum"}:
            return "one of"
        case {"type": "record"}:
            return "record"
        case {"type": inner, "logicalType": logical}:
            return f"{logical} ({inner})"
        case {"type": inner}:
            return _type(inner, named)
        case _:
            return {"string": "text", "int": "whole number", "long": "whole number"}.get(type_, str(type_))


def _blank(type_: Any) -> Any:
    match type_:
        case list():
            return None if "null" in type_ else _blank(type_[0])
        case {"type": "array"}:
            return []
        case {"type": "map" | "record"}:
            return {}
        case {"type": "enum", "symbols": [first, *_]}:
            return first
        case {"type": inner}:
            return _blank(inner)
        case "int" | "long" | "float" | "double":
            return 0
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return ""

"""Defaults: what a schema's JSON says of a field that was left out, as the value that it stands for."""

from collections.abc import Mapping
from typing import Any, Final, cast

from assets.errors import SchemaProblem
from assets.schema import Record, Type


def read_default(type_: Type, default: Any, place: str) -> Any:
    """A default, JSON in the schema, as the Avro libraries give the value: bytes as bytes, records with all their fields."""
    unfit = SchemaProblem(
        f"the default of {place} does not fit its type", "Correct the default", f'"{place}"', '"default"'
    )
    if type_.name == "union":
        for branch in type_.inner:
            try:
                return read_default(branch, default, place)
            except SchemaProblem:
                continue
        raise unfit
    if not isinstance(default, _JSON_TYPES[type_.name]) or (isinstance(default, bool) and type_.name != "boolean"):
        raise unfit
    if isinstance(type_, Record):
        given = cast("dict[str, Any]", default)
        if not given.keys() <= type_.fields.keys() or not type_.fields.keys() - given.keys() <= type_.defaults.keys():
            raise unfit
        return {
            name: read_default(inner, given[name], place) if name in given else type_.defaults[name]
            for name, inner in type_.fields.items()
        }
    if type_.name == "array":
        return [read_default(type_.inner[0], item, place) for item in cast("list[Any]", default)]
    if type_.name == "map":
        return {key: read_default(type_.inner[0], item, place) for key, item in cast("dict[str, Any]", default).items()}
    if type_.logical in _NO_DEFAULT:
        raise SchemaProblem(
            f"a {type_.logical} can't have a default here", 'Use ["null", ...] with the default null', f'"{place}"'
        )
    value = _scalar(type_, default)
    if value is None and type_.name != "null":
        raise unfit
    return value


def _scalar(type_: Type, default: Any) -> Any:
    """The value of a scalar's default, None where it has none that fits."""
    if type_.name == "enum":
        return default if default in type_.symbols else None
    if type_.name in ("bytes", "fixed"):
        try:
            value = cast("str", default).encode("latin-1")
        except UnicodeEncodeError:
            return None
        return value if type_.name == "bytes" or len(value) == type_.size else None
    if type_.name in ("int", "long"):
        bits = 32 if type_.name == "int" else 64
        return default if -(1 << bits - 1) <= default < 1 << bits - 1 else None
    return float(default) if type_.name in ("float", "double") else default


_JSON_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "null": type(None),
    "boolean": bool,
    "int": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "bytes": str,
    "fixed": str,
    "string": str,
    "enum": str,
    "array": list,
    "map": dict,
    "record": dict,
}
_NO_DEFAULT: Final = {"decimal", "time-millis", "time-micros"}

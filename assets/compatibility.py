"""Compatibility: whether what one schema wrote can be read as another."""

from collections.abc import Mapping
from typing import Final

from assets.schema import REFERENCE, Record, Type


def incompatibility(reader: Type, writer: Type, path: str = "") -> str | None:
    """Why what `writer` wrote can't be read as `reader` (Avro 1.12, Schema Resolution); None when it can."""
    here = path or "it"
    if writer.name == "union":
        return next(filter(None, (incompatibility(reader, branch, path) for branch in writer.inner)), None)
    if reader.name == "union":
        if any(incompatibility(branch, writer, path) is None for branch in reader.inner):
            return None
        return f"{here} may be {writer.declared or writer.name}, which is not among its types now"
    if reader.name == writer.name and writer.declared not in (reader.declared, *reader.formerly):
        return f"{here} was the {writer.name} {writer.declared}, is {reader.declared} without that alias"
    if isinstance(reader, Record) and isinstance(writer, Record):
        return _record_incompatibility(reader, writer, path)
    if reader.name != writer.name and reader.name not in _PROMOTIONS.get(writer.name, ()):
        return f"{here} was {writer.name}, is {reader.name}"
    reason = _value_incompatibility(reader, writer)
    if reason is not None:
        return f"{here} {reason}"
    pairs = zip(reader.inner, writer.inner, strict=True)
    return next(filter(None, (incompatibility(new, old, path) for new, old in pairs)), None)


def _record_incompatibility(reader: Record, writer: Record, path: str) -> str | None:
    for name, type_ in reader.fields.items():
        place = f"{path}.{name}" if path else name
        old = next((old for old in (name, *reader.aliases.get(name, ())) if old in writer.fields), None)
        if old is not None:
            reason = incompatibility(type_, writer.fields[old], place)
            if reason is not None:
                return reason
        elif name not in reader.defaults:
            return f"{place} is new and has no default"
    return None


def _value_incompatibility(reader: Type, writer: Type) -> str | None:
    if reader.kinds and not set(writer.kinds) <= set(reader.kinds):
        return f"referred to {', '.join(writer.kinds)}, now only to {', '.join(reader.kinds)}"
    if not set(writer.symbols) <= set(reader.symbols):
        lost = ", ".join(sorted(set(writer.symbols) - set(reader.symbols)))
        return f"had the symbols {lost}, and has not now"
    if reader.size != writer.size:
        return f"had {writer.size} bytes, has {reader.size}"
    if reader.logical != writer.logical and REFERENCE not in (reader.logical, writer.logical):
        return f"had logical type {writer.logical}, has {reader.logical}"
    return None


_PROMOTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),  # but not bytes to string, as Avro has it: not all bytes are UTF-8
}

"""A kind's Avro schema, laid out so that paths and references can be followed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

SearchClass = Literal["string", "number", "boolean", "time", "record", "bytes", "null"]

REFERENCE: Final = "asset-ref"
"""The logical type of a string that is another asset's URI."""

_TIMES: Final = {
    ("long", "timestamp-millis"),
    ("long", "timestamp-micros"),
    ("int", "date"),
}
_SEARCH_CLASSES: Final[Mapping[str, SearchClass]] = {
    "null": "null",
    "boolean": "boolean",
    "int": "number",
    "long": "number",
    "float": "number",
    "double": "number",
    "bytes": "bytes",
    "fixed": "bytes",
    "string": "string",
    "enum": "string",
    "map": "record",
    "record": "record",
}


@dataclass(frozen=True, eq=False)
class Type:
    """A type of a schema, names resolved. `inner` are an array's items, a map's values, a union's branches."""

    name: str
    logical: str | None = None
    inner: tuple["Type", ...] = ()
    symbols: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """Of a reference: the kinds it may point at."""
    size: int = 0
    """Of a fixed: bytes."""
    declared: str = ""
    """Of a record, an enum or a fixed: its name, without the namespace."""
    formerly: tuple[str, ...] = ()
    """Names that it had in earlier schemas."""

    @property
    def search_class(self) -> SearchClass:
        """What a search can do with it; an array or a nullable type is what it holds."""
        if self.name in ("array", "union"):
            classes: set[SearchClass] = {inner.search_class for inner in self.inner if inner.name != "null"}
            return classes.pop() if len(classes) == 1 else "record"
        if (self.name, self.logical) in _TIMES:
            return "time"
        return _SEARCH_CLASSES[self.name]


@dataclass(frozen=True, eq=False)
class Record(Type):
    """A record. `defaults` has the fields that may be left out of a message, with the values they have then, as the
    Avro libraries give them.
    """

    fields: Mapping[str, Type] = field(default_factory=dict[str, Type])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True)
class Reference:
    """A place in a kind where references stand: its dotted path and the kinds they may point at."""

    path: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Kind:
    """What an asset is: its present schema and the references in it."""

    name: str
    text: str
    """The present schema, compact JSON."""
    parsed: Any
    """The same as fastavro takes it."""
    record: Record
    references: tuple[Reference, ...]
    older: tuple[str, ...]
    """Earlier schemas that came with the catalog, oldest first, compact JSON."""


def step_into(type_: Type, step: str) -> Iterator[Type]:
    """The types that one dotted step leads to: into records, through arrays, nullables and unions, not into maps."""
    if isinstance(type_, Record):
        if step in type_.fields:
            yield type_.fields[step]
    elif type_.name in ("array", "union"):
        for inner in type_.inner:
            yield from step_into(inner, step)


def step_names(type_: Type) -> Iterator[str]:
    """The field names that a path may step to from a type."""
    if isinstance(type_, Record):
        yield from type_.fields
    else:
        for inner in type_.inner:
            yield from step_names(inner)


def reference_at(type_: Type) -> tuple[str, ...]:
    """The kinds that a type refers to, when it is a reference: alone, nullable or in an array; else empty."""
    if type_.name in ("array", "union"):
        inner = [branch for branch in type_.inner if branch.name != "null"]
        return reference_at(inner[0]) if len(inner) == 1 else ()
    return type_.kinds

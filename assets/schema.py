"""A kind's Avro schema: read, checked, and laid out so that paths and references can be followed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

import fastavro
import fastavro.schema
import orjson

from assets.limits import SCHEMA_DEPTH_MAX

SearchClass = Literal["string", "number", "boolean", "time", "record", "bytes", "null"]

REFERENCE: Final = "asset-ref"
"""The logical type of a string that is another asset's URI."""

_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PRIMITIVES: Final = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
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
    def is_reference(self) -> bool:
        """Whether it is one reference, neither nullable nor an array."""
        return bool(self.kinds)

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


class SchemaProblem(Exception):
    """One thing wrong with a schema; `needles` stand in its text where it is."""

    def __init__(self, problem: str, remedy: str, *needles: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.needles = needles
        self.line = line


def parse_kind(kind: str, text: str, older: Sequence[str]) -> Kind:
    """The kind in an Avro schema's text, and in its earlier versions' texts.

    Raises:
        SchemaProblem: at the first thing wrong.
    """
    schema, parsed = _parse_avro(text)
    record = _record(kind, schema)
    versions: list[str] = []
    for number, version in enumerate(older, 1):
        try:
            old, _ = _parse_avro(version)
            old_record = _record(kind, old)
        except SchemaProblem as problem:
            raise SchemaProblem(f"version {number} of {kind}: {problem.problem}", problem.remedy) from None
        reason = incompatibility(record, old_record)
        if reason is not None:
            raise SchemaProblem(
                f"it can't read messages of version {number}: {reason}",
                "Give new fields a default and keep the types of old ones",
                f'"{reason.split()[0].rpartition(".")[2]}"',
            )
        versions.append(_compact(old))
    return Kind(kind, _compact(schema), parsed, record, tuple(_references(record, "")), tuple(versions))


def parse_record(kind: str, text: str) -> tuple[Record, Any]:
    """The record in a schema's text, and the same as fastavro takes it.

    Raises:
        SchemaProblem: at the first thing wrong.
    """
    schema, parsed = _parse_avro(text)
    return _record(kind, schema), parsed


def step_into(type_: Type, step: str) -> Iterator[Type]:
    """The types that one dotted step leads to: into records, through arrays, nullables and unions, not into maps."""
    if isinstance(type_, Record):
        if step in type_.fields:
            yield type_.fields[step]
    elif type_.name in ("array", "union"):
        for inner in type_.inner:
            yield from step_into(inner, step)


def reference_at(type_: Type) -> tuple[str, ...]:
    """The kinds that a type refers to, when it is a reference: alone, nullable or in an array; else empty."""
    if type_.name in ("array", "union"):
        inner = [branch for branch in type_.inner if branch.name != "null"]
        return reference_at(inner[0]) if len(inner) == 1 else ()
    return type_.kinds


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


def _parse_avro(text: str) -> tuple[Any, Any]:
    try:
        schema: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SchemaProblem(f"not JSON: {error.msg}", "Correct the syntax", line=error.lineno) from None
    try:
        # fastavro names repeated types by reference and marks what it has seen: give it a copy of its own.
        parsed = fastavro.parse_schema(orjson.loads(text), named_schemas={}, expand=False)
    except fastavro.schema.SchemaParseException as error:
        raise SchemaProblem(f"not an Avro schema: {error}", "See the Avro specification, Schema Declaration") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SchemaProblem(
            f"not an Avro schema: {type(error).__name__} {error}", "See the Avro specification, Schema Declaration"
        ) from None
    return schema, parsed


def _compact(schema: Any) -> str:
    return orjson.dumps(schema).decode()


def _record(kind: str, schema: Any) -> Record:
    if not isinstance(schema, dict) or cast("dict[str, Any]", schema).get("type") != "record":
        raise SchemaProblem("a kind's schema must be an Avro record", 'Write {"type": "record", "name": ...}')
    named = cast("dict[str, Any]", schema)
    if named["name"].rpartition(".")[2] != kind:
        raise SchemaProblem(
            f"the record's name is {named['name']}, the file's {kind}", "Make them the same", f'"{named["name"]}"'
        )
    record = _Reader().read(schema, (), named.get("namespace", ""))
    assert isinstance(record, Record)
    if "uri" in record.fields:
        raise SchemaProblem("a field is named uri", "Rename it: every asset has its URI as `uri`", '"uri"')
    return record


class _Reader:
    """Builds the `Type` tree; fastavro has already checked that it is Avro."""

    def __init__(self) -> None:
        self._named: dict[str, Type] = {}

    def read(self, schema: Any, inside: tuple[str, ...], namespace: str) -> Type:
        if len(inside) > SCHEMA_DEPTH_MAX:
            raise SchemaProblem(f"types are nested more than {SCHEMA_DEPTH_MAX} deep", "Make it flatter")
        if isinstance(schema, str):
            return self._by_name(schema, inside, namespace)
        if isinstance(schema, list):
            return self._union([self.read(branch, inside, namespace) for branch in cast("list[Any]", schema)])
        document = cast("dict[str, Any]", schema)
        name: Any = document["type"]
        if not isinstance(name, str):
            return self.read(name, inside, namespace)
        if name in ("record", "error", "enum", "fixed"):
            return self._declared(name, document, inside, namespace)
        if name in ("array", "map"):
            inner = self.read(document["items" if name == "array" else "values"], (*inside, name), namespace)
            if _is_zero_width(inner):
                raise SchemaProblem(
                    f"{'items of an array' if name == 'array' else 'values of a map'} take no bytes,"
                    " so that a few bytes could stand for billions of them",
                    "Give them a type that holds something",
                )
            return Type(name, inner=(inner,))
        if name in _PRIMITIVES:
            return self._primitive(name, document)
        return self._by_name(name, inside, namespace)

    def _by_name(self, name: str, inside: tuple[str, ...], namespace: str) -> Type:
        if name in _PRIMITIVES:
            return Type(name)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        if full in inside:
            raise SchemaProblem(
                f"record {name} contains itself", "Make the inner one an asset of its own and refer to it", f'"{name}"'
            )
        return self._named.get(full) or self._named[name]

    def _declared(self, type_: str, document: dict[str, Any], inside: tuple[str, ...], namespace: str) -> Type:
        name: str = document["name"]
        namespace = name.rpartition(".")[0] or document.get("namespace", namespace)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        names = {"declared": full.rpartition(".")[2], "formerly": tuple(document.get("aliases") or ())}
        if type_ == "enum":
            made = Type("enum", symbols=tuple(document["symbols"]), **names)
        elif type_ == "fixed":
            size: Any = document["size"]
            if not isinstance(size, int) or size < 0:
                raise SchemaProblem(f"fixed {name} has size {size!r}", "Give it a whole number of bytes", f'"{name}"')
            made = Type("fixed", document.get("logicalType"), size=size, **names)
        else:
            fields: dict[str, Type] = {}
            defaults: dict[str, Any] = {}
            aliases: dict[str, tuple[str, ...]] = {}
            if not isinstance(document.get("fields"), list):
                raise SchemaProblem(f"record {name} has no fields", 'Write "fields": [...]', f'"{name}"')
            for entry in document["fields"]:
                field_name: Any = entry["name"]
                if not isinstance(field_name, str) or not _FIELD.match(field_name):
                    raise SchemaProblem(
                        f"{field_name!r} is no field name", "Use letters, digits and _", f'"{name}"', f'"{field_name}"'
                    )
                if field_name in fields:
                    raise SchemaProblem(
                        f"record {name} has two fields {field_name}",
                        "Rename one",
                        f'"{name}"',
                        f'"{field_name}"',
                        f'"{field_name}"',
                    )
                fields[field_name] = self.read(entry["type"], (*inside, full), namespace)
                if "default" in entry:
                    defaults[field_name] = _default(fields[field_name], entry["default"], field_name)
                if entry.get("aliases"):
                    aliases[field_name] = tuple(entry["aliases"])
            made = Record("record", fields=fields, defaults=defaults, aliases=aliases, **names)
        self._named[full] = made
        return made

    def _primitive(self, name: str, document: dict[str, Any]) -> Type:
        logical: Any = document.get("logicalType")
        if logical != REFERENCE:
            return Type(name, logical)
        kinds: Any = document.get("kinds")
        named = cast("list[Any]", kinds) if isinstance(kinds, list) else []
        if name != "string" or not named or not all(isinstance(kind, str) for kind in named):
            raise SchemaProblem(
                f"an {REFERENCE} must be a string with the kinds it may point at",
                f'Write {{"type": "string", "logicalType": "{REFERENCE}", "kinds": ["image"]}}',
                f'"{REFERENCE}"',
            )
        return Type(name, REFERENCE, kinds=tuple(named))

    def _union(self, branches: list[Type]) -> Type:
        holds = [branch for branch in branches if branch.name != "null"]
        alike = [branch.declared or branch.name for branch in branches]
        if len(set(alike)) < len(alike) or not holds or "union" in alike:
            raise SchemaProblem(
                f"a union offers {', '.join(alike) or 'nothing'}", "Offer each type once, and something beside null"
            )
        records = [frozenset(branch.fields) for branch in holds if isinstance(branch, Record)]
        if len(set(records)) < len(records) or (records and "map" in alike):
            raise SchemaProblem(
                f"a union offers {', '.join(alike)}, and a value can't tell which it is",
                "Give each record of a union a field that no other has, and offer no map beside them",
            )
        whole = [branch for branch in holds if branch.name in ("int", "long")]
        if len(whole) > 1 and any(branch.logical for branch in whole):
            raise SchemaProblem(
                f"a union offers {', '.join(branch.logical or branch.name for branch in whole)},"
                " and a value can't tell which it is",
                "Offer one whole number, date or time",
            )
        if len(holds) > 1 and any(_holds_reference(branch) for branch in holds):
            raise SchemaProblem(
                f"a union offers an {REFERENCE} beside another type, so that a value can't tell which it is",
                f'Use ["null", {REFERENCE}] or a field of its own',
                f'"{REFERENCE}"',
            )
        return Type("union", inner=tuple(branches))


def _holds_reference(type_: Type) -> bool:
    """Whether values of this type are references or arrays of them; records are told apart by their fields."""
    return bool(type_.kinds) or (type_.name == "array" and any(_holds_reference(inner) for inner in type_.inner))


def _default(type_: Type, default: Any, place: str) -> Any:
    """A default, JSON in the schema, as the Avro libraries give the value: bytes as bytes, records with all their fields."""
    unfit = SchemaProblem(
        f"the default of {place} does not fit its type", "Correct the default", f'"{place}"', '"default"'
    )
    if type_.name == "union":
        for branch in type_.inner:
            try:
                return _default(branch, default, place)
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
            name: _default(inner, given[name], place) if name in given else type_.defaults[name]
            for name, inner in type_.fields.items()
        }
    if type_.name == "array":
        return [_default(type_.inner[0], item, place) for item in cast("list[Any]", default)]
    if type_.name == "map":
        return {key: _default(type_.inner[0], item, place) for key, item in cast("dict[str, Any]", default).items()}
    if type_.name == "enum" and default not in type_.symbols:
        raise unfit
    if type_.logical in _NO_DEFAULT:
        raise SchemaProblem(
            f"a {type_.logical} can't have a default here", 'Use ["null", ...] with the default null', f'"{place}"'
        )
    if type_.name in ("bytes", "fixed"):
        try:
            value = cast("str", default).encode("latin-1")
        except UnicodeEncodeError:
            raise unfit from None
        if type_.name == "fixed" and len(value) != type_.size:
            raise unfit
        return value
    if type_.name in ("int", "long"):
        bits = 32 if type_.name == "int" else 64
        if not -(1 << bits - 1) <= default < 1 << bits - 1:
            raise unfit
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


def _is_zero_width(type_: Type) -> bool:
    if isinstance(type_, Record):
        return all(_is_zero_width(inner) for inner in type_.fields.values())
    return type_.name == "null" or (type_.name == "fixed" and type_.size == 0)


def _references(type_: Type, path: str) -> Iterator[Reference]:
    if isinstance(type_, Record):
        for name, inner in type_.fields.items():
            yield from _references(inner, f"{path}.{name}" if path else name)
    elif type_.kinds:
        yield Reference(path, type_.kinds)
    else:
        for inner in type_.inner:
            yield from _references(inner, path)

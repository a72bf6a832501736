"""Reading schemas: Avro's JSON to kinds, with every rule of ours and of Avro's that is broken named and placed."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import fastavro
import fastavro.schema
import orjson

from assets.compatibility import incompatibility
from assets.errors import SchemaProblem
from assets.limits import SCHEMA_DEPTH_MAX
from assets.schema import REFERENCE, Kind, Record, Reference, Type
from assets.schema_defaults import read_default

_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PRIMITIVES: Final = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


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
        declared = full.rpartition(".")[2]
        formerly: tuple[str, ...] = tuple(document.get("aliases") or ())
        if type_ == "enum":
            made = Type("enum", symbols=tuple(document["symbols"]), declared=declared, formerly=formerly)
        elif type_ == "fixed":
            size: Any = document["size"]
            if not isinstance(size, int) or size < 0:
                raise SchemaProblem(f"fixed {name} has size {size!r}", "Give it a whole number of bytes", f'"{name}"')
            made = Type("fixed", document.get("logicalType"), size=size, declared=declared, formerly=formerly)
        else:
            if not isinstance(document.get("fields"), list):
                raise SchemaProblem(f"record {name} has no fields", 'Write "fields": [...]', f'"{name}"')
            fields, defaults, aliases = self._fields(name, document["fields"], (*inside, full), namespace)
            made = Record(
                "record", fields=fields, defaults=defaults, aliases=aliases, declared=declared, formerly=formerly
            )
        self._named[full] = made
        return made

    def _fields(
        self, record: str, entries: list[Any], inside: tuple[str, ...], namespace: str
    ) -> tuple[dict[str, Type], dict[str, Any], dict[str, tuple[str, ...]]]:
        """A record's fields, their defaults and their aliases."""
        fields: dict[str, Type] = {}
        defaults: dict[str, Any] = {}
        aliases: dict[str, tuple[str, ...]] = {}
        for entry in entries:
            name: Any = entry["name"]
            if not isinstance(name, str) or not _FIELD.match(name):
                raise SchemaProblem(
                    f"{name!r} is no field name", "Use letters, digits and _", f'"{record}"', f'"{name}"'
                )
            if name in fields:
                needles = (f'"{record}"', f'"{name}"', f'"{name}"')
                raise SchemaProblem(f"record {record} has two fields {name}", "Rename one", *needles)
            fields[name] = self.read(entry["type"], inside, namespace)
            if "default" in entry:
                defaults[name] = read_default(fields[name], entry["default"], name)
            if entry.get("aliases"):
                aliases[name] = tuple(entry["aliases"])
        return fields, defaults, aliases

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

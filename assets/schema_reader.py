"""Reading schemas: Avro's JSON to kinds, with every rule of ours and of Avro's that is broken named and placed."""

import re
from collections.abc import Iterator, Mapping
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
_NAME: Final = re.compile(rf"{_FIELD.pattern[:-2]}(\.{_FIELD.pattern[:-2]})*\Z")
_PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
_TYPE_REMEDY: Final = (
    f"Use {', '.join(_PRIMITIVES)}, the name of a type declared before, an object or an array of types"
)
_NAME_REMEDY: Final = "Use letters, digits and _, no digit first"
_SHORT_CHARACTERS: Final = 40


def parse_kind(kind: str, text: str, older: Mapping[str, str]) -> Kind:
    """The kind in an Avro schema's text, and in its earlier versions' texts by file, oldest first.

    Raises:
        SchemaProblem: at the first thing wrong.
    """
    record, schema, parsed = _read(kind, text)
    versions: list[str] = []
    for file, version in older.items():
        try:
            old_record, old, _ = _read(kind, version)
        except SchemaProblem as problem:
            problem.file = file
            raise
        reason = incompatibility(record, old_record)
        if reason is not None:
            raise SchemaProblem(
                f"it can't read messages of {file}: {reason}",
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
    record, _, parsed = _read(kind, text)
    return record, parsed


def _read(kind: str, text: str) -> tuple[Record, Any, Any]:
    """The record, its JSON, and the same as fastavro takes it, which has the last word on what is Avro."""
    try:
        schema: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SchemaProblem(f"not JSON: {error.msg}", "Correct the syntax", line=error.lineno) from None
    record = _record(kind, schema)
    try:
        # fastavro names repeated types by reference and marks what it has seen: give it a copy of its own.
        parsed = fastavro.parse_schema(orjson.loads(text), named_schemas={}, expand=False)
    except fastavro.schema.SchemaParseException as error:
        raise SchemaProblem(f"not an Avro schema: {error}", "See the Avro specification, Schema Declaration") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SchemaProblem(
            f"not an Avro schema: {type(error).__name__} {error}", "See the Avro specification, Schema Declaration"
        ) from None
    return record, schema, parsed


def _compact(schema: Any) -> str:
    return orjson.dumps(schema).decode()


def _record(kind: str, schema: Any) -> Record:
    if not isinstance(schema, dict) or cast("dict[str, Any]", schema).get("type") != "record":
        raise SchemaProblem("a kind's schema must be an Avro record", 'Write {"type": "record", "name": ...}')
    record = _Reader().read(schema, (), "")
    assert isinstance(record, Record)
    if record.declared != kind:
        raise SchemaProblem(
            f"the record's name is {record.declared}, the file's {kind}", "Make them the same", f'"{record.declared}"'
        )
    if "uri" in record.fields:
        raise SchemaProblem("a field is named uri", "Rename it: every asset has its URI as `uri`", '"uri"')
    return record


class _Reader:
    """Builds the `Type` tree, and says what is not Avro in words of ours: fastavro knows no places."""

    def __init__(self) -> None:
        self._named: dict[str, Type] = {}

    def read(self, schema: Any, inside: tuple[str, ...], namespace: str) -> Type:
        if len(inside) > SCHEMA_DEPTH_MAX:
            raise SchemaProblem(f"types are nested more than {SCHEMA_DEPTH_MAX} deep", "Make it flatter")
        if isinstance(schema, str):
            return self._by_name(schema, inside, namespace)
        if isinstance(schema, list):
            branches = cast("list[Any]", schema)
            if any(isinstance(branch, list) for branch in branches):
                raise SchemaProblem("a union stands directly inside another", "Make them one")
            return self._union([self.read(branch, inside, namespace) for branch in branches])
        if not isinstance(schema, dict):
            raise SchemaProblem(f"{_short(schema)} is no type", _TYPE_REMEDY)
        document = cast("dict[str, Any]", schema)
        name: Any = document.get("type")
        if not isinstance(name, str):
            raise SchemaProblem(f"{_short(schema)} is no type", _TYPE_REMEDY)
        if name in ("record", "error", "enum", "fixed"):
            return self._declared(name, document, inside, namespace)
        if name in ("array", "map"):
            holds = "items" if name == "array" else "values"
            if holds not in document:
                raise SchemaProblem(
                    f'{_a(name)} has no "{holds}"', f'Say what it holds: "{holds}": "string"', f'"{name}"'
                )
            inner = self.read(document[holds], (*inside, f"[{name}]"), namespace)
            if _is_zero_width(inner):
                raise SchemaProblem(
                    f"{'items of an array' if name == 'array' else 'values of a map'} take no bytes,"
                    " so that a few bytes could stand for billions of them",
                    "Give them a type that holds something",
                )
            return Type(name, inner=(inner,))
        if name in _PRIMITIVES:
            return self._primitive(name, document)
        raise SchemaProblem(f'unknown type "{name}"', _TYPE_REMEDY, f'"{name}"')

    def _by_name(self, name: str, inside: tuple[str, ...], namespace: str) -> Type:
        if name in _PRIMITIVES:
            return Type(name)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        if full in inside:
            raise SchemaProblem(
                f"record {name} contains itself", "Make the inner one an asset of its own and refer to it", f'"{name}"'
            )
        made = self._named.get(full) or self._named.get(name)
        if made is None:
            raise SchemaProblem(f'unknown type "{name}"', _TYPE_REMEDY, f'"{name}"')
        return made

    def _declared(self, type_: str, document: dict[str, Any], inside: tuple[str, ...], namespace: str) -> Type:
        name: Any = document.get("name")
        if not isinstance(name, str) or not _NAME.match(name):
            raise SchemaProblem(f'{_a(type_)} has the "name" {_short(name)}', _NAME_REMEDY, f'"{type_}"')
        given: Any = name.rpartition(".")[0] or document.get("namespace", namespace) or ""
        if not isinstance(given, str) or (given and not _NAME.match(given)):
            raise SchemaProblem(f'{name} has the "namespace" {_short(given)}', _NAME_REMEDY, f'"{name}"')
        namespace = given
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        declared = full.rpartition(".")[2]
        if full in self._named or full in inside:
            raise SchemaProblem(
                f"{name} is declared twice", "Write its name alone the second time", f'"{name}"', f'"{name}"'
            )
        formerly = _aliases(document, name)
        if type_ == "enum":
            symbols: Any = document.get("symbols")
            listed = cast("list[Any]", symbols) if isinstance(symbols, list) else []
            if not listed or any(not isinstance(one, str) or not _FIELD.match(one) for one in listed):
                raise SchemaProblem(f'enum {name} has the "symbols" {_short(symbols)}', _NAME_REMEDY, f'"{name}"')
            made = Type("enum", symbols=tuple(listed), declared=declared, formerly=formerly)
        elif type_ == "fixed":
            size: Any = document.get("size")
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise SchemaProblem(
                    f'fixed {name} has the "size" {_short(size)}', "Give it a whole number of bytes", f'"{name}"'
                )
            made = Type("fixed", _logical(document), size=size, declared=declared, formerly=formerly)
        else:
            if not isinstance(document.get("fields"), list):
                raise SchemaProblem(f'record {name} has no "fields"', 'Write "fields": [...]', f'"{name}"')
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
            if not isinstance(entry, dict):
                raise SchemaProblem(
                    f"record {record} has the field {_short(entry)}", 'Write {"name": ..., "type": ...}', f'"{record}"'
                )
            field = cast("dict[str, Any]", entry)
            name: Any = field.get("name")
            if not isinstance(name, str) or not _FIELD.match(name):
                raise SchemaProblem(
                    f'a field of {record} has the "name" {_short(name)}', _NAME_REMEDY, f'"{record}"', f'"{name}"'
                )
            if "type" not in field or field.get("logicalType") == REFERENCE:
                raise SchemaProblem(
                    f'{name} has no "type"' if "type" not in field else f'{name} has its "logicalType" beside its type',
                    f'Write {{"name": "{name}", "type": {{"type": "string", ...}}}}',
                    f'"{name}"',
                )
            if name in fields:
                needles = (f'"{record}"', f'"{name}"', f'"{name}"')
                raise SchemaProblem(f"record {record} has two fields {name}", "Rename one", *needles)
            try:
                fields[name] = self.read(field["type"], inside, namespace)
            except SchemaProblem as problem:
                problem.needles = (f'"{name}"', *problem.needles)
                raise
            if "default" in field:
                defaults[name] = read_default(fields[name], field["default"], name)
            if field.get("aliases"):
                aliases[name] = _aliases(field, name)
        return fields, defaults, aliases

    def _primitive(self, name: str, document: dict[str, Any]) -> Type:
        logical = _logical(document)
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


def _logical(document: dict[str, Any]) -> str | None:
    """The logical type; one that is no text is ignored, as Avro says of those it doesn't know."""
    logical: Any = document.get("logicalType")
    return logical if isinstance(logical, str) else None


def _aliases(document: dict[str, Any], name: str) -> tuple[str, ...]:
    aliases: Any = document.get("aliases") or []
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in cast("list[Any]", aliases)):
        raise SchemaProblem(f'{name} has the "aliases" {_short(aliases)}', 'Write ["OLD_NAME"]', f'"{name}"')
    return tuple(cast("list[str]", aliases))


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _short(value: Any) -> str:
    """JSON, as far as it helps to find it."""
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHORT_CHARACTERS else f"{text[:_SHORT_CHARACTERS]}..."


def _holds_reference(type_: Type) -> bool:
    """Whether values of this type are references or arrays of them; records are told apart by their fields."""
    return bool(type_.kinds) or (type_.name in ("array", "union") and any(map(_holds_reference, type_.inner)))


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

"""Validation: what a message must look like, compiled from the schemas to types that msgspec checks in one pass."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, NamedTuple, cast
from uuid import UUID

import msgspec

from assets.errors import InvalidMessage, InvalidUri
from assets.limits import KEY_CHARACTERS_MAX, REFERENCES_PER_ASSET_MAX
from assets.model import check_uri, microseconds
from assets.schema import Kind, Record, Type, step_into

_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_CHARACTERS_MAX)]


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """A message as published (DESIGN 3)."""

    uri: str
    kind: str
    op: Literal["publish", "unpublish"]
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    tx: _Key | None = None
    id: _Key | None = None
    expect: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    """-1: the asset must not be in the log yet."""
    data: dict[str, Any] | None = None


class Checked(NamedTuple):
    """A valid message, not yet encoded."""

    envelope: Envelope
    time: int
    """Microseconds since the epoch."""
    references: tuple[tuple[str, str], ...]
    """Where each reference stands, and the URI it points at."""


_decode: Final = msgspec.json.Decoder(Envelope).decode
_check_uri: Final = lru_cache(maxsize=65_536)(check_uri)


def parse_message(line: bytes) -> Envelope:
    """The message in a JSON text.

    Raises:
        InvalidMessage: with the field and the rule.
    """
    try:
        return _decode(line)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), "", None) from None
    except UnicodeDecodeError as error:
        raise InvalidMessage("", f"not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise InvalidMessage("", "nested too deep") from None
    except msgspec.DecodeError as error:
        raise InvalidMessage("", f"not JSON: {error}") from None


class Validator:
    """Checks messages against the kinds of a catalog."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._types = {name: _msgspec_type(kind.record, name) for name, kind in kinds.items()}
        self._trees = {name: _reference_tree(kind.record) for name, kind in kinds.items()}

    def check(self, envelope: Envelope) -> Checked:
        """The message with its references.

        Raises:
            InvalidMessage: with the field and the rule.
        """
        kind = self._check_uri("uri", envelope.uri)
        if kind != envelope.kind:
            raise InvalidMessage("kind", f"is {envelope.kind!r}, but the URI says {kind!r}")
        if kind not in self._kinds:
            raise InvalidMessage("kind", f"the catalog has no kind {kind!r}; it has {', '.join(sorted(self._kinds))}")
        data = envelope.data
        if envelope.op == "unpublish":
            if data is not None:
                raise InvalidMessage("data", "an unpublish has no data")
            return Checked(envelope, microseconds(envelope.time), ())
        if data is None:
            raise InvalidMessage("data", "is required to publish")
        try:
            msgspec.convert(data, self._types[kind], dec_hook=_choose_branch)
        except msgspec.ValidationError as error:
            raise _invalid(str(error), "data", self._kinds[kind].record) from None
        tree = self._trees[kind]
        references = tuple(self._references(data, tree, "data")) if tree else ()
        if len(references) > REFERENCES_PER_ASSET_MAX:
            raise InvalidMessage("data", f"has {len(references):,} references, at most {REFERENCES_PER_ASSET_MAX:,}")
        return Checked(envelope, microseconds(envelope.time), references)

    def _check_uri(self, field: str, uri: str) -> str:
        try:
            return _check_uri(uri)
        except InvalidUri as error:
            raise InvalidMessage(field, f"{uri[:200]!r}: {error.rule}") from None

    def _references(self, value: Any, tree: "_Tree", path: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            if tree.kinds:
                kind = self._check_uri(path, value)
                if kind not in tree.kinds:
                    raise InvalidMessage(path, f"refers to the kind {kind}, must be {' or '.join(tree.kinds)}")
                yield path, value
        elif isinstance(value, dict):
            record = cast("dict[str, Any]", value)
            for name, inner in tree.fields:
                if record.get(name):
                    yield from self._references(record[name], inner, f"{path}.{name}")
            if tree.values is not None:
                for name, item in record.items():
                    yield from self._references(item, tree.values, f"{path}.{name}")
        elif isinstance(value, list):
            for number, item in enumerate(cast("list[Any]", value)):
                yield from self._references(item, tree, f"{path}[{number}]")


class _Tree(NamedTuple):
    """Where in a value references stand; arrays and unions are seen through."""

    kinds: tuple[str, ...] = ()
    fields: tuple[tuple[str, "_Tree"], ...] = ()
    values: "_Tree | None" = None
    """Of a map."""


def _reference_tree(type_: Type) -> _Tree | None:
    if isinstance(type_, Record):
        fields = [(name, tree) for name, inner in type_.fields.items() if (tree := _reference_tree(inner))]
        return _Tree(fields=tuple(fields)) if fields else None
    if type_.kinds:
        return _Tree(type_.kinds)
    trees = [tree for inner in type_.inner if (tree := _reference_tree(inner))]
    if not trees:
        return None
    if type_.name == "map":
        return _Tree(values=trees[0])
    # Records of a union are told apart by their fields; the catalog refuses a reference beside another type.
    return _Tree(
        tuple(kind for tree in trees for kind in tree.kinds),
        tuple(entry for tree in trees for entry in tree.fields),
        next((tree.values for tree in trees if tree.values), None),
    )


_INT: Final = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_LONG: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_AWARE: Final = Annotated[datetime, msgspec.Meta(tz=True)]
_BYTES: Final = Annotated[str, msgspec.Meta(pattern=r"^[\x00-\xff]*$")]
_TYPES: Final[Mapping[tuple[str, str | None], Any]] = {
    ("long", "timestamp-millis"): _AWARE,
    ("long", "timestamp-micros"): _AWARE,
    ("int", "date"): date,
    ("int", "time-millis"): time,
    ("long", "time-micros"): time,
    ("bytes", "decimal"): Decimal,
    ("fixed", "decimal"): Decimal,
    ("string", "uuid"): UUID,
    ("null", None): type(None),
    ("boolean", None): bool,
    ("int", None): _INT,
    ("long", None): _LONG,
    ("float", None): float,
    ("double", None): float,
    ("string", None): str,
    ("bytes", None): _BYTES,
    ("fixed", None): _BYTES,
}


def _msgspec_type(type_: Type, name: str) -> Any:
    if isinstance(type_, Record):
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        for field, inner in type_.fields.items():
            made = _msgspec_type(inner, f"{name}_{field}")
            fields.append((field, made, msgspec.UNSET) if field in type_.defaults else (field, made))
        return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
    if type_.name == "enum":
        return Literal[type_.symbols]
    if type_.name == "array":
        return list[_msgspec_type(type_.inner[0], name)]
    if type_.name == "map":
        return dict[str, _msgspec_type(type_.inner[0], name)]
    if type_.name == "union":
        branches = [_msgspec_type(branch, f"{name}_{number}") for number, branch in enumerate(type_.inner)]
        try:
            union: Any = None
            for branch in branches:
                union = branch if union is None else union | branch
            msgspec.json.Decoder(union)
        except TypeError:
            # msgspec can't tell two records, or two kinds of text, apart: try one branch after the other.
            return type(name, (_Branches,), {"branches": branches})
        return union
    return _TYPES.get((type_.name, type_.logical)) or _TYPES[type_.name, None]


class _Branches:
    """A union whose branches look alike in JSON."""

    branches: list[Any]


def _choose_branch(type_: type[_Branches], value: Any) -> _Branches:
    reasons: list[str] = []
    for branch in type_.branches:
        try:
            msgspec.convert(value, branch, dec_hook=_choose_branch)
        except msgspec.ValidationError as error:
            reasons.append(str(error).replace(" - at `$", " at `"))
        else:
            # msgspec wants an instance of the type it asked for; the value itself is not used.
            return type_()
    raise ValueError(f"fits no branch of the union: {'; '.join(dict.fromkeys(reasons))}")


_FIELD: Final = re.compile(r"Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`\Z", re.DOTALL)


def _invalid(message: str, root: str, record: Record | None) -> InvalidMessage:
    """msgspec's error with the field's path from the message's root, and the schema's own words."""
    reason, _, place = message.partition(" - at `")
    inside = place.removeprefix("key in ").removeprefix("$").removesuffix("`")
    path = (root + inside).lstrip(".")
    rule = reason.replace("`", "")
    field = _FIELD.match(reason)
    if field is not None:
        path = f"{path}.{field['name']}" if path else field["name"]
        rule = "is required" if field["what"].startswith("missing") else "is unknown"
        if rule == "is unknown" and (known := _fields_at(record, inside)):
            rule += f"; known here are {', '.join(known)}"
    elif rule.startswith("Invalid enum value") and (symbols := _symbols_at(record, inside)):
        rule = f"{rule}, must be one of {', '.join(symbols)}"
    rule = rule.replace("got str", "got string").replace("Expected str", "Expected string")
    return InvalidMessage(path, rule[:1].lower() + rule[1:])


def _types_at(record: Record | None, path: str) -> list[Type]:
    types: list[Type] = [] if record is None else [record]
    for step in re.sub(r"\[[^\]]*\]", "", path).strip(".").split("."):
        if step:
            types = [inner for type_ in types for inner in step_into(type_, step)]
    return types


def _fields_at(record: Record | None, path: str) -> list[str]:
    if record is None:
        return [] if path else list(Envelope.__struct_fields__)
    return list(dict.fromkeys(name for type_ in _types_at(record, path) for name in _field_names(type_)))


def _field_names(type_: Type) -> Iterator[str]:
    if isinstance(type_, Record):
        yield from type_.fields
    else:
        for inner in type_.inner:
            yield from _field_names(inner)


def _symbols_at(record: Record | None, path: str) -> list[str]:
    if record is None:
        return ["publish", "unpublish"]
    return [symbol for type_ in _types_at(record, path) for symbol in _symbols(type_)]


def _symbols(type_: Type) -> Iterator[str]:
    yield from type_.symbols
    for inner in type_.inner:
        yield from _symbols(inner)

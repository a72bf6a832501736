"""Validation: what a message must look like, compiled from the schemas to types that msgspec checks in one pass."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Final, Literal, NamedTuple, cast
from uuid import UUID

import msgspec

from assets.errors import InvalidMessage, InvalidUri
from assets.limits import KEY_CHARACTERS_MAX, REFERENCES_PER_ASSET_MAX
from assets.model import checked_kind, microseconds
from assets.references import FoundReference, find_references, reference_tree
from assets.schema import Kind, Record, Type, step_into, step_names

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
    references: Sequence[FoundReference]


class _Named(msgspec.Struct):
    """What is looked at of a line that is no message."""

    tx: str | None = None


_decode: Final = msgspec.json.Decoder(Envelope).decode
_decode_named: Final = msgspec.json.Decoder(_Named).decode
_TX: Final = re.compile(rb'"tx"\s*:\s*("(?:[^"\\]|\\.)*")')
_TIMES: Final = range(
    microseconds(datetime.min.replace(tzinfo=UTC)), microseconds(datetime.max.replace(tzinfo=UTC)) + 1
)
"""The microseconds since the epoch that can be shown again. A zone may lead out of them."""

_OUT_OF_TIMES: Final = "is before the year 1 or after the year 9999 in UTC"


def parse_message(line: bytes) -> Envelope:
    """The message in a JSON text.

    Raises:
        InvalidMessage: with the field and the rule.
    """
    try:
        return _decode(line)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), "", None, line) from None
    except RecursionError:
        raise InvalidMessage("", "nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidMessage("", _why_not_json(line, error)) from None


def transaction_in(line: bytes | None, otherwise: str | None) -> str | None:
    """The `tx` that a line names although it is no message; `otherwise` where that can't be told."""
    if line is None:
        return otherwise
    try:
        return _decode_named(line).tx
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = _TX.search(line)
    try:
        return otherwise if found is None else msgspec.json.decode(found[1], type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return otherwise


class Validator:
    """Checks messages against the kinds of a catalog."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._types = {name: _msgspec_type(kind.record, name) for name, kind in kinds.items()}
        self._trees = {name: reference_tree(kind.record) for name, kind in kinds.items()}

    def check(self, envelope: Envelope) -> Checked:
        """The message with its references.

        Raises:
            InvalidMessage: with the field and the rule.
        """
        kind = _check("uri", envelope.uri)
        if kind != envelope.kind:
            shown = envelope.kind[:_SHOWN_CHARACTERS_MAX]
            raise InvalidMessage("kind", f"is {shown!r}, but the URI says {kind[:_SHOWN_CHARACTERS_MAX]!r}")
        if kind not in self._kinds:
            known = ", ".join(sorted(self._kinds))
            raise InvalidMessage("kind", f"the catalog has no kind {kind[:_SHOWN_CHARACTERS_MAX]!r}; it has {known}")
        data = envelope.data
        if envelope.op == "unpublish":
            if data is not None:
                raise InvalidMessage("data", "an unpublish has no data")
            return Checked(envelope, _time(envelope), ())
        if data is None:
            raise InvalidMessage("data", "is required to publish")
        try:
            msgspec.convert(data, self._types[kind], dec_hook=_choose_branch)
        except msgspec.ValidationError as error:
            raise _invalid(str(error), "data", self._kinds[kind].record, data) from None
        references = find_references(self._trees[kind], data)
        for place, uri, kinds in references:
            target = _check(place, uri)
            if target not in kinds:
                raise InvalidMessage(place, f"refers to the kind {target}, must be {' or '.join(kinds)}")
        if len(references) > REFERENCES_PER_ASSET_MAX:
            raise InvalidMessage("data", f"has {len(references):,} references, at most {REFERENCES_PER_ASSET_MAX:,}")
        return Checked(envelope, _time(envelope), references)

    def explain(self, envelope: Envelope, refusal: InvalidMessage) -> InvalidMessage:
        """The refusal of data that is valid but can't be encoded, with the field, where that can be found."""
        for place, type_, value in _leaves(self._kinds[envelope.kind].record, envelope.data, "data"):
            if type_.logical in _TIMESTAMPS and isinstance(value, str):
                try:
                    datetime.fromisoformat(value.upper()).astimezone(UTC)
                except OverflowError:
                    return InvalidMessage(place, _OUT_OF_TIMES)
        return refusal


def _time(envelope: Envelope) -> int:
    time = microseconds(envelope.time)
    if time not in _TIMES:
        raise InvalidMessage("time", _OUT_OF_TIMES)
    return time


def _check(field: str, uri: str) -> str:
    try:
        return checked_kind(uri)
    except InvalidUri as error:
        raise InvalidMessage(field, f"{uri[:_SHOWN_CHARACTERS_MAX]!r}: {error.rule}") from None


_INT: Final = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_LONG: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_AWARE: Final = Annotated[datetime, msgspec.Meta(tz=True)]
_NAIVE: Final = Annotated[time, msgspec.Meta(tz=False)]
# What lies beyond is rounded to infinity.
_FLOAT: Final = Annotated[float, msgspec.Meta(gt=-(2**128 - 2**103), lt=2**128 - 2**103)]
_BYTES_PATTERN: Final = r"\A[\x00-\xff]*\Z"
_DECIMAL_PATTERN: Final = r"\A-?[0-9]+(\.[0-9]+)?\Z"
_DECIMAL: Final = Annotated[str, msgspec.Meta(pattern=_DECIMAL_PATTERN)]
_TIMESTAMPS: Final = ("timestamp-millis", "timestamp-micros")
_TYPES: Final[Mapping[tuple[str, str | None], Any]] = {
    ("long", "timestamp-millis"): _AWARE,
    ("long", "timestamp-micros"): _AWARE,
    ("int", "date"): date,
    ("int", "time-millis"): _NAIVE,
    ("long", "time-micros"): _NAIVE,
    ("bytes", "decimal"): _DECIMAL,
    ("fixed", "decimal"): _DECIMAL,
    ("string", "uuid"): UUID,
    ("null", None): type(None),
    ("boolean", None): bool,
    ("int", None): _INT,
    ("long", None): _LONG,
    ("float", None): _FLOAT,
    ("double", None): float,
    ("string", None): str,
    ("bytes", None): Annotated[str, msgspec.Meta(pattern=_BYTES_PATTERN)],
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
            return type(name, (_Branches,), {"branches": branches, "types": type_.inner})
        return union
    if (type_.name, type_.logical) == ("fixed", None):
        return Annotated[str, msgspec.Meta(pattern=_BYTES_PATTERN, min_length=type_.size, max_length=type_.size)]
    return _TYPES.get((type_.name, type_.logical)) or _TYPES[type_.name, None]


class _Branches:
    """A union whose branches look alike in JSON."""

    branches: list[Any]
    types: Sequence[Type]


def _choose_branch(type_: type[_Branches], value: Any) -> _Branches:
    reasons: list[str] = []
    for branch in type_.branches:
        try:
            msgspec.convert(value, branch, dec_hook=_choose_branch)
        except msgspec.ValidationError as error:
            reason, inside = _place_in(str(error))
            reasons.append(f"{reason}{_INSIDE}{inside}")
        else:
            # msgspec wants an instance of the type it asked for; the value itself is not used.
            return type_()
    # A branch that was refused deep inside, or for what is not there, is the one that was meant.
    meant = [reason for reason in reasons if not reason.endswith(_INSIDE) or reason.startswith("Object missing")]
    if len(meant) == 1 or len(set(reasons)) == 1:
        raise ValueError((meant or reasons)[0])
    shapes = [f"({', '.join(names)})" for inner in type_.types if (names := list(step_names(inner)))]
    expected = (
        f"the objects that may stand here: {' or '.join(shapes)}" if isinstance(value, dict) else "what may stand here"
    )
    raise ValueError(f"fits none of {expected}")


_SHOWN_CHARACTERS_MAX: Final = 200
"""Of what stands in a message, when it is told what is wrong with it."""

_INSIDE: Final = "\n"
"""Between what was wrong in a union and the place inside it, as it goes through msgspec."""

_FIELD: Final = re.compile(r"Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`\Z", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_ANY_KEY: Final = "..."
"""How msgspec writes the key of a map."""


def _invalid(message: str, root: str, record: Record | None, value: Any) -> InvalidMessage:
    """msgspec's error with the field's path from the message's root, and the schema's own words."""
    reason, inside = _place_in(message)
    path = (root + inside).lstrip(".")
    if f"[{_ANY_KEY}]" in inside:
        path = _place_of_infinity(value) if record is None else root + _with_keys(inside, record, value)
    rule = reason.replace("`", "")[:_SHOWN_CHARACTERS_MAX]
    field = _FIELD.match(reason)
    if field is not None:
        path = f"{path}.{field['name']}" if path else field["name"]
        rule = "is required" if field["what"].startswith("missing") else "is unknown"
        if rule == "is unknown" and (known := _fields_at(record, inside)):
            rule += f"; known here are {', '.join(known)}"
    elif rule.startswith("Invalid enum value") and (symbols := _symbols_at(record, inside)):
        rule = f"{rule}, must be one of {', '.join(symbols)}"
    elif rule.startswith("Expected"):
        rule = _in_words(rule)
    return InvalidMessage(path[:_SHOWN_CHARACTERS_MAX], rule[:1].lower() + rule[1:])


def _place_in(message: str) -> tuple[str, str]:
    """What msgspec says is wrong, and where: `.field`, `[2]`, `[...]` for a map's key, one behind the other."""
    reason, _, place = message.partition(" - at `")
    reason, _, deeper = reason.partition(_INSIDE)
    return reason, place.removeprefix("key in ").removeprefix("$").removesuffix("`") + deeper


def _in_words(rule: str) -> str:
    if rule.endswith(f"{_BYTES_PATTERN!r}"):
        return "must be bytes as text, a character from U+0000 to U+00FF for each"
    if rule.endswith(f"{_DECIMAL_PATTERN!r}"):
        return 'must be a decimal number as text, such as "12.50"'
    return re.sub(r"\bstr\b", "string", rule)


def _with_keys(inside: str, record: Record, value: Any) -> str:
    """A place with the keys of maps, which msgspec does not name: the first whose value does not fit."""
    types: list[Type] = [record]
    path = ""
    for step in _STEP.finditer(inside):
        name, number = step.groups()
        if name is not None:
            types = [inner for type_ in types for inner in step_into(type_, name)]
            key: Any = name
        elif number == _ANY_KEY:
            types = [found.inner[0] for type_ in types for found in _of_name(type_, "map")]
            key = next(key for key, item in value.items() if not any(_fits(item, type_) for type_ in types))
        else:
            types = [found.inner[0] for type_ in types for found in _of_name(type_, "array")]
            key = int(number)
        value = value[key]
        path += f"[{key}]" if isinstance(key, int) else f".{key}"
    return path


def _of_name(type_: Type, name: str) -> Iterator[Type]:
    if type_.name == name:
        yield type_
    elif type_.name == "union":
        for branch in type_.inner:
            yield from _of_name(branch, name)


def _fits(value: Any, type_: Type) -> bool:
    try:
        msgspec.convert(value, _msgspec_type(type_, "value"), dec_hook=_choose_branch)
    except msgspec.ValidationError:
        return False
    return True


def _leaves(type_: Type, value: Any, path: str) -> Iterator[tuple[str, Type, Any]]:
    """The plain values in a valid value, and where they stand."""
    if isinstance(type_, Record):
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            for name in fields.keys() & type_.fields.keys():
                yield from _leaves(type_.fields[name], fields[name], f"{path}.{name}")
    elif type_.name == "array" and isinstance(value, list):
        for number, item in enumerate(cast("list[Any]", value)):
            yield from _leaves(type_.inner[0], item, f"{path}[{number}]")
    elif type_.name == "map" and isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _leaves(type_.inner[0], item, f"{path}.{key}")
    elif type_.name == "union":
        for branch in type_.inner:
            yield from _leaves(branch, value, path)
    else:
        yield path, type_, value


def _place_of_infinity(line: bytes) -> str:
    """Where in a message's data stands a number that no float can hold."""

    def search(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, item in cast("dict[str, Any]", value).items():
                yield from search(item, f"{path}.{key}")
        elif isinstance(value, list):
            for number, item in enumerate(cast("list[Any]", value)):
                yield from search(item, f"{path}[{number}]")
        elif isinstance(value, float) and math.isinf(value):
            yield path

    return next(search(json.loads(line)["data"], "data"), "data")


def _why_not_json(line: bytes, error: Exception) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError as fault:
        return f"not UTF-8: {fault.reason} at byte {fault.start}"
    if text.startswith("\ufeff"):
        return "begins with a byte order mark; save the file as UTF-8 without one"
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return f"not JSON: {str(error).removeprefix('JSON is malformed: ')}"
    return "has half of a surrogate pair (\\ud800 to \\udfff), which is no character"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not in JSON")


def _types_at(record: Record | None, path: str) -> list[Type]:
    types: list[Type] = [] if record is None else [record]
    for step in re.sub(r"\[[^\]]*\]", "", path).strip(".").split("."):
        if step:
            types = [inner for type_ in types for inner in step_into(type_, step)]
    return types


def _fields_at(record: Record | None, path: str) -> list[str]:
    if record is None:
        return [] if path else list(Envelope.__struct_fields__)
    return list(dict.fromkeys(name for type_ in _types_at(record, path) for name in step_names(type_)))


def _symbols_at(record: Record | None, path: str) -> list[str]:
    if record is None:
        return ["publish", "unpublish"]
    return [symbol for type_ in _types_at(record, path) for symbol in _symbols(type_)]


def _symbols(type_: Type) -> Iterator[str]:
    yield from type_.symbols
    for inner in type_.inner:
        yield from _symbols(inner)

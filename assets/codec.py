"""Payloads: Avro in Confluent wire format, and back (magic 0, schema id in four big-endian bytes, the record).

Two libraries do the work. cavro reads and writes in a third to a half of the time, where a message's schema is the
present one and has no logical type but those handled here; fastavro does the rest: decimals, and messages of older
schemas, read by Avro's rules of schema resolution. Before them comes a module of ours, where it was compiled, for what
is plain. The tests hold each against the others.
"""

# cavro has no types, fastavro half of them.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from io import BytesIO
from typing import Any, Final, NamedTuple, cast

import fastavro
import orjson

from assets.compatibility import incompatibility
from assets.errors import IncompatibleSchema, InvalidMessage, SchemaProblem, Undecodable
from assets.forms import all_native, forms_of, without_native
from assets.limits import MESSAGE_BYTES_MAX
from assets.model import RegisteredSchema
from assets.schema import Kind, Record, Type
from assets.schema_reader import parse_record

try:
    import assets.native as _native
except ImportError:
    _native = None

COMPILED: Final = _native is not None
"""Whether our own module is there."""

MAGIC: Final = b"\x00"
HEADER_BYTES: Final = 5

_ID: Final = struct.Struct(">I")


class _Schema(NamedTuple):
    """How to read what one registered schema wrote."""

    kind: str
    form: "_KindForm | None" = None
    """What it is read as; None where the catalog no longer has the kind, or can't read this."""
    older: Any = None
    """The schema as fastavro takes it; None where it is the one that the catalog has now."""
    problem: str | None = None


class _KindForm:
    """How to write a kind, and how to read it; each library is asked the first time that it is needed."""

    def __init__(self, kind: Kind, native: Any) -> None:
        self._kind = kind
        self.record = kind.record
        self.forms = forms_of(kind.record)
        self.native: Callable[[bytes, dict[str, Any]], bytes | None] | None = (
            None if native is None else native.encoder(kind.record)
        )
        """Writes behind a header, or gives None; None where nothing was compiled for it."""

    @cached_property
    def fast(self) -> Any:
        """The schema as cavro takes it, None where fastavro reads and writes."""
        return _fast(self._kind)

    @cached_property
    def plain(self) -> Any:
        """The schema as fastavro takes it."""
        plain = _plain(self._kind.text)
        _set_defaults(plain, self.record)
        return plain


class Codec:
    """Encodes and decodes the payloads of one log, as one catalog reads them."""

    def __init__(
        self, kinds: Mapping[str, Kind], schemas: Iterable[RegisteredSchema], *, compiled: bool = True
    ) -> None:
        """`compiled`: whether our own module may be used, where it is there."""
        self._native = _native if compiled else None
        self._forms = {name: _KindForm(kind, self._native) for name, kind in kinds.items()}
        self._kinds = kinds
        self._schemas = {schema.id: self._prepare(schema) for schema in schemas}

    def encode(self, kind: str, schema_id: int, data: dict[str, Any]) -> bytes:
        """The payload of valid data; `data` itself may be changed on the way.

        Raises:
            InvalidMessage: when the schema has no room for it.
        """
        form = self._forms[kind]
        header = MAGIC + _ID.pack(schema_id)
        value = form.native(header, data) if form.native is not None else None
        try:
            if value is None:
                value = header + _write(form, data)
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            raise InvalidMessage("data", f"does not fit the schema of {kind}: {error}") from None
        if len(value) > MESSAGE_BYTES_MAX:
            raise InvalidMessage("data", f"takes {len(value):,} bytes; a message may have {MESSAGE_BYTES_MAX:,}")
        return value

    def cutter(
        self, kind: str, shapes: Sequence[tuple[Sequence[str], Sequence[str]]], make: Callable[[list[bytes], Any], Any]
    ) -> Callable[[str, bytes], list[Any] | None] | None:
        """How to bring a payload of this kind to JSON in several shapes at once, without decoding it first.

        What it gives is called with an asset's URI and payload, and answers with a text for each shape, URI in front,
        `make(pieces, holes)` where it has holes: or with None, where `decode` is to be asked, which gives the same or
        says what is wrong.

        Args:
            shapes: Of each: the names of its fields, in the schema's order, and the dotted paths of its holes.
            make: What to make of the pieces between the holes, and for each hole the number of its path and what
                stands there: a URI or a list of them.

        Returns:
            None where nothing was compiled for a kind like this.
        """
        if self._native is None:
            return None
        form = self._forms[kind]
        present = [id_ for id_, schema in self._schemas.items() if schema.form is form and schema.older is None]
        return self._native.cutter(form.record, shapes, present, make, MESSAGE_BYTES_MAX)

    def decode(self, kind: str, value: bytes) -> dict[str, Any]:
        """The data in a payload of this kind, in the present schema's fields and order.

        Dates and times are `date` and `datetime`, which orjson writes as RFC 3339; all else is as in JSON.

        Raises:
            Undecodable: with a code: `too-large`, `bad-framing`, `unknown-schema`, `kind-mismatch`,
                `schema-mismatch`, `malformed-avro`.
        """
        if len(value) > MESSAGE_BYTES_MAX:
            raise Undecodable("too-large", f"{len(value):,} bytes; a message may have {MESSAGE_BYTES_MAX:,}")
        if value[:1] != MAGIC or len(value) < HEADER_BYTES:
            raise Undecodable("bad-framing", "it does not begin with magic 0 and a schema id")
        (schema_id,) = _ID.unpack_from(value, 1)
        schema = self._schemas.get(schema_id)
        if schema is None:
            raise Undecodable("unknown-schema", f"schema id {schema_id} is not registered beside the log")
        if schema.kind != kind:
            raise Undecodable("kind-mismatch", f"schema {schema_id} is of {schema.kind}, the URI of {kind}")
        form = schema.form
        if form is None:
            raise Undecodable("schema-mismatch", schema.problem or f"the catalog has no kind {kind}")
        try:
            is_fast = schema.older is None and form.fast is not None
            data = _read_fast(form.fast, value) if is_fast else _read_resolved(schema.older or form.plain, form, value)
            if form.forms is not None:
                form.forms.show(data)
        except Undecodable:
            raise
        # The libraries answer malformed bytes with whatever they lead to: EOFError, IndexError, UnicodeDecodeError...
        except Exception as error:  # noqa: BLE001
            raise Undecodable("malformed-avro", f"{type(error).__name__}: {error}") from None
        return data

    def _prepare(self, schema: RegisteredSchema) -> _Schema:
        try:
            record, _ = parse_record(schema.kind, schema.text)
        except SchemaProblem as problem:
            return _Schema(schema.kind, problem=problem.problem)
        kind = self._kinds.get(schema.kind)
        if kind is None:
            return _Schema(schema.kind)
        form = self._forms[schema.kind]
        if kind.text == schema.text:
            return _Schema(schema.kind, form)
        reason = incompatibility(kind.record, record)
        if reason is not None:
            return _Schema(schema.kind, problem=reason)
        return _Schema(schema.kind, form, _plain(schema.text))


def check_compatibility(kinds: Mapping[str, Kind], schemas: Iterable[RegisteredSchema]) -> None:
    """Whether these kinds can read every schema version ever used in a log.

    Raises:
        IncompatibleSchema: at the first version that a kind can't read.
    """
    for schema in schemas:
        kind = kinds.get(schema.kind)
        if kind is None or kind.text == schema.text:
            continue
        record, _ = parse_record(schema.kind, schema.text)
        reason = incompatibility(kind.record, record)
        if reason is not None:
            raise IncompatibleSchema(schema.kind, schema.version, reason)


@cache
def _cavro() -> Any:
    # It imports numpy, which takes longer than many a command.
    import cavro  # noqa: PLC0415

    return cavro


@cache
def _fast_options() -> Any:
    return _cavro().DEFAULT_OPTIONS.replace(
        record_decodes_to_dict=True, record_allow_extra_fields=False, logical_types=()
    )


@cache
def _one_byte() -> Any:
    return _cavro().Schema('{"type": "fixed", "name": "one", "size": 1}', _fast_options())


def _fast(kind: Kind) -> Any:
    if not all_native(kind.record):
        return None
    try:
        return _cavro().Schema(kind.text, _fast_options())
    except (ValueError, TypeError):
        # It is of an Avro older than 1.12: a union's default must be of its first type.
        return None


def _plain(text: str) -> Any:
    """A schema as fastavro takes it, without the logical types that are handled here."""
    return fastavro.parse_schema(without_native(orjson.loads(text)), named_schemas={})


def _set_defaults(schema: Any, type_: Type) -> None:
    """Put each default as it is read in place of the schema's JSON: fastavro gives it out as it stands."""
    if isinstance(schema, list):
        for branch, inner in zip(cast("list[Any]", schema), type_.inner, strict=True):
            _set_defaults(branch, inner)
    elif isinstance(schema, dict):
        entries = cast("dict[str, Any]", schema)
        if isinstance(type_, Record):
            for entry in entries["fields"]:
                name = entry["name"]
                _set_defaults(entry["type"], type_.fields[name])
                if name in type_.defaults:
                    entry["default"] = type_.defaults[name]
        elif type_.inner:
            _set_defaults(entries["items" if type_.name == "array" else "values"], type_.inner[0])


def _write(form: _KindForm, data: dict[str, Any]) -> bytes:
    if form.forms is not None:
        form.forms.parse(data)
    if form.fast is not None:
        return form.fast.binary_encode(data)
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, form.plain, data, strict_allow_default=True)
    return buffer.getvalue()


def _read_fast(schema: Any, value: bytes) -> dict[str, Any]:
    reader = _cavro().MemoryReader(memoryview(value)[HEADER_BYTES:])
    data = schema.binary_read(reader)
    try:
        _one_byte().binary_read(reader)
    except EOFError:
        return data
    raise Undecodable("malformed-avro", "bytes are left behind the record")


def _read_resolved(schema: Any, form: _KindForm, value: bytes) -> dict[str, Any]:
    buffer = BytesIO(value)
    buffer.seek(HEADER_BYTES)
    data = fastavro.schemaless_reader(buffer, schema, form.plain)
    if buffer.tell() != len(value):
        raise Undecodable("malformed-avro", "bytes are left behind the record")
    return _in_order(form.record, data)


def _in_order(type_: Type, value: Any) -> Any:
    """A value with its records' fields in the schema's order: fastavro puts defaults behind what was written."""
    if isinstance(type_, Record) and isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _in_order(inner, fields[name]) for name, inner in type_.fields.items()}
    if type_.name == "array" and isinstance(value, list):
        return [_in_order(type_.inner[0], item) for item in cast("list[Any]", value)]
    if type_.name == "map" and isinstance(value, dict):
        return {key: _in_order(type_.inner[0], item) for key, item in cast("dict[str, Any]", value).items()}
    if type_.name == "union":
        for branch in type_.inner:
            if _fits(branch, value):
                return _in_order(branch, value)
    return value


def _fits(type_: Type, value: Any) -> bool:
    if isinstance(type_, Record):
        return isinstance(value, dict) and cast("dict[str, Any]", value).keys() == type_.fields.keys()
    return (type_.name == "array" and isinstance(value, list)) or (type_.name == "map" and isinstance(value, dict))

"""Payloads: what goes in comes out, in every type; old schemas are read; broken bytes are told apart, quickly."""

import copy
import json
import struct
import tracemalloc
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assets.codec import Codec, check_compatibility
from assets.errors import IncompatibleSchema, InvalidMessage, Undecodable
from assets.limits import MESSAGE_BYTES_MAX
from assets.model import RegisteredSchema
from assets.schema import Kind
from assets.schema_reader import parse_kind

Json = Any

MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
DATE = {"type": "int", "logicalType": "date"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}
REFERENCE = {"type": "string", "logicalType": "asset-ref", "kinds": ["thing"]}


def record(fields: Sequence[Json], name: str = "thing", **more: Json) -> Json:
    return {"type": "record", "name": name, "fields": fields, **more}


def one(type_: Json, **more: Json) -> Json:
    """A kind with one field, `x`."""
    return record([{"name": "x", "type": type_, **more}])


def kind_of(schema: Json) -> Kind:
    return parse_kind("thing", json.dumps(schema), {})


def codec_of(schema: Json, *older: Json) -> Codec:
    """It reads `schema` as 1, and earlier ones as 2, 3..."""
    kinds = [kind_of(schema), *map(kind_of, older)]
    registered = [RegisteredSchema(number, "thing", number, kind.text) for number, kind in enumerate(kinds, 1)]
    return Codec({"thing": kinds[0]}, registered)


def encode(schema: Json, data: Json, number: int = 1) -> bytes:
    return Codec({"thing": kind_of(schema)}, []).encode("thing", number, copy.deepcopy(data))


def shown(codec: Codec, value: bytes) -> Json:
    """Decoded data as a view shows it, the order of fields included."""
    return json.loads(orjson.dumps(codec.decode("thing", value), option=orjson.OPT_UTC_Z))


def same(one: Json, other: Json) -> bool:
    """1, 1.0 and true are not the same, nor are objects of another order."""
    return json.dumps(one) == json.dumps(other)


# ---------------------------------------------------------------------------------------------------------- every type

Typed = tuple[Json, st.SearchStrategy[Json]]
"""A type, and JSON values of it in the form that they are shown in."""

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)
_BYTES = st.text(st.characters(max_codepoint=255), max_size=5)


def _floats(width: Any) -> st.SearchStrategy[float]:
    return st.floats(allow_nan=False, allow_infinity=False, width=width)


def _instants(micros: bool) -> st.SearchStrategy[str]:
    def show(text: str, fraction: int) -> str:
        return f"{text}.{fraction:06}Z" if fraction else f"{text}Z"

    fractions = st.integers(0, 999_999 if micros else 999).map(lambda n: n if micros else n * 1000)
    return st.builds(show, st.datetimes().map(lambda time: time.replace(microsecond=0).isoformat()), fractions)


def _clocks(micros: bool) -> st.SearchStrategy[str]:
    return st.times().map(
        lambda time: str(time if micros else time.replace(microsecond=time.microsecond // 1000 * 1000))
    )


def _scalars(name: str) -> list[Typed]:
    return [
        ("boolean", st.booleans()),
        ("int", st.integers(-(2**31), 2**31 - 1)),
        ("long", st.integers(-(2**63), 2**63 - 1)),
        ("float", _floats(32)),
        ("double", _floats(64)),
        ("string", _TEXTS),
        ("bytes", _BYTES),
        ({"type": "fixed", "name": name, "size": 3}, st.text(st.characters(max_codepoint=255), min_size=3, max_size=3)),
        ({"type": "enum", "name": name, "symbols": ["one", "two", "three"]}, st.sampled_from(["one", "two", "three"])),
        (MILLIS, _instants(micros=False)),
        (MICROS, _instants(micros=True)),
        (DATE, st.dates().map(str)),
        ({"type": "int", "logicalType": "time-millis"}, _clocks(micros=False)),
        ({"type": "long", "logicalType": "time-micros"}, _clocks(micros=True)),
        (DECIMAL, st.integers(-999_999, 999_999).map(lambda n: str(Decimal(n).scaleb(-2)))),
        (
            {"type": "fixed", "name": name, "size": 4, "logicalType": "decimal", "precision": 6, "scale": 2},
            st.integers(-999_999, 999_999).map(lambda n: str(Decimal(n).scaleb(-2))),
        ),
        ({"type": "string", "logicalType": "uuid"}, st.uuids().map(str)),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, st.integers(0, 2**40)),
        (REFERENCE, st.sampled_from(["x://thing/1", "x://thing/2%2F"])),
    ]


@st.composite
def types(draw: Callable[..., Any], names: list[int], depth: int = 0) -> Typed:
    names.append(0)
    name = f"N{len(names)}"
    shape = draw(st.sampled_from(["scalar", "scalar", "array", "map", "nullable", "union", "record"]))
    if shape == "scalar" or depth == 3:
        return draw(st.sampled_from(_scalars(name)))
    if shape == "record":
        return _record_of(draw, name, [draw(types(names, depth + 1)) for _ in range(draw(st.integers(1, 3)))])
    if shape == "union":
        # Every class that JSON tells apart, and two records.
        several = [
            ("null", st.none()),
            ("boolean", st.booleans()),
            draw(st.sampled_from([("long", st.integers(0, 9)), (MILLIS, _instants(micros=False))])),
            draw(st.sampled_from([("string", _TEXTS.filter(lambda text: "T" not in text)), ("bytes", _BYTES)])),
            _record_of(draw, name, [draw(types(names, depth + 1))]),
            _record_of(draw, f"{name}b", [draw(types(names, depth + 1)), ("double", _floats(64))]),
        ]
        chosen = draw(st.permutations(several))
        return [type_ for type_, _ in chosen], st.one_of([values for _, values in chosen])
    inner, values = draw(types(names, depth + 1))
    if shape == "array":
        return {"type": "array", "items": inner}, st.lists(values, max_size=3)
    if shape == "map":
        return {"type": "map", "values": inner}, st.dictionaries(_TEXTS, values, max_size=3)
    if isinstance(inner, list):
        return inner, values
    return ["null", inner], st.none() | values


def _record_of(draw: Callable[..., Any], name: str, fields: Sequence[Typed]) -> Typed:
    made = [{"name": f"f{number}", "type": type_} for number, (type_, _) in enumerate(fields)]
    return record(made, name), st.fixed_dictionaries(
        {f"f{number}": values for number, (_, values) in enumerate(fields)}
    )


@st.composite
def kinds_with_data(draw: Callable[..., Any]) -> tuple[Json, list[Json]]:
    """A kind's schema, and data of it."""
    names: list[int] = []
    schema, values = _record_of(draw, "thing", [draw(types(names)) for _ in range(draw(st.integers(1, 4)))])
    return schema, draw(st.lists(values, min_size=1, max_size=3))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(kinds_with_data())
def test_what_is_published_is_shown_the_same(made: tuple[Json, list[Json]]) -> None:
    schema, values = made
    codec = codec_of(schema)
    for data in values:
        value = codec.encode("thing", 1, copy.deepcopy(data))
        assert json.dumps(shown(codec, value), sort_keys=True) == json.dumps(data, sort_keys=True)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(kinds_with_data())
def test_a_schema_that_only_says_more_about_itself_is_read_the_same(made: tuple[Json, list[Json]]) -> None:
    # It is another text, so that another library reads it, by the rules of schema resolution.
    schema, values = made
    codec = codec_of(schema, {**schema, "doc": "an earlier word"})
    for data in values:
        value = codec.encode("thing", 1, copy.deepcopy(data))
        assert same(shown(codec, relabelled(value, 2)), shown(codec, value))


def relabelled(value: bytes, number: int) -> bytes:
    return value[:1] + struct.pack(">I", number) + value[5:]


# ------------------------------------------------------------------------------------------------------ dates and zones


@pytest.mark.parametrize(
    ("type_", "text", "expected"),
    [
        (MILLIS, "2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z"),
        (MILLIS, "2026-11-23T09:00:00+05:30", "2026-11-23T03:30:00Z"),
        (MILLIS, "2026-11-23T09:00:00.1239Z", "2026-11-23T09:00:00.123000Z"),
        (MILLIS, "1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999000Z"),
        (MICROS, "1969-12-31T23:59:59.999999-01:00", "1970-01-01T00:59:59.999999Z"),
        (MICROS, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        (MILLIS, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999000Z"),
        (DATE, "0001-01-01", "0001-01-01"),
        (DATE, "2024-02-29", "2024-02-29"),
        (["null", MILLIS, "string"], "some day", "some day"),
        (["null", MILLIS, "string"], "2026-11-23T09:00:00+01:00", "2026-11-23T08:00:00Z"),
        (["null", "double", "bytes"], 3.5, 3.5),
        (["null", "double", "bytes"], "\0\u00ff", "\0\u00ff"),
    ],
)
def test_times_are_shown_in_utc(type_: Json, text: str, expected: str) -> None:
    assert shown(codec_of(one(type_)), encode(one(type_), {"x": text})) == {"x": expected}


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (MILLIS, "2026-11-23T09:00:00"),
        (MILLIS, "2026-11-23"),
        (MICROS, "tomorrow"),
        (MILLIS, "0001-01-01T00:00:00+14:00"),
        (MICROS, "9999-12-31T23:59:59-00:01"),
        (DATE, "2023-02-29"),
        (DATE, "2023-02-28T00:00:00Z"),
        (DECIMAL, "12345678.90"),
        (DECIMAL, "1.234"),
        (DECIMAL, "NaN"),
        (DECIMAL, "Infinity"),
        ("bytes", "\u0100"),
        ({"type": "fixed", "name": "F", "size": 2}, "abc"),
        ({"type": "enum", "name": "E", "symbols": ["one"]}, "two"),
        ("int", 2**31),
        ("long", 2**63),
        ("string", 7),
        ("string", "\ud800"),
        ("float", 1e300),
    ],
)
def test_what_could_not_be_shown_again_is_refused(type_: Json, text: str) -> None:
    with pytest.raises(InvalidMessage, match="does not fit the schema of thing"):
        encode(one(type_), {"x": text})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(kinds_with_data(), st.data())
def test_any_other_json_is_refused_or_can_be_read_again(made: tuple[Json, list[Json]], data: st.DataObject) -> None:
    schema, values = made
    codec = codec_of(schema)
    name = data.draw(st.sampled_from(sorted(values[0])))
    published = {**values[0], name: data.draw(_JSON)}
    try:
        value = codec.encode("thing", 1, copy.deepcopy(published))
    except InvalidMessage:
        return
    shown(codec, value)


def test_a_field_that_no_schema_knows_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="does not fit the schema of thing"):
        encode(one("string"), {"x": "1", "y": "2"})


def test_a_message_too_large_for_the_log_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="takes 1,000,009 bytes; a message may have 1,000,000"):
        encode(one("string"), {"x": "x" * (MESSAGE_BYTES_MAX + 1)})


# ------------------------------------------------------------------------------------------------------------- defaults

DEFAULTS: list[tuple[Json, Json, Json]] = [
    ("null", None, None),
    ("boolean", True, True),
    ("int", 5, 5),
    ("long", 2**40, 2**40),
    ("double", 1.5, 1.5),
    ("string", "é", "é"),
    ("bytes", "\u00ff\0", "\u00ff\0"),
    ({"type": "fixed", "name": "F", "size": 2}, "\u00ff1", "\u00ff1"),
    ({"type": "enum", "name": "E", "symbols": ["one", "two"]}, "two", "two"),
    (MILLIS, 0, "1970-01-01T00:00:00Z"),
    (MICROS, -1, "1969-12-31T23:59:59.999999Z"),
    (DATE, 1, "1970-01-02"),
    (["null", MILLIS], None, None),
    ([MILLIS, "null"], 1000, "1970-01-01T00:00:01Z"),
    (["null", "string"], "text", "text"),
    ({"type": "array", "items": MILLIS}, [0], ["1970-01-01T00:00:00Z"]),
    ({"type": "map", "values": "bytes"}, {"k": "\u00ff"}, {"k": "\u00ff"}),
    (
        record([{"name": "a", "type": DATE}, {"name": "b", "type": "int", "default": 3}], "N"),
        {"a": 0},
        {"a": "1970-01-01", "b": 3},
    ),
    (record([{"name": "a", "type": "string", "default": "z"}], "N"), {}, {"a": "z"}),
    (["null", record([{"name": "a", "type": "string", "default": "z"}], "N")], {}, {"a": "z"}),
    (
        {"type": "array", "items": record([{"name": "a", "type": "string", "default": "z"}], "N")},
        [{}, {"a": "y"}],
        [{"a": "z"}, {"a": "y"}],
    ),
]


@pytest.mark.parametrize(("type_", "default", "expected"), DEFAULTS)
def test_a_default_is_shown_for_a_field_left_out_and_for_one_that_came_later(
    type_: Json, default: Json, expected: Json
) -> None:
    before = record([{"name": "a", "type": "int"}, {"name": "b", "type": "int"}])
    now = record([{"name": "a", "type": "int"}, {"name": "x", "type": type_, "default": default}, before["fields"][1]])
    codec = codec_of(now, before)
    left_out = shown(codec, encode(now, {"a": 1, "b": 2}))
    assert same(left_out, {"a": 1, "x": expected, "b": 2})
    assert same(shown(codec, encode(before, {"a": 1, "b": 2}, 2)), left_out)


# ---------------------------------------------------------------------------------------------------- schema evolution


@pytest.mark.parametrize(
    ("before", "published", "now", "expected"),
    [
        pytest.param(
            record([{"name": "a", "type": "int"}, {"name": "b", "type": "string"}]),
            {"a": 1, "b": "x"},
            record([{"name": "b", "type": "string"}, {"name": "a", "type": "int"}]),
            {"b": "x", "a": 1},
            id="fields in another order",
        ),
        pytest.param(
            record([{"name": "a", "type": "int"}, {"name": "gone", "type": {"type": "array", "items": "string"}}]),
            {"a": 1, "gone": ["x", "y"]},
            record([{"name": "a", "type": "int"}]),
            {"a": 1},
            id="a field dropped",
        ),
        pytest.param(
            one({"type": "array", "items": record([{"name": "a", "type": "int"}], "N")}),
            {"x": [{"a": 1}, {"a": 2}]},
            one(
                {
                    "type": "array",
                    "items": record([{"name": "b", "type": "int", "default": 7}, {"name": "a", "type": "int"}], "N"),
                }
            ),
            {"x": [{"b": 7, "a": 1}, {"b": 7, "a": 2}]},
            id="a field new inside an array of records",
        ),
        pytest.param(
            one({"type": "map", "values": record([{"name": "a", "type": "int"}], "N")}),
            {"x": {"k": {"a": 1}}},
            one(
                {
                    "type": "map",
                    "values": record([{"name": "b", "type": DATE, "default": 0}, {"name": "a", "type": "int"}], "N"),
                }
            ),
            {"x": {"k": {"b": "1970-01-01", "a": 1}}},
            id="a field new inside a map of records",
        ),
        pytest.param(
            record([{"name": "old", "type": "string"}]),
            {"old": "x"},
            record([{"name": "new", "type": "string", "aliases": ["old"]}]),
            {"new": "x"},
            id="a field renamed with an alias",
        ),
        pytest.param(
            one(record([{"name": "a", "type": "int"}], "Old")),
            {"x": {"a": 1}},
            one(record([{"name": "a", "type": "int"}], "New", aliases=["Old"])),
            {"x": {"a": 1}},
            id="a record renamed with an alias",
        ),
        pytest.param(one("string"), {"x": "é"}, one(["null", "string"]), {"x": "é"}, id="made nullable"),
        pytest.param(one("int"), {"x": 3}, one("long"), {"x": 3}, id="int to long"),
        pytest.param(one("int"), {"x": 3}, one("double"), {"x": 3.0}, id="int to double"),
        pytest.param(one("float"), {"x": 0.5}, one("double"), {"x": 0.5}, id="float to double"),
        pytest.param(one("string"), {"x": "é"}, one("bytes"), {"x": "Ã©"}, id="string to bytes"),
        pytest.param(one("string"), {"x": "x://thing/1"}, one(REFERENCE), {"x": "x://thing/1"}, id="made a reference"),
        pytest.param(
            one({"type": "enum", "name": "E", "symbols": ["a", "b"]}),
            {"x": "b"},
            one({"type": "enum", "name": "E", "symbols": ["c", "b", "a"]}),
            {"x": "b"},
            id="an enum with more symbols",
        ),
        pytest.param(
            one(["null", record([{"name": "a", "type": "int"}], "A")]),
            {"x": {"a": 1}},
            one(
                [
                    "null",
                    record([{"name": "b", "type": "int"}, {"name": "c", "type": "int"}], "B"),
                    record([{"name": "c", "type": "int", "default": 0}, {"name": "a", "type": "int"}], "A"),
                ]
            ),
            {"x": {"c": 0, "a": 1}},
            id="a union with one record more",
        ),
        pytest.param(
            one(["null", {"type": "map", "values": "int"}, {"type": "array", "items": "int"}]),
            {"x": {"a": 1}},
            one(["null", {"type": "map", "values": "long"}, {"type": "array", "items": "long"}, "string"]),
            {"x": {"a": 1}},
            id="a union of containers",
        ),
        pytest.param(
            one(MILLIS),
            {"x": "2026-01-01T00:00:00Z"},
            record([{"name": "x", "type": ["null", MILLIS]}, {"name": "y", "type": "int", "default": 0}]),
            {"x": "2026-01-01T00:00:00Z", "y": 0},
            id="a time beside a new field",
        ),
    ],
)
def test_what_was_published_under_an_earlier_schema_is_read_as_the_present_one(
    before: Json, published: Json, now: Json, expected: Json
) -> None:
    assert same(shown(codec_of(now, before), encode(before, published, 2)), expected)
    check_compatibility({"thing": kind_of(now)}, [RegisteredSchema(2, "thing", 1, kind_of(before).text)])


REMEDY = " Give new fields a default and keep the types of old ones."


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (one("int"), record([{"name": "y", "type": "int"}]), "y is new and has no default"),
        (one("string"), one("int"), "x was string, is int"),
        (one("long"), one("int"), "x was long, is int"),
        (one("bytes"), one("string"), "x was bytes, is string"),
        (one(["null", "string"]), one("string"), "x was null, is string"),
        (one(["null", "string"]), one(["null", "int"]), "x may be string, which is not among its types now"),
        (one(MILLIS), one(MICROS), "x had logical type timestamp-millis, has timestamp-micros"),
        (one(DATE), one(MILLIS), "x had logical type date, has timestamp-millis"),
        (
            one({"type": "enum", "name": "E", "symbols": ["a", "b", "c"]}),
            one({"type": "enum", "name": "E", "symbols": ["b"]}),
            "x had the symbols a, c, and has not now",
        ),
        (
            one({"type": "fixed", "name": "F", "size": 2}),
            one({"type": "fixed", "name": "F", "size": 3}),
            "x had 2 bytes, has 3",
        ),
        (
            one(record([{"name": "a", "type": "int"}], "Old")),
            one(record([{"name": "a", "type": "int"}], "New")),
            "x was the record Old, is New without that alias",
        ),
        (
            one({"type": "array", "items": {"type": "enum", "name": "Old", "symbols": ["a"]}}),
            one({"type": "array", "items": {"type": "enum", "name": "New", "symbols": ["a"]}}),
            "x was the enum Old, is New without that alias",
        ),
        (
            one({**REFERENCE, "kinds": ["thing", "image"]}),
            one({**REFERENCE, "kinds": ["thing"]}),
            "x referred to thing, image, now only to thing",
        ),
        (
            one({"type": "map", "values": record([{"name": "a", "type": "int"}], "N")}),
            one({"type": "map", "values": record([{"name": "a", "type": "string"}], "N")}),
            "x.a was int, is string",
        ),
    ],
)
def test_a_schema_that_can_not_read_the_log_says_why(before: Json, now: Json, reason: str) -> None:
    registered = RegisteredSchema(1, "thing", 4, kind_of(before).text)
    with pytest.raises(IncompatibleSchema) as error:
        check_compatibility({"thing": kind_of(now)}, [registered])
    assert (
        str(error.value)
        == f"kinds/thing.avsc can't read what the log holds under version 4 of thing: {reason}.{REMEDY}"
    )
    codec = Codec({"thing": kind_of(now)}, [registered])
    with pytest.raises(Undecodable) as undecodable:
        codec.decode("thing", b"\0\0\0\0\1\0")
    assert str(undecodable.value) == f"schema-mismatch: {reason}"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(kinds_with_data(), kinds_with_data())
def test_what_is_called_compatible_can_be_read(made: tuple[Json, list[Json]], other: tuple[Json, list[Json]]) -> None:
    (before, values), (now, _) = made, other
    try:
        check_compatibility({"thing": kind_of(now)}, [RegisteredSchema(1, "thing", 1, kind_of(before).text)])
    except IncompatibleSchema:
        return
    codec = codec_of(now, before)
    for data in values:
        shown(codec, encode(before, data, 2))


# -------------------------------------------------------------------------------------------------------- broken bytes

KIND = record(
    [
        {"name": "text", "type": "string"},
        {"name": "number", "type": "long"},
        {"name": "when", "type": ["null", MICROS]},
        {"name": "day", "type": DATE},
        {"name": "words", "type": {"type": "array", "items": "string"}},
        {"name": "blocks", "type": {"type": "array", "items": record([{"name": "a", "type": ["null", "bytes"]}], "N")}},
        {"name": "map", "type": {"type": "map", "values": {"type": "array", "items": "int"}}},
        {"name": "symbol", "type": {"type": "enum", "name": "E", "symbols": ["one", "two"]}},
        {"name": "flag", "type": "boolean"},
    ]
)
DATA = {
    "text": "some text",
    "number": 1_000_000,
    "when": "2026-01-01T00:00:00Z",
    "day": "2026-01-01",
    "words": ["one", "two", "three"],
    "blocks": [{"a": None}, {"a": "bytes"}],
    "map": {"k": [1, 2, 3], "l": []},
    "symbol": "two",
    "flag": True,
}
EARLIER = {**KIND, "fields": KIND["fields"][::-1]}
CODEC = codec_of(KIND, EARLIER)
VALUES = {1: encode(KIND, DATA), 2: encode(EARLIER, DATA, 2)}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"", "bad-framing: it does not begin with magic 0 and a schema id"),
        (b"\0\0\0\0", "bad-framing: it does not begin with magic 0 and a schema id"),
        (b"\1\0\0\0\1", "bad-framing: it does not begin with magic 0 and a schema id"),
        (b'{"headline": "plain JSON"}', "bad-framing: it does not begin with magic 0 and a schema id"),
        (b"\0\0\0\0\7", "unknown-schema: schema id 7 is not registered beside the log"),
        (b"\0\xff\xff\xff\xff", "unknown-schema: schema id 4294967295 is not registered beside the log"),
        (b"\0\0\0\0\3", "kind-mismatch: schema 3 is of other, the URI of thing"),
        (VALUES[1] + b"\0", "malformed-avro: bytes are left behind the record"),
        (VALUES[2] + b"\0", "malformed-avro: bytes are left behind the record"),
        (b"\0\0\0\0\1" + b"x" * MESSAGE_BYTES_MAX, "too-large: 1,000,005 bytes; a message may have 1,000,000"),
    ],
)
def test_a_broken_payload_says_how(value: bytes, message: str) -> None:
    other = RegisteredSchema(3, "other", 1, json.dumps(record([], "other")))
    kinds = [kind_of(KIND), kind_of(EARLIER)]
    registered = [RegisteredSchema(number, "thing", number, kind.text) for number, kind in enumerate(kinds, 1)]
    with pytest.raises(Undecodable) as error:
        Codec({"thing": kinds[0]}, [*registered, other]).decode("thing", value)
    assert str(error.value) == message
    assert str(error.value) == f"{error.value.code}: {error.value.reason}"


def test_a_kind_that_the_catalog_has_no_more_is_told() -> None:
    with pytest.raises(Undecodable) as error:
        Codec({}, [RegisteredSchema(1, "thing", 1, kind_of(KIND).text)]).decode("thing", VALUES[1])
    assert str(error.value) == "schema-mismatch: the catalog has no kind thing"


def undecodable_or_json(value: bytes) -> None:
    try:
        shown(CODEC, value)
    except Undecodable as error:
        assert error.code in {"bad-framing", "unknown-schema", "malformed-avro"}
        assert error.reason


@pytest.mark.parametrize("number", VALUES)
def test_a_payload_cut_anywhere_is_undecodable(number: int) -> None:
    value = VALUES[number]
    assert shown(CODEC, value) == DATA
    for end in range(len(value)):
        with pytest.raises(Undecodable):
            CODEC.decode("thing", value[:end])


@pytest.mark.parametrize("number", VALUES)
def test_any_bit_turned_over_gives_data_or_undecodable(number: int) -> None:
    value = VALUES[number]
    for at in range(len(value) * 8):
        turned = bytearray(value)
        turned[at // 8] ^= 1 << at % 8
        undecodable_or_json(bytes(turned))


@given(
    st.sampled_from(sorted(VALUES)), st.lists(st.tuples(st.integers(5, 200), st.integers(0, 9), st.binary(max_size=12)))
)
@example(1, [(5, 9, b"\xff" * 12)])
def test_any_bytes_put_in_give_data_or_undecodable(number: int, cuts: list[tuple[int, int, bytes]]) -> None:
    value = VALUES[number]
    for at, removed, put in cuts:
        value = value[:at] + put + value[at + removed :]
    undecodable_or_json(value)


HUGE = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
"""2**63 - 1 as Avro writes it."""


@pytest.mark.parametrize("items", ["string", "boolean", DATE, record([{"name": "a", "type": ["null", "int"]}], "N")])
@pytest.mark.parametrize("container", ["array", "map"])
@pytest.mark.parametrize(
    "payload",
    [
        HUGE,
        HUGE + b"\2" * 1_000,
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + HUGE,
        b"\1" + HUGE + b"\2" * 100,
        b"\1\0" * 100_000,
        b"\2" * 200_000,
        b"\xff" * 900_000,
        b"\x80" * 900_000,
    ],
)
def test_a_few_bytes_can_not_stand_for_a_billion_items(items: Json, container: str, payload: bytes) -> None:
    schema = one({"type": container, "items" if container == "array" else "values": items})
    for codec in (codec_of(schema), codec_of({**schema, "doc": "by the other library"}, schema)):
        tracemalloc.start()
        try:
            codec.decode("thing", relabelled(b"\0" * 5 + payload, len(codec._schemas)))
        except Undecodable as error:
            assert error.code == "malformed-avro"
        finally:
            _, peak_bytes = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak_bytes < 128 * 1024 * 1024

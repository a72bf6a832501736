"""The compiled way through payloads gives what the libraries give, or nothing at all."""

import copy
import json
import math
import struct
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st

from assets.catalog import newsroom_catalog
from assets.codec import Codec
from assets.errors import InvalidMessage, SchemaProblem, Undecodable
from assets.limits import MESSAGE_BYTES_MAX
from assets.model import RegisteredSchema
from assets.newsroom import history
from assets.schema import Kind
from assets.schema_reader import parse_kind

pytest.importorskip("assets.native", reason="assets/native.pyx is not compiled: no C compiler")

Json = Any
Typed = tuple[Json, st.SearchStrategy[Json]]

MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
DATE = {"type": "int", "logicalType": "date"}
REFERENCE = {"type": "string", "logicalType": "asset-ref", "kinds": ["thing"]}
URI = "x://thing/é"
OPTIONS = orjson.OPT_UTC_Z


def kind_of(fields: list[Json]) -> Kind:
    return parse_kind("thing", json.dumps({"type": "record", "name": "thing", "fields": fields}), {})


def both(kind: Kind) -> tuple[Codec, Codec]:
    """Compiled, and not."""
    schemas = [RegisteredSchema(1, "thing", 1, kind.text)]
    return Codec({"thing": kind}, schemas), Codec({"thing": kind}, schemas, compiled=False)


# ----------------------------------------------------------------------------------------------- types that are compiled

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
_INSTANTS = st.datetimes().map(lambda at: at.isoformat() + "Z")
_REFERENCES = st.sampled_from(["x://thing/1", "x://thing/2%2F", "", "no uri", "\u2028\n"])


def _scalars(name: str) -> list[Typed]:
    return [
        ("null", st.none()),
        ("boolean", st.booleans()),
        ("int", st.integers(-(2**31), 2**31 - 1)),
        ("long", st.integers(-(2**63), 2**63 - 1)),
        ("float", st.floats(width=32, allow_nan=False, allow_infinity=False)),
        ("double", st.floats(allow_nan=False, allow_infinity=False)),
        ("string", _TEXTS),
        ("bytes", st.text(st.characters(max_codepoint=255), max_size=9)),
        ({"type": "fixed", "name": name, "size": 3}, st.text(st.characters(max_codepoint=255), min_size=3, max_size=3)),
        ({"type": "enum", "name": name, "symbols": ["one", "two"]}, st.sampled_from(["one", "two"])),
        (MILLIS, _INSTANTS),
        (MICROS, _INSTANTS),
        (DATE, st.dates().map(str)),
        (REFERENCE, _REFERENCES),
        (["null", REFERENCE], st.none() | _REFERENCES),
        ({"type": "array", "items": REFERENCE}, st.lists(_REFERENCES, max_size=3)),
        ([{"type": "array", "items": [REFERENCE, "null"]}, "null"], st.none() | st.lists(st.none() | _REFERENCES)),
    ]


@st.composite
def types(draw: Callable[..., Any], names: list[int], depth: int = 0) -> Typed:
    names.append(0)
    name = f"N{len(names)}"
    shape = draw(st.sampled_from(["scalar", "scalar", "array", "nullable", "record"]))
    if shape == "scalar" or depth == 3:
        return draw(st.sampled_from(_scalars(name)))
    if shape == "record":
        fields = [draw(types(names, depth + 1)) for _ in range(draw(st.integers(0, 3)))]
        made = [{"name": f"f{number}", "type": type_} for number, (type_, _) in enumerate(fields)]
        values = st.fixed_dictionaries({f"f{number}": values for number, (_, values) in enumerate(fields)})
        return {"type": "record", "name": name, "fields": made}, values
    inner, values = draw(types(names, depth + 1))
    if shape == "array":
        return ({"type": "array", "items": inner}, st.lists(values, max_size=3)) if inner != "null" else (inner, values)
    if isinstance(inner, list) or inner == "null":
        return inner, values
    return draw(st.sampled_from([["null", inner], [inner, "null"]])), st.none() | values


@st.composite
def kinds_with_data(draw: Callable[..., Any]) -> tuple[Kind, Json]:
    names: list[int] = []
    made = [draw(types(names)) for _ in range(draw(st.integers(1, 5)))]
    fields = [{"name": f"x{number}", "type": type_} for number, (type_, _) in enumerate(made)]
    try:
        kind = kind_of(fields)
    except SchemaProblem:
        # An array of what takes no bytes.
        reject()
    return kind, {f"x{number}": draw(values) for number, (_, values) in enumerate(made)}


# ----------------------------------------------------------------------------------------------------------- both ways


def _whole(rendered: Any) -> bytes:
    """The text with what stood in its holes back in them."""
    if isinstance(rendered, bytes):
        return rendered
    pieces, holes = rendered
    assert len(pieces) == len(holes) + 1
    return b"".join(
        piece + (orjson.dumps(holes[number][1]) if number < len(holes) else b"") for number, piece in enumerate(pieces)
    )


def _text(data: Json, fields: tuple[str, ...]) -> bytes:
    return orjson.dumps({"uri": URI, **{name: data[name] for name in fields}}, option=OPTIONS)


def _found(data: Json, paths: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
    """What stands at reference paths, in the order of the text, without what is empty."""
    for name, value in data.items():
        below = tuple(path.partition(".")[2] if path.partition(".")[0] == name else "" for path in paths)
        if name in paths and (value or value == ""):
            yield paths.index(name), value
        for item in value if isinstance(value, list) else [value]:
            for inner in item if isinstance(item, list) else [item]:
                if isinstance(inner, dict):
                    yield from _found(inner, below)


def shapes_of(kind: Kind, fields: tuple[str, ...], some: set[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    paths = tuple(dict.fromkeys(reference.path for reference in kind.references))
    return [
        (tuple(kind.record.fields), paths),
        (tuple(kind.record.fields), tuple(path for path in paths if path in some)),
        (fields, tuple(path for path in paths if path.split(".")[0] in fields)),
        (fields, ()),
    ]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(kinds_with_data(), st.data())
def test_both_ways_write_the_same_and_show_the_same(made: tuple[Kind, Json], draw: st.DataObject) -> None:
    kind, data = made
    compiled, plain = both(kind)
    value = compiled.encode("thing", 1, copy.deepcopy(data))
    assert value == plain.encode("thing", 1, copy.deepcopy(data))
    fields = tuple(name for name in kind.record.fields if draw.draw(st.booleans()))
    some = {reference.path for reference in kind.references if draw.draw(st.booleans())}
    shapes = shapes_of(kind, fields, some)
    cut = compiled.cutter("thing", shapes, lambda pieces, holes: (pieces, holes))
    assert plain.cutter("thing", shapes, lambda *_: None) is None
    if cut is None:
        return
    decoded = plain.decode("thing", value)
    rendered = cut(URI, value)
    assert rendered is not None
    for (names, paths), shape in zip(shapes, rendered, strict=True):
        assert _whole(shape) == _text(decoded, names)
        holes = [] if isinstance(shape, bytes) else shape[1]
        assert holes == list(_found({name: decoded[name] for name in names}, paths))


def test_the_newsroom_is_compiled() -> None:
    catalog = newsroom_catalog()
    schemas = [RegisteredSchema(n, name, 1, kind.text) for n, (name, kind) in enumerate(catalog.kinds.items())]
    compiled, plain = Codec(catalog.kinds, schemas), Codec(catalog.kinds, schemas, compiled=False)
    numbers = {schema.kind: schema.id for schema in schemas}
    for message in history(300):
        if message["op"] == "unpublish":
            continue
        name = message["kind"]
        kind = catalog.kinds[name]
        writer = compiled._forms[name].native
        assert writer is not None
        value = writer(b"", copy.deepcopy(message["data"]))
        assert value is not None
        value = compiled.encode(name, numbers[name], copy.deepcopy(message["data"]))
        assert value[5:] == writer(b"", copy.deepcopy(message["data"]))
        assert value == plain.encode(name, numbers[name], copy.deepcopy(message["data"]))
        cut = compiled.cutter(name, shapes_of(kind, tuple(kind.record.fields), set()), lambda *shape: shape)
        assert cut is not None
        rendered = cut(URI, value)
        assert rendered is not None
        assert _whole(rendered[0]) == _text(plain.decode(name, value), tuple(kind.record.fields))


# ---------------------------------------------------------------------------------------------------- broken payloads


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(kinds_with_data(), st.data())
def test_of_broken_bytes_it_takes_none_that_the_libraries_refuse(made: tuple[Kind, Json], draw: st.DataObject) -> None:
    kind, data = made
    compiled, plain = both(kind)
    value = bytearray(plain.encode("thing", 1, copy.deepcopy(data)))
    for _ in range(draw.draw(st.integers(1, 3))):
        place = draw.draw(st.integers(0, len(value)))
        match draw.draw(st.sampled_from(["cut", "put", "change"])):
            case "cut":
                del value[place : place + draw.draw(st.integers(1, 4))]
            case "put":
                value[place:place] = draw.draw(st.binary(min_size=1, max_size=10))
            case _:
                value[place : place + 1] = draw.draw(st.binary(min_size=1, max_size=1))
    same_or_nothing(kind, compiled, plain, bytes(value))


def same_or_nothing(kind: Kind, compiled: Codec, plain: Codec, value: bytes) -> bool:
    """Whether it was taken."""
    fields = tuple(kind.record.fields)
    cut = compiled.cutter("thing", [(fields, ())], lambda *_: None)
    rendered = cut(URI, value) if cut is not None else None
    if rendered is None:
        return False
    assert rendered == [_text(plain.decode("thing", value), fields)]
    return True


@pytest.mark.parametrize(
    "text",
    [
        b"\xc0\x80",
        b"\xc3",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf5",
        b"\x80",
        b"\xff",
    ],
)
@pytest.mark.parametrize("front", [b"", b"seven by", b"\xc3\xa9"])
def test_what_is_no_utf8_is_left_to_the_libraries(text: bytes, front: bytes) -> None:
    kind = kind_of([{"name": "x", "type": "string"}])
    compiled, plain = both(kind)
    value = b"\0\0\0\0\1" + bytes([2 * len(front + text)]) + front + text
    assert not same_or_nothing(kind, compiled, plain, value)
    with pytest.raises(Undecodable):
        plain.decode("thing", value)


@pytest.mark.parametrize("length", range(20))
def test_every_character_is_escaped_as_json_has_it_wherever_it_stands(length: int) -> None:
    kind = kind_of([{"name": "x", "type": "string"}, {"name": "y", "type": "bytes"}])
    compiled, plain = both(kind)
    for code in [*range(256), 0x2028, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF]:
        text = "a" * length + chr(code) + "b" * (length % 3)
        data = {"x": text, "y": chr(code % 256) * length}
        value = compiled.encode("thing", 1, copy.deepcopy(data))
        assert value == plain.encode("thing", 1, data)
        assert same_or_nothing(kind, compiled, plain, value)


def test_every_day_is_shown_and_read_as_the_calendar_has_it() -> None:
    kind = kind_of([{"name": "x", "type": DATE}])
    compiled, plain = both(kind)
    cut = compiled.cutter("thing", [(("x",), ())], lambda *_: None)
    writer = compiled._forms["thing"].native
    assert cut is not None
    assert writer is not None
    day = date.min
    while True:
        data = {"x": str(day)}
        value = writer(b"\0\0\0\0\1", data)
        assert value is not None
        assert cut("x://thing/1", value) == [b'{"uri":"x://thing/1","x":"%b"}' % str(day).encode()]
        if day > date.max - timedelta(days=11):
            break
        day += timedelta(days=11)
    for text in (
        "2023-02-29",
        "1900-02-29",
        "2024-02-30",
        "2024-13-01",
        "2024-00-01",
        "2024-01-00",
        "2024-04-31",
        "0000-01-01",
    ):
        assert writer(b"", {"x": text}) is None
        with pytest.raises(InvalidMessage):
            plain.encode("thing", 1, {"x": text})


def _long(value: int) -> bytes:
    left = (value << 1) ^ (value >> 63)
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*written, left])


@pytest.mark.parametrize("type_", [MILLIS, MICROS])
@pytest.mark.parametrize("near", [-62135596800, 253402300800, 0, 951782400])
def test_times_at_the_ends_of_the_calendar(type_: Json, near: int) -> None:
    kind = kind_of([{"name": "x", "type": type_}])
    compiled, plain = both(kind)
    per_second = 1_000 if type_ is MILLIS else 1_000_000
    for unit in (-per_second, -1, 0, 1, per_second):
        value = b"\0\0\0\0\1" + _long(near * per_second + unit)
        taken = same_or_nothing(kind, compiled, plain, value)
        assert taken == (near * per_second + unit in range(-62135596800 * per_second, 253402300800 * per_second))


@example("2026-11-23T09:00:00Z")
@example("2026-11-23t09:00:00z")
@example("2026-11-23T09:00:00.Z")
@example("2026-11-23T09:00:60Z")
@example("2026-11-23T24:00:00Z")
@example("2026-11-23T09:00:00.1234567Z")
@example("2026-11-23T09:00:00,5Z")
@example("2026-11-23 09:00:00Z")
@given(
    st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]{0,8})?(Z|z|\+01:00|)", fullmatch=True
    )
)
def test_a_time_is_read_as_the_library_reads_it_or_left_to_it(text: str) -> None:
    for type_ in (MILLIS, MICROS):
        compiled, plain = both(kind_of([{"name": "x", "type": type_}]))
        writer = compiled._forms["thing"].native
        assert writer is not None
        value = writer(b"\0\0\0\0\1", {"x": text})
        if value is not None:
            assert value == plain.encode("thing", 1, {"x": text})


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("int", 2**31),
        ("int", -(2**31) - 1),
        ("int", True),
        ("long", 2**63),
        ("long", 1.0),
        ("boolean", 1),
        ("string", 7),
        ("string", "\ud800"),
        ("bytes", "\u0100"),
        ("double", 1),
        ("double", "1.5"),
        ("float", 1e300),
        ("null", 0),
        ({"type": "fixed", "name": "F", "size": 2}, "abc"),
        ({"type": "enum", "name": "E", "symbols": ["one"]}, "two"),
        ({"type": "enum", "name": "E", "symbols": ["one"]}, None),
        ({"type": "array", "items": "int"}, {"0": 1}),
        ({"type": "array", "items": "int"}, (1,)),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}, {"a": 1, "b": 2}),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}, {}),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}, []),
        (["null", "string"], 7),
        (MILLIS, 7),
        (DATE, 7),
    ],
)
def test_what_does_not_fit_is_left_to_the_libraries(type_: Json, value: Json) -> None:
    compiled, _ = both(kind_of([{"name": "x", "type": type_}]))
    writer = compiled._forms["thing"].native
    assert writer is not None
    assert writer(b"", {"x": value}) is None


@pytest.mark.parametrize(
    "type_",
    [
        {"type": "map", "values": "int"},
        ["null", "int", "string"],
        {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
        {"type": "int", "logicalType": "time-millis"},
    ],
)
def test_other_types_are_left_to_the_libraries(type_: Json) -> None:
    compiled, _ = both(kind_of([{"name": "x", "type": type_}]))
    assert compiled._forms["thing"].native is None
    assert compiled.cutter("thing", [(("x",), ())], lambda *_: None) is None


def test_another_schema_and_too_much_are_left_to_the_libraries() -> None:
    kind = kind_of([{"name": "x", "type": "string"}])
    compiled, plain = both(kind)
    value = plain.encode("thing", 1, {"x": "text"})
    assert same_or_nothing(kind, compiled, plain, value)
    assert not same_or_nothing(kind, compiled, plain, value[:1] + struct.pack(">I", 2) + value[5:])
    assert not same_or_nothing(kind, compiled, plain, b"\1" + value[1:])
    assert not same_or_nothing(kind, compiled, plain, value[:4])
    large = b"\0\0\0\0\1" + _long(MESSAGE_BYTES_MAX) + b"x" * MESSAGE_BYTES_MAX
    assert not same_or_nothing(kind, compiled, plain, large)


def test_numbers_that_json_does_not_have_are_shown_as_null() -> None:
    kind = kind_of([{"name": "x", "type": "double"}, {"name": "y", "type": "float"}])
    compiled, plain = both(kind)
    for number in (math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, -0.0, 1e16, 1e-7):
        value = (
            b"\0\0\0\0\1" + struct.pack("<d", number) + struct.pack("<f", number if abs(number) < 1e30 else math.inf)
        )
        assert same_or_nothing(kind, compiled, plain, value)


def test_what_comes_in_between_is_left_to_the_libraries() -> None:
    kind = kind_of([{"name": "x", "type": REFERENCE}])
    compiled, plain = both(kind)
    value = plain.encode("thing", 1, {"x": "x://thing/1"})
    between: list[Any] = []

    def make(pieces: list[bytes], holes: Any) -> Any:
        # As another thread may, while this one is in Python.
        between.append(cut("x://thing/2", value))
        return pieces, holes

    cut = compiled.cutter("thing", [(("x",), ("x",))], make)
    assert cut is not None
    assert [_whole(shape) for shape in cut("x://thing/0", value)] == [b'{"uri":"x://thing/0","x":"x://thing/1"}']
    assert between == [None]
    assert cut("x://thing/0", value) is not None

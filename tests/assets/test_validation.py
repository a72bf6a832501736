"""Bad input, line by line: the whole message that a person reads. Each names the line, the field and the rule."""

import json
import re
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.catalog import parse_catalog
from assets.codec import Codec
from assets.errors import InvalidMessage
from assets.gateway import Gateway
from assets.limits import LINE_BYTES_MAX
from assets.log import open_log
from assets.model import RegisteredSchema
from assets.validation import parse_message, transaction_in
from denormalizer.fragments import to_json
from tests.support.newsroom import Shell, field, nullable, record, reference, unpublish, write_catalog

Json = Any

PARAGRAPH = record("paragraph", field("text", "string"), field("words", "int", 0))
CROP = record(
    "crop",
    field("width", "int"),
    field("shape", {"type": "enum", "name": "shape", "symbols": ["wide", "tall"]}, "wide"),
)
PICTURE = record("picture", field("image", reference("image")), nullable("crop", CROP))

ARTICLE = record(
    "article",
    field("headline", "string"),
    field("status", {"type": "enum", "name": "status", "symbols": ["draft", "final"]}, "draft"),
    field("live", "boolean", False),
    field("count", "int", 0),
    field("big", "long", 0),
    field("rating", "float", 0.0),
    field("score", "double", 0.0),
    nullable("blob", "bytes"),
    nullable("two", {"type": "fixed", "name": "two", "size": 2}),
    nullable("at", {"type": "long", "logicalType": "timestamp-micros"}),
    nullable("day", {"type": "int", "logicalType": "date"}),
    nullable("clock", {"type": "int", "logicalType": "time-millis"}),
    nullable("price", {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}),
    nullable("guid", {"type": "string", "logicalType": "uuid"}),
    field("note", ["null", "int", "string"], None),
    field("labels", {"type": "map", "values": "int"}, {}),
    nullable("byline", reference("byline")),
    field("images", {"type": "array", "items": reference("image")}, []),
    field("body", {"type": "array", "items": [PARAGRAPH, PICTURE]}, []),
    nullable("lead", record("lead", field("crops", {"type": "array", "items": "crop"}, []))),
    field("captions", {"type": "map", "values": {"type": "array", "items": reference("image")}}, {}),
)
FILES = {
    "kinds/article.avsc": json.dumps(ARTICLE),
    "kinds/byline.avsc": json.dumps(record("byline", field("name", "string"))),
    "kinds/image.avsc": json.dumps(record("image", field("path", "string"))),
    "views.toml": "",
}

LINE = '{"uri": "n://article/1", "kind": "article", "op": "publish", "time": "2026-11-23T09:00:00Z", "data": {"headline": "h"}}'
"""A good one; each case below changes something in it."""

URI = "it must be SCHEME://KIND/ID, with RFC 3986 path characters (and inner spaces) in ID"
TIMES = "is before the year 1 or after the year 9999 in UTC"
NOT_THERE = "which nobody has published; publish it first or in the same transaction, or use --references hold or allow"
DEEP = 3_000


def line(**changes: Json) -> str:
    """The good line with other fields in its envelope; `...` leaves one out."""
    changed = {**json.loads(LINE), **changes}
    return json.dumps({name: value for name, value in changed.items() if value is not ...}, ensure_ascii=False)


def data(**fields: Json) -> str:
    """The good line with more data."""
    return line(data={"headline": "h", **fields})


def raw(text: str) -> str:
    """The good line with this in its data, as it stands."""
    return LINE.replace('"headline": "h"', f'"headline": "h", {text}')


BAD_TEXT = [
    # line, what is said about it
    ("hello", "not JSON: invalid character (byte 0)"),
    ("{", "not JSON: Input data was truncated"),
    (LINE[:60], "not JSON: Input data was truncated"),
    (LINE[:-1] + ",}", "not JSON: trailing comma in object (byte 119)"),
    (LINE.replace('"h"', "NaN"), "not JSON: invalid character (byte 114)"),
    (LINE + LINE, "not JSON: trailing characters (byte 120)"),
    ("\ufeff" + LINE, "begins with a byte order mark; save the file as UTF-8 without one"),
    (b"\xff\xfe{", "not UTF-8: invalid start byte at byte 0"),
    (line(uri="n://article/é").encode("latin-1"), "not UTF-8: invalid continuation byte at byte 21"),
    (raw(r'"note": "\ud800"'), r"has half of a surrogate pair (\ud800 to \udfff), which is no character"),
    (raw(r'"note": "\udc00\ud800"'), r"has half of a surrogate pair (\ud800 to \udfff), which is no character"),
    (raw(r'"labels": {"\ud800": 1}'), r"has half of a surrogate pair (\ud800 to \udfff), which is no character"),
    ("[" + LINE + "]", "expected object, got array"),
    ("42", "expected object, got int"),
    ("null", "expected object, got null"),
    (raw('"note": ' + "[" * DEEP + "]" * DEEP), "nested too deep"),
    ('"' + "x" * (LINE_BYTES_MAX - 1) + '"', "is longer than 8,388,608 bytes"),
]

BAD_ENVELOPES = [
    (line(author="me"), "author: is unknown; known here are uri, kind, op, time, tx, id, expect, data"),
    (line(uri=...), "uri: is required"),
    (line(kind=...), "kind: is required"),
    (line(op=...), "op: is required"),
    (line(time=...), "time: is required"),
    (line(op="update"), "op: invalid enum value 'update', must be one of publish, unpublish"),
    (line(op=None), "op: expected string, got null"),
    (line(time="yesterday"), "time: invalid RFC3339 encoded datetime"),
    (line(time="2026-11-23"), "time: invalid RFC3339 encoded datetime"),
    (line(time="2026-02-30T09:00:00Z"), "time: invalid RFC3339 encoded datetime"),
    (line(time="2026-11-23T09:00:00"), "time: expected datetime with a timezone component"),
    (line(time=1795424400), "time: expected datetime, got int"),
    (line(time="0001-01-01T00:00:00+01:00"), f"time: {TIMES}"),
    (line(time="9999-12-31T23:59:59-01:00"), f"time: {TIMES}"),
    (json.dumps({**unpublish("n://article/1"), "time": "0001-01-01T00:00:00+01:00"}), f"time: {TIMES}"),
    (line(id=""), "id: expected string of length >= 1"),
    (line(id="x" * 257), "id: expected string of length <= 256"),
    (line(id=7), "id: expected string | null, got int"),
    (line(tx=""), "tx: expected string of length >= 1"),
    (line(tx="x" * 257), "tx: expected string of length <= 256"),
    (line(expect=-2), "expect: expected int >= -1"),
    (line(expect="7"), "expect: expected int | null, got string"),
    (
        line(expect=7),
        "expect: n://article/1 was never published, not at 7; read it again and publish on top of that",
    ),
    (line(op="unpublish"), "data: an unpublish has no data"),
    (line(data=...), "data: is required to publish"),
    (line(data=None), "data: is required to publish"),
    (line(data=[]), "data: expected object | null, got array"),
    (line(kind="image"), "kind: is 'image', but the URI says 'article'"),
    (
        line(uri="n://video/1", kind="video"),
        "kind: the catalog has no kind 'video'; it has article, byline, image",
    ),
]

BAD_URIS = [
    (line(uri=uri), f"uri: {shown or repr(uri)}: {rule}")
    for uri, rule, shown in (
        ("", URI, ""),
        ("article/1", URI, ""),
        ("://article/1", URI, ""),
        ("N://article/1", URI, ""),
        ("+n://article/1", URI, ""),
        ("n_n://article/1", URI, ""),
        ("n:/article/1", URI, ""),
        ("n:///1", URI, ""),
        ("n://ar-ticle/1", URI, ""),
        ("n://1article/1", URI, ""),
        ("n://article", URI, ""),
        ("n://article/", URI, ""),
        ("n://article/ 1", URI, ""),
        ("n://article/1 ", URI, ""),
        ("n://article/a\tb", URI, ""),
        ("n://article/1\n", URI, ""),
        ("n://article/a?b", URI, ""),
        ("n://article/a#b", URI, ""),
        ("n://article/é", URI, ""),
        ('n://article/"', URI, ""),
        ("n://article/" + "x" * 513, "its ID is longer than 512 characters", repr("n://article/" + "x" * 188)),
    )
]

BAD_DATA = [
    (line(data={}), "data.headline: is required"),
    (data(headline=None), "data.headline: expected string, got null"),
    (data(headline=5), "data.headline: expected string, got int"),
    (
        data(title="h"),
        f"data.title: is unknown; known here are {', '.join(one['name'] for one in ARTICLE['fields'])}",
    ),
    (data(status="gone"), "data.status: invalid enum value 'gone', must be one of draft, final"),
    (data(live="true"), "data.live: expected bool, got string"),
    (data(live=1), "data.live: expected bool, got int"),
    (data(count=2**31), "data.count: expected int <= 2147483647"),
    (data(count=-(2**31) - 1), "data.count: expected int >= -2147483648"),
    (data(count=1.5), "data.count: expected int, got float"),
    (data(count=True), "data.count: expected int, got bool"),
    (data(big=2**63), "data.big: expected int <= 9223372036854775807"),
    (data(big=-(2**63) - 1), "data.big: expected int >= -9223372036854775808"),
    (data(rating=3.5e38), "data.rating: expected float < 3.4028235677973366e+38"),
    (data(rating=-3.5e38), "data.rating: expected float > -3.4028235677973366e+38"),
    (data(score=10**400), "data.score: number out of range"),
    (raw('"body": [{"text": "a"}, {"text": 1e999}]'), "data.body[1].text: number out of range"),
    (data(score="1"), "data.score: expected float, got string"),
    (data(blob="\u0100"), "data.blob: must be bytes as text, a character from U+0000 to U+00FF for each"),
    (data(two="abc"), "data.two: expected string of length <= 2"),
    (data(two="a"), "data.two: expected string of length >= 2"),
    (data(at="soon"), "data.at: invalid RFC3339 encoded datetime"),
    (data(at="2026-11-23T09:00:00"), "data.at: expected datetime with a timezone component"),
    (data(at=5), "data.at: expected datetime | null, got int"),
    (data(at="0001-01-01T00:00:00+01:00"), f"data.at: {TIMES}"),
    (data(at="9999-12-31T23:59:59-01:00"), f"data.at: {TIMES}"),
    (data(day="2026-13-01"), "data.day: invalid RFC3339 encoded date"),
    (data(clock="25:00:00"), "data.clock: invalid RFC3339 encoded time"),
    (data(clock="09:00:00Z"), "data.clock: expected time with no timezone component"),
    (data(price=12.5), "data.price: expected string | null, got float"),
    (data(price="NaN"), 'data.price: must be a decimal number as text, such as "12.50"'),
    (data(guid="1234"), "data.guid: invalid UUID"),
    (data(note=1.5), "data.note: expected int | string | null, got float"),
    (data(note=2**40), "data.note: expected int <= 2147483647"),
    (data(labels={"good": 1, "bad": "b"}), "data.labels.bad: expected int, got string"),
    (data(labels=[1]), "data.labels: expected object, got array"),
    (data(body=[{"text": "a"}, {"text": "b", "words": "c"}]), "data.body[1].words: expected int, got string"),
    (
        data(body=[{"image": "n://image/1", "crop": {"width": "w"}}]),
        "data.body[0].crop.width: expected int, got string",
    ),
    (
        data(body=[{"image": "n://image/1", "crop": {"width": 1, "shape": "round"}}]),
        "data.body[0].crop.shape: invalid enum value 'round', must be one of wide, tall",
    ),
    (
        data(body=[{"text": "a", "image": "n://image/1"}]),
        "data.body[0]: fits none of the objects that may stand here: (text, words) or (image, crop)",
    ),
    (data(body=[{"words": 3}]), "data.body[0].text: is required"),
    (data(body=[7]), "data.body[0]: expected object, got int"),
    (data(lead={"crops": [{"width": 1}, {}]}), "data.lead.crops[1].width: is required"),
    (data(lead={"crops": [{"width": 1, "x": 2}]}), "data.lead.crops[0].x: is unknown; known here are width, shape"),
    (data(lead={"crops": [{"width": 2**31}]}), "data.lead.crops[0].width: expected int <= 2147483647"),
    (data(headline="x" * 1_000_000), "data: takes 1,000,038 bytes; a message may have 1,000,000"),
]

BAD_REFERENCES = [
    (data(byline="Ada"), f"data.byline: 'Ada': {URI}"),
    (data(byline=""), f"data.byline: '': {URI}"),
    (data(byline="n://image/1"), "data.byline: refers to the kind image, must be byline"),
    (data(images="n://image/1"), "data.images: expected array, got string"),
    (data(images=["n://byline/1"]), "data.images[0]: refers to the kind byline, must be image"),
    (data(images=[""]), f"data.images[0]: '': {URI}"),
    (data(body=[{"text": ""}, {"image": "x"}]), f"data.body[1].image: 'x': {URI}"),
    (
        data(captions={"top": [], "end": ["n://byline/1"]}),
        "data.captions.end[0]: refers to the kind byline, must be image",
    ),
    (data(byline="n://byline/9"), f"data.byline: refers to n://byline/9, {NOT_THERE}"),
    (
        data(byline="n://byline/9", images=["n://image/9"]),
        f"data.byline: refers to n://byline/9, {NOT_THERE.replace(';', ' (and 1 more);', 1)}",
    ),
    (data(images=["n://image/9"] * 10_001), "data: has 10,001 references, at most 10,000"),
]

BAD = {
    "text": BAD_TEXT,
    "envelope": BAD_ENVELOPES,
    "uri": BAD_URIS,
    "data": BAD_DATA,
    "references": BAD_REFERENCES,
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalog(tmp_path_factory.mktemp("catalog"), FILES)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, capsys, monkeypatch)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(text, said, id=f"{part} {number}")
        for part, table in BAD.items()
        for number, (text, said) in enumerate(table)
    ],
)
def test_a_bad_line_is_refused_with_its_number_field_and_rule(
    text: str | bytes, said: str, catalog: Path, shell: Shell
) -> None:
    Path("bad.jsonl").write_bytes((text if isinstance(text, bytes) else text.encode()) + b"\n")
    ran = shell("publish", "bad.jsonl", "--log", "memory:", "--catalog", catalog, code=1)
    assert ran.err == f"bad.jsonl:1: {said}\n"
    assert ran.out.startswith("0 appended, 0 already there, 0 held, 1 refused\n")


GOOD = {
    "every default": LINE,
    "everything": data(
        status="final",
        live=True,
        count=-(2**31),
        big=2**63 - 1,
        rating=3.4028235e38,
        score=5,
        blob="\x00\xff",
        two="\xe9\n",
        at="2026-11-23T10:00:00.123456+01:00",
        day="1969-12-31",
        clock="23:59:59.999",
        price="-1234.50",
        guid="c0ffee00-0000-4000-8000-000000000000",
        note="a\0b",
        labels={"": -1, "a.b": 1},
        images=[],
        body=[{"text": ""}, {"words": 1, "text": "a"}],
        lead={"crops": [{"width": 1}]},
    ),
    "nulls": data(**{one["name"]: None for one in ARTICLE["fields"] if one.get("default", 0) is None}),
    "the longest URI": line(uri="n://article/" + "x" * 512),
    "a URI with everything that may stand in it": line(uri="a.b+c-1://article/-._~!$&'()*+,;=:@/%20 z"),
    "the first moment": line(time="0001-01-01T00:00:00Z"),
    "the last moment": line(time="9999-12-31T23:59:59.999999Z"),
    "a moment in another zone": line(time="2026-11-23T00:00:00+14:00"),
    "a moment in small letters": line(
        time="2026-11-23t09:00:00z", data={"headline": "h", "at": "2026-11-23t09:00:00z"}
    ),
    "an unpublish": json.dumps(unpublish("n://article/1")),
    "an unpublish that says it has no data": json.dumps({**unpublish("n://article/1"), "data": None}),
    "spaces around it": f"  {LINE}\t\r",
    "a name twice, of which the last counts": LINE.replace('"op"', '"kind": "article", "op"'),
}


SHOWN_OTHERWISE = {
    "2026-11-23t09:00:00z": {"at": "2026-11-23T09:00:00Z"},
    # By the time that the message has.
    "2026-11-23T10:00:00.123456+01:00": {
        "rating": 3.4028234663852886e38,
        "at": "2026-11-23T09:00:00.123456Z",
        "clock": "23:59:59.999000",
        "body": [{"text": "", "words": 0}, {"text": "a", "words": 1}],
        "lead": {"crops": [{"width": 1, "shape": "wide"}]},
    },
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_good_line_is_appended_and_can_be_read_back(text: str, catalog: Path, shell: Shell) -> None:
    Path("good.jsonl").write_text(text, encoding="utf-8")
    shell("publish", "good.jsonl", "--catalog", catalog)
    shell("log", "verify")
    shell("log", "tail")
    (described,) = shell("log", "tail", "--json").records
    (version,) = shell("history", described["uri"], "--json").records
    assert version["offset"] == 0
    given = json.loads(text)
    shown = version["data"] or {}
    wanted = given.get("data") or {}
    assert {name: shown[name] for name in wanted} == {**wanted, **SHOWN_OTHERWISE.get(wanted.get("at"), {})}


def test_what_a_line_says_is_told_without_what_it_holds(catalog: Path, shell: Shell) -> None:
    """Megabytes of somebody's article do not end in somebody's terminal."""
    Path("bad.jsonl").write_text(line(uri="é" * 100_000, op="x" * 100_000), encoding="utf-8")
    Path("worse.jsonl").write_text(line(uri="é" * 100_000), encoding="utf-8")
    for name in ("bad.jsonl", "worse.jsonl"):
        assert len(shell("publish", name, "--log", "memory:", "--catalog", catalog, code=1).err) < 1_000


def test_a_message_begins_with_a_field_of_the_line() -> None:
    """The table above is complete in this: nothing about an envelope or data goes without its field."""
    for part in ("envelope", "uri", "data", "references"):
        for _, said in BAD[part]:
            assert re.match(r"(uri|kind|op|time|tx|id|expect|author|data[a-z0-9.\[\]]*): ", said), said


@pytest.mark.parametrize(
    ("text", "tx"),
    [
        (b'{"tx": "t", "op": 5}', "t"),
        (b'{"op": 5}', None),
        (b'{"tx": null, "op": 5}', None),
        (b'{"tx": "t", "op": "pub', "t"),
        (b'{"op": {}, "tx" :"a\\"\\u00e9", "ur', 'a"é'),
        (b'{"tx": "\\ud800", "ur', "before"),
        (b'{"tx": "\xff", "ur', "before"),
        (b'{"tx": 5}', "before"),
        (b'{"tx": "t', "before"),
        (b"[]", "before"),
        (b"hello", "before"),
        (b"[" * 100_000, "before"),
        (None, "before"),
    ],
)
def test_the_transaction_of_a_bad_line_is_told_as_far_as_it_can_be(text: bytes | None, tx: str | None) -> None:
    assert transaction_in(text, "before") == tx


def test_an_invalid_message_says_field_and_rule() -> None:
    error = InvalidMessage("data.headline", "is required")
    assert (error.field, error.rule, str(error)) == ("data.headline", "is required", "data.headline: is required")


# ------------------------------------------------------------------------------------------------- whatever may come

TEXTS = st.one_of(
    st.text(max_size=4),
    st.sampled_from(
        [
            "2026-11-23T09:00:00Z",
            "2026-11-23t09:00:00.123456789z",
            "2026-11-23 09:00:00+00:00",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:60Z",
            "2026-11-23",
            "0000-01-01",
            "24:00:00",
            "09:00",
            "09:00:00.0000001",
            "1e3",
            "-0",
            "00012.50",
            "99999999.99",
            "n://image/1",
            "n://byline/1",
            "{C0FFEE00-0000-4000-8000-000000000000}",
            "c0ffee00000040008000000000000000",
            "draft",
        ]
    ),
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 2**128 - 2**103, -0.0, 5e-324, 1e300]),
    TEXTS,
)
NAMES = st.sampled_from(["text", "words", "image", "crop", "width", "shape", "crops", "x", ""])
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)), max_leaves=8
)
PARAGRAPHS = st.fixed_dictionaries({"text": TEXTS}, optional={"words": st.integers(0, 9)})
CROPS = st.fixed_dictionaries(
    {"width": st.integers(0, 2**31)}, optional={"shape": st.sampled_from(["wide", "tall", "x"])}
)
PICTURES = st.fixed_dictionaries({"image": TEXTS}, optional={"crop": st.one_of(st.none(), CROPS)})
LATIN = st.characters(max_codepoint=0xFF)
FITTING = {
    "headline": st.text(max_size=9),
    "status": st.sampled_from(["draft", "final"]),
    "live": st.booleans(),
    "count": st.integers(-(2**31), 2**31 - 1),
    "big": st.integers(-(2**63), 2**63 - 1),
    "rating": st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-9, 2**63)),
    "score": st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 2**80)),
    "blob": st.text(LATIN, max_size=4),
    "two": st.text(LATIN, min_size=2, max_size=2),
    "at": st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    "day": st.dates().map(date.isoformat),
    "clock": st.times().map(time.isoformat),
    "price": st.decimals(-9999, 9999, places=2).map(str),
    "guid": st.uuids().map(str),
    "note": st.one_of(st.integers(-(2**31), 2**31 - 1), st.text(max_size=4)),
    "labels": st.dictionaries(st.text(max_size=3), st.integers(-(2**31), 2**31 - 1), max_size=3),
    "byline": st.just("n://byline/1"),
    "images": st.lists(st.just("n://image/1"), max_size=3),
    "body": st.lists(st.one_of(PARAGRAPHS, PICTURES, ANYTHING), max_size=3),
    "lead": st.fixed_dictionaries({"crops": st.lists(CROPS, max_size=2)}),
    "captions": st.dictionaries(st.text(max_size=3), st.lists(st.just("n://image/1"), max_size=2), max_size=2),
}
VALUES = {
    name: st.booleans().flatmap(lambda fits, fitting=fitting: fitting if fits else st.one_of(PLAIN, ANYTHING))
    for name, fitting in FITTING.items()
}
# A few at a time: of many, one would always be wrong.
DATA = st.lists(st.sampled_from(sorted(VALUES)), max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)
SAME = {"headline", "status", "live", "count", "big", "blob", "two", "note", "labels", "byline", "images", "captions"}
"""What is shown as it was published."""


@settings(max_examples=500)
@given(DATA)
def test_whatever_comes_is_refused_with_its_field_or_can_be_read_back(fields: dict[str, Json]) -> None:
    catalog = parse_catalog(FILES)
    gateway = Gateway(open_log("memory:"), catalog)
    message = parse_message(line(data={"headline": "h", **fields}).encode())
    refused: InvalidMessage | None = None
    try:
        prepared = gateway.prepare(message)
    except InvalidMessage as error:
        refused = error
    if refused is not None:
        # Decimals that are too long or too exact are the codec's to refuse.
        assert re.match(r"data[.\[]", refused.field) or "decimal" in refused.rule.lower()
        return
    assert prepared.draft.value is not None
    codec = Codec(catalog.kinds, [RegisteredSchema(1, "article", 1, catalog.kinds["article"].text)])
    shown = json.loads(to_json(codec.decode("article", prepared.draft.value)))
    assert [*shown] == [one["name"] for one in ARTICLE["fields"]]
    for name, value in fields.items():
        assert (shown[name] is None) == (value is None)
        if name in SAME:
            assert shown[name] == value
    if isinstance(fields.get("at"), str):
        given_time, shown_time = (datetime.fromisoformat(text.upper()) for text in (fields["at"], shown["at"]))
        assert given_time == shown_time

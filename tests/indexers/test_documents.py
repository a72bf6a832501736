"""What of a view becomes searchable, and the order that documents have."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.catalog import Catalog, parse_catalog
from assets.errors import InvalidCatalog
from indexers.dates import EARLIEST, LATEST
from indexers.documents import RANK_END, Documents, date_of, oldest_rank_at, ranks
from indexers.limits import FACET_VALUE_CHARACTERS_MAX

REFERENCE = {"type": "string", "logicalType": "asset-ref", "kinds": ["page"]}
STYLE = {"type": "enum", "name": "style", "symbols": ["quiet", "loud"]}
PAGE = {
    "type": "record",
    "name": "page",
    "fields": [
        {"name": "title", "type": ["null", "string"]},
        {"name": "style", "type": STYLE},
        {"name": "count", "type": ["null", "long"]},
        {"name": "ratio", "type": ["null", "double"]},
        {"name": "is_open", "type": "boolean"},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "on", "type": ["null", {"type": "int", "logicalType": "date"}]},
        {"name": "said", "type": ["null", "string"]},
        {"name": "lines", "type": {"type": "array", "items": {"type": "array", "items": "string"}}},
        {"name": "notes", "type": {"type": "map", "values": "string"}},
        {"name": "block", "type": ["null", {"type": "record", "name": "block", "fields": [
            {"name": "uri", "type": "string"},
            {"name": "text", "type": "string"},
            {"name": "style", "type": "style"},
            {"name": "size", "type": "long"},
            {"name": "raw", "type": "bytes"},
            {"name": "link", "type": REFERENCE},
            {"name": "mixed", "type": ["null", "double", "string"]},
            {"name": "inner", "type": {"type": "array", "items": {"type": "record", "name": "inner", "fields": [
                {"name": "text", "type": "string"},
                {"name": "extra", "type": {"type": "map", "values": ["null", "string", "long"]}},
            ]}}},
        ]}]},
        {"name": "near", "type": {"type": "array", "items": REFERENCE}},
        {"name": "far", "type": {"type": "array", "items": REFERENCE}},
    ],
}  # fmt: skip
CONTENT = {
    "uri": "nyt://page/1",
    "title": "One",
    "style": "quiet",
    "count": 3,
    "ratio": 2.50,
    "is_open": True,
    "at": "2026-11-23T09:00:00.123000Z",
    "on": "2026-11-24",
    "said": "2026-11-25T00:00:00+02:00",
    "lines": [["a b", ""], [], ["c"]],
    "notes": {"x": "first", "y": "second"},
    "block": {
        "uri": "https://a.example",
        "text": "block's",
        "style": "loud",
        "size": 9,
        "raw": "\u0001raw",
        "link": {"uri": "nyt://page/2", "title": "linked"},
        "mixed": 1.5,
        "inner": [{"text": "in", "extra": {"k": "side", "l": 7, "m": None}}, {"text": "out", "extra": {}}],
    },
    "near": [
        {"uri": "nyt://page/2", "title": "Two", "near": [{"uri": "nyt://page/3", "title": "Three"}]},
        {"uri": "c"},
    ],
    "far": ["nyt://page/4"],
}


def catalog(*, text: list[str], facets: list[str] = [], date: str | None = None) -> Catalog:  # noqa: B006
    lines = [
        "[views.page]",
        'root = "page"',
        'expand = ["near*", "block.link"]',
        f"search.text = {json.dumps(text)}",
        f"search.facets = {json.dumps(facets)}",
        *([f'search.date = "{date}"'] if date else []),
    ]
    return parse_catalog({"kinds/page.avsc": json.dumps(PAGE), "views.toml": "\n".join(lines)})


def text_at(path: str, content: Any = CONTENT) -> list[str]:
    return Documents(catalog(text=[path]), "page").document(content).text.get(path, [])


@pytest.mark.parametrize(
    ("path", "strings"),
    [
        ("title", ["One"]),
        ("style", ["quiet"]),
        ("said", ["2026-11-25T00:00:00+02:00"]),
        ("lines", ["a b", "c"]),
        ("notes", ["first", "second"]),
        ("block.text", ["block's"]),
        ("block.inner.text", ["in", "out"]),
        ("block.link.title", ["linked"]),
        ("near.title", ["Two"]),
        ("near.near.title", ["Three"]),
        ("far", ["nyt://page/4"]),
        ("near.uri", ["nyt://page/2", "c"]),
    ],
)
def test_a_path_gives_the_strings_there(path: str, strings: list[str]) -> None:
    assert text_at(path) == strings


def test_a_record_gives_the_prose_inside_but_no_symbols_addresses_bytes_or_other_assets() -> None:
    assert text_at("block") == ["block's", "in", "side", "out"]
    assert text_at("block", {"block": {"text": "a", "link": "nyt://page/9", "inner": []}}) == ["a"]


def test_a_mixed_field_gives_its_strings() -> None:
    assert text_at("block", {"block": {"text": "", "mixed": "words", "inner": []}}) == ["words"]


def test_an_expanded_reference_gives_that_assets_prose_and_not_of_the_next() -> None:
    near = {"uri": "nyt://page/2", "title": "Two", "style": "loud", "notes": {"k": "note"}, "near": CONTENT["near"]}
    assert text_at("near", {"near": [near]}) == ["Two", "note"]


@pytest.mark.parametrize(
    "content", [{}, {"near": None}, {"near": []}, {"near": ["nyt://page/9"]}, {"near": [{"uri": "x"}]}]
)
def test_holes_and_bare_references_give_nothing(content: Any) -> None:
    assert text_at("near.title", content) == []


def test_facet_values_are_text_each_once() -> None:
    paths = ["title", "style", "count", "ratio", "is_open", "at", "on", "near.title", "near.uri"]
    content = {**CONTENT, "near": [{"uri": "a", "title": "T"}, {"uri": "b", "title": "T"}, {"uri": "c", "title": None}]}
    assert Documents(catalog(text=[], facets=paths), "page").document(content).facets == {
        "title": ["One"],
        "style": ["quiet"],
        "count": ["3"],
        "ratio": ["2.5"],
        "is_open": ["true"],
        "at": ["2026-11-23T09:00:00.123000Z"],
        "on": ["2026-11-24"],
        "near.title": ["T"],
        "near.uri": ["a", "b", "c"],
    }


def test_whole_numbers_and_times_are_numbers_too() -> None:
    documents = Documents(catalog(text=[], facets=["title", "style", "count", "ratio", "is_open", "at", "on"]), "page")
    assert documents.document(CONTENT).numbers == {"count": [3], "at": [1_795_424_400], "on": [1_795_478_400]}
    assert documents.document({"count": 1 << 63, "at": "never", "on": None}).numbers == {
        "count": [],
        "at": [],
        "on": [],
    }


def test_a_time_has_a_year_a_month_and_a_weekday_in_utc() -> None:
    paths = [f"{time}.{part}" for time in ("at", "on") for part in ("year", "month", "weekday")]
    documents = Documents(catalog(text=[], facets=paths), "page")
    late = documents.document({"at": "2026-12-31T23:30:00-05:00", "on": "2026-11-24"})
    assert late.facets == {
        "at.year": ["2027"],
        "at.month": ["1"],
        "at.weekday": ["Friday"],
        "on.year": ["2026"],
        "on.month": ["11"],
        "on.weekday": ["Tuesday"],
    }
    assert late.numbers == {"at.year": [2027], "at.month": [1], "on.year": [2026], "on.month": [11]}
    assert documents.document({"at": "0001-01-01T00:00:00+14:00", "on": "never"}).facets == {}


@pytest.mark.parametrize("path", ["at.day", "at.year.year", "title.year", "count.year"])
def test_only_a_time_ends_in_a_part_of_it(path: str) -> None:
    with pytest.raises(InvalidCatalog, match="has no"):
        catalog(text=[], facets=[path])


def test_a_value_too_long_is_no_facet_value() -> None:
    documents = Documents(catalog(text=[], facets=["title"]), "page")
    assert documents.document({"title": "x" * FACET_VALUE_CHARACTERS_MAX}).facets["title"]
    assert not documents.document({"title": "x" * (FACET_VALUE_CHARACTERS_MAX + 1)}).facets.get("title")


@pytest.mark.parametrize(
    ("path", "value", "date"),
    [
        ("at", "2026-11-23T09:00:00.999999Z", 1_795_424_400),
        ("on", "2026-11-24", 1_795_478_400),
        ("said", "2026-11-25T00:00:00+02:00", 1_795_557_600),
        ("said", "2026-11-25T00:00:00", 1_795_564_800),
        ("said", "1969-12-31T23:59:59.5Z", -1),
        ("said", "0001-01-01T00:00:00+14:00", EARLIEST + 86_400 - 14 * 3_600),
        ("said", "yesterday", None),
        ("said", "", None),
        ("said", None, None),
    ],
)
def test_a_date_is_its_second(path: str, value: str | None, date: int | None) -> None:
    assert Documents(catalog(text=[], date=path), "page").document({path: value}).date == date


dates = st.none() | st.integers(EARLIEST, LATEST)


@given(dates, dates, st.text(), st.text())
def test_ranks_order_by_date_with_the_undated_last(one: int | None, other: int | None, id_: str, other_id: str) -> None:
    first, second = ranks(one, id_), ranks(other, other_id)
    if one is not None and (other is None or one < other):
        assert first.oldest < second.oldest
    if one is not None and (other is None or one > other):
        assert first.newest < second.newest
    if one == other:
        assert (first.oldest < second.oldest) == (first.newest < second.newest)
    for rank in (*first, *second):
        assert 0 <= rank < RANK_END <= 1 << 63
    assert (date_of(first.newest, "newest"), date_of(first.oldest, "oldest")) == (one, one)


@given(st.integers(EARLIEST, LATEST), st.text(), st.integers())
def test_a_range_of_dates_is_a_range_of_ranks(date: int, id_: str, since: int) -> None:
    assert (ranks(date, id_).oldest >= oldest_rank_at(since)) == (date >= since)
    assert ranks(None, id_).oldest >= oldest_rank_at(since)


def test_ranks_never_change() -> None:
    """They lie in indexes and cursors: another formula needs another format of generations."""
    assert ranks(1_600_000_000, "story nyt://article/1") == (4224543039364472691, 1069307323965185907)

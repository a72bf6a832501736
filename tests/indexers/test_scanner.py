"""What is read out of a content's text is what is found in the parsed content."""

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexers.documents import Document, Documents
from tests.indexers.test_documents import CONTENT, catalog

pytest.importorskip("indexers.native", reason="indexers/native.pyx is not compiled: no C compiler")

TEXT = [
    "title",
    "said",
    "lines",
    "notes",
    "block",
    "block.text",
    "block.inner.text",
    "block.inner",
    "near.title",
    "near.near.title",
]
FACETS = [
    "title",
    "style",
    "count",
    "ratio",
    "is_open",
    "at",
    "at.year",
    "at.month",
    "on",
    "on.weekday",
    "block.size",
    "near.uri",
]
DOCUMENTS = Documents(catalog(text=TEXT, facets=FACETS, date="at"), "page")

NAMES = sorted(
    {
        *[
            "title",
            "style",
            "count",
            "ratio",
            "is_open",
            "at",
            "on",
            "said",
            "lines",
            "notes",
            "block",
            "near",
            "uri",
            "text",
            "size",
            "inner",
            "extra",
            "mixed",
        ],
        "odd",
    }
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["2026-11-23T09:00:00.123000Z", "2026-11-24", "0001-01-01T00:00:00+14:00", 'a"b\\c\n\u2028é🗞', ""]),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)
CONTENTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)


def parsed(content: bytes) -> Document:
    value: Any = orjson.loads(content)
    return DOCUMENTS.document(value)


@given(CONTENTS)
@example(CONTENT)
@example({"notes": {"title": "a", "uri": "b"}, "block": {"inner": [{"extra": {"text": "c"}}]}})
def test_it_finds_what_is_in_the_parsed_content(content: Any) -> None:
    text = orjson.dumps(content)
    found = DOCUMENTS.scanned(text)
    assert found is not None
    assert repr(found) == repr(parsed(text)), "with the same types"


@given(CONTENTS, st.data())
def test_what_is_no_json_is_left_to_the_parser(content: Any, data: st.DataObject) -> None:
    text = orjson.dumps(content)
    at = data.draw(st.integers(0, len(text) - 1))
    broken = data.draw(
        st.sampled_from([text[:at], text[:at] + text[at + 1 :], text + b"}", text[:at] + b"\xff" + text[at:]])
        | st.binary(min_size=1, max_size=2).map(lambda more: text[:at] + more + text[at:])
        | st.sampled_from([b'"', b"\\", b",", b"0", b"e", b"-", b".", b"[", b"\\ud83d", b"\\u00e9"]).map(
            lambda more: text[:at] + more + text[at:]
        )
    )
    found = DOCUMENTS.scanned(broken)
    if found is not None:
        assert repr(found) == repr(parsed(broken))


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"1", b"nul", b'{"title":"\\ud800"}', b'{"title" : 1}', b"[" * 100_000, b'{"block":' * 100_000]
)
def test_these_are_left_to_the_parser(text: bytes) -> None:
    assert DOCUMENTS.scanned(text) is None


@pytest.mark.parametrize("number", ["01", "-", "1.", "1e", "--1", "1-", "1.5e400", "+1", ".5"])
def test_what_is_no_number_is_left_to_the_parser(number: str) -> None:
    assert DOCUMENTS.scanned(b'{"count":%b}' % number.encode()) is None
    assert DOCUMENTS.scanned(b'{"odd":%b}' % number.encode()) is None

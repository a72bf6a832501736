"""Templates filled with contents: what is there, what is not, and what no catalog has to fear from a log."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.interfaces import CONVERSIONS, Constant, Each, Field, Listing, Position, Shape
from publog.server.compatible.templates import CONVERSIONS_OF, fill, id_of, slug, uri_of

CONTENT = {
    "a": {"b": 1, "c": None},
    "list": [{"n": "x", "t": 1}, {"n": None, "t": 2}, {"n": "z", "t": 1}, None, "news://gone"],
    "one": {"n": "y"},
    "empty": "",
}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        (Field("a.b"), 1),
        (Field("a.c"), None),
        (Field("a.x.y"), None),
        (Field("a.b.c"), None),
        (Field("list.n"), ["x", "z"]),
        (Field("empty", otherwise=Constant("else")), "else"),
        (Field("one.n", words={"y": "why"}), "why"),
        (Field("a.b", ("text",)), "1"),
        (Constant({"x": []}), {"x": []}),
        (Each("list", Field("n")), ["x", "z"]),
        (Each("list", Shape({"p": Position(1), "n": Field("n")}), {"t": ()}), []),
        (Each("list", Field("n"), {"n": ("z", "x")}, ("lines",)), "x\nz"),
        (Each("one", Shape({"p": Position(0), "n": Field("n")})), [{"p": 0, "n": "y"}]),
        (Each("nothing", Field("n"), otherwise=Constant(7)), 7),
        (Listing((Field("a.b"), Each("list", Field("n")), Constant(None))), [1, "x", "z", None]),
    ],
    ids=str,
)
def test_a_template_is_filled(template: Any, filled: Any) -> None:
    assert fill(template, CONTENT) == filled


@pytest.mark.parametrize(
    ("name", "value", "converted"),
    [
        ("text", True, "true"),
        ("text", 2.5, "2.5"),
        ("text", "x", "x"),
        ("html", "a < b & \x00c", "a &lt; b &amp; c"),
        ("markup", "<p onclick=x>a <script>b</script></p>", "<p>a </p>"),
        ("markup", "<script>", None),
        ("paragraph", "<b>", "<p>&lt;b&gt;</p>"),
        ("lines", ["a", None, "", 7, "b"], "a\nb"),
        ("byline", ["Ada"], "By Ada"),
        ("byline", ["Ada", "Bo", "Cy"], "By Ada, Bo and Cy"),
        ("byline", [], None),
        ("address", "javascript:alert(1)", None),
        ("address", "/a b", "/a%20b"),
        ("first", [], None),
        ("first", [2, 3], 2),
        ("count", "four", 4),
        ("count", [1], 1),
        ("count", 4, None),
        ("slug", "U.S. & World", "u-s-world"),
        ("id", "news://article/a/b", "news/article/a/b"),
        ("time", "2026-03-13T09:30:00.123+01:00", "2026-03-13T08:30:00Z"),
        ("time", "2026-03-13", "2026-03-13T00:00:00Z"),
        ("time", "soon", None),
        ("time", "0001-01-01T00:00:00+14:00", None),
        ("offset_time", "2026-03-13T08:30:00.999Z", "2026-03-13T08:30:00+0000"),
        ("offset_time", 7, None),
    ],
)
def test_a_value_is_converted(name: str, value: Any, converted: Any) -> None:
    assert CONVERSIONS_OF[name](value) == converted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abn"), inner),
)


@given(JSON, st.lists(st.sampled_from(CONVERSIONS), max_size=3))
def test_no_content_breaks_a_template(content: Any, conversions: list[str]) -> None:
    fill(Shape({"a": Field("a.b", tuple(conversions)), "e": Each("a", Field("n", tuple(conversions)))}), content)


@given(st.from_regex(r"[a-z0-9][a-z0-9+.-]*://[A-Za-z_]+/[!-~]+", fullmatch=True))
def test_an_id_leads_back_to_its_uri(uri: str) -> None:
    assert uri_of(id_of(uri)) == uri


@given(st.text())
def test_a_slug_stays_as_it_is(text: str) -> None:
    assert slug(slug(text)) == slug(text)

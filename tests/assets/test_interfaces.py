"""interfaces.toml: what a catalog may say of the public news APIs, and what is told of what it may not."""

import json
from pathlib import Path

import pytest

from assets.catalog import load_catalog, newsroom_catalog, parse_catalog
from assets.errors import InvalidCatalog
from assets.interfaces import CONVERSIONS, INTERFACES, Collection, Constant, Each, Field, Listing, Position, Shape
from publog.server.compatible.templates import CONVERSIONS_OF
from tests.support.newsroom import CATALOG, write_catalog

GOOD = """
[nyt]
copyright = "Ours."

[nyt.stories]
view = "story"
search.headline = "headline"
search.byline = ["byline.name", "headline"]
types = { a = "b" }
shape.document = { _id = "uri", byline = { each = "byline", item = "name", as = "byline", else = "headline" } }

[nyt.stories.shape.item]
title = { path = "headline", as = ["html", "count"], words = { Flood = "flood" }, else = { constant = [1] } }
pictures = [{ each = "images", only = { path = ["/1.jpg"] }, item = { rank = { position = 1 }, url = "path" } }, "headline"]
"""


def catalog(text: str) -> dict[str, str]:
    return {**CATALOG, "interfaces.toml": text}


def test_an_interface_is_collections_of_searches_and_shapes() -> None:
    interface = parse_catalog(catalog(GOOD)).interfaces["nyt"]
    assert interface.settings == {"copyright": "Ours."}
    assert interface.collections["stories"] == Collection(
        "story",
        {"headline": ("headline",), "byline": ("byline.name", "headline")},
        {"a": "b"},
        {
            "document": Shape(
                {"_id": Field("uri"), "byline": Each("byline", Field("name"), {}, ("byline",), Field("headline"))}
            ),
            "item": Shape(
                {
                    "title": Field("headline", ("html", "count"), {"Flood": "flood"}, Constant([1])),
                    "pictures": Listing(
                        (
                            Each("images", Shape({"rank": Position(1), "url": Field("path")}), {"path": ("/1.jpg",)}),
                            Field("headline"),
                        )
                    ),
                }
            ),
        },
    )


def test_it_is_no_part_of_what_shapes_views(tmp_path: Path) -> None:
    with_it, without = parse_catalog(catalog(GOOD)), parse_catalog(CATALOG)
    assert with_it.digest == without.digest
    assert without.interfaces == {}
    assert load_catalog(write_catalog(tmp_path, catalog(GOOD))).files == with_it.files


def test_the_built_in_newsroom_answers_every_api_with_every_shape() -> None:
    interfaces = newsroom_catalog().interfaces
    assert {name: set(one.collections) for name, one in interfaces.items()} == {
        name: set(one.collections) for name, one in INTERFACES.items()
    }


def test_every_conversion_that_a_catalog_may_name_is_there() -> None:
    assert set(CONVERSIONS_OF) == set(CONVERSIONS)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[nyt]", "[nyt", "interfaces.toml:2: not TOML"),
        ("[nyt]", "[bbc]\n[nyt]", "interfaces.toml:2: bbc is no interface. Write [NAME] with one of nyt, guardian."),
        ("copyright", "copyleft", "interfaces.toml:3: nyt.copyleft means nothing. Known are the texts copyright and the tables"),
        ('"Ours."', "7", "interfaces.toml:3: nyt.copyright means nothing."),
        ('view = "story"', 'view = "stories"', "interfaces.toml:6: nyt.stories has no view of this catalog. Write view = one of person, story."),
        ('view = "story"', "", "nyt.stories has no view of this catalog"),
        ("search.headline =", "search.headlines =", "interfaces.toml:7: nyt.stories looks for no headlines. Known are day_of_week"),
        (
            '= "headline"\n',
            '= "images.path"\n',
            "interfaces.toml:7: view story is not searched by 'images.path'. Add it to its search.facets or search.text, or use one of",
        ),
        ('["byline.name", "headline"]', "[7]", "interfaces.toml:8: byline is neither a text nor an array of texts."),
        ('{ a = "b" }', "{ a = 1 }", "interfaces.toml:9: nyt.stories.types holds more than texts."),
        ("types =", "kinds =", "interfaces.toml:9: unknown setting nyt.stories.kinds. Known are view, search, types and shape."),
        ("shape.document =", "shape.documents =", "interfaces.toml:10: nyt.stories has no shape documents. Known are document, item."),
        ("shape.document =", "shape.documents =", "interfaces.toml:5: nyt.stories has no shape document. Write [nyt.stories.shape.document]."),
        ('_id = "uri"', '_id = "url"', "interfaces.toml:10: nyt.stories.document: the content of view story has no 'url'."),
        ('item = "name"', 'item = "title"', "interfaces.toml:10: nyt.stories.document: the content of view story has no 'byline.title'."),
        ('each = "byline"', 'each = "author"', "interfaces.toml:10: nyt.stories.document: the content of view story has no 'author'."),
        ('as = "byline"', 'as = "upper"', "interfaces.toml:10: nyt.stories.document: 'upper' is no conversion. Use one of text, html"),
        (', item = "name"', "", "interfaces.toml:10: nyt.stories.document: each has no item. Write item = TEMPLATE."),
        ("only = { path", "only = { paths", "nyt.stories.item: the content of view story has no 'images.paths'."),
        ("{ position = 1 }", "{ position = 1.5 }", "nyt.stories.item: a template with position has position."),
        ("{ constant = [1] }", "{ constant = 1, as = 'html' }", "nyt.stories.item: a template with constant has constant, as."),
        ("{ constant = [1] }", "1", 'nyt.stories.item: 1 is no template. Write "PATH" or { constant = ... }.'),
        ("{ constant = [1] }", "{ a = " * 20 + "'uri'" + "}" * 20, "nyt.stories.item: templates stand more than 16 deep. Make it flatter."),
        ('words = { Flood = "flood" }', "words = 1", "nyt.stories.item.words is not a table."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place_and_its_remedy(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidCatalog) as refused:
        parse_catalog(catalog(GOOD.replace(old, new, 1)))
    assert any(told in str(problem) for problem in refused.value.problems), str(refused.value)


def test_a_shape_makes_what_its_api_has_there() -> None:
    text = """
        [guardian.stories]
        view = "story"
        shape = { item = "uri", section = { each = "images", item = "path" }, fields = {}, tags = {}, elements = [], block = {} }
    """
    with pytest.raises(InvalidCatalog) as refused:
        parse_catalog(catalog(text))
    assert [str(problem) for problem in refused.value.problems] == [
        "interfaces.toml:4: guardian.stories.shape.item makes no object. Write a template of an object: { NAME = TEMPLATE }.",
        "interfaces.toml:4: guardian.stories.shape.section makes no object. Write a template of an object: { NAME = TEMPLATE }.",
        "interfaces.toml:4: guardian.stories.shape.tags makes no list. Write a template of a list: { each = ... } or [...].",
    ]


def test_every_interface_has_stories() -> None:
    with pytest.raises(
        InvalidCatalog, match=r"interfaces.toml:2: nyt has no stories. Write \[nyt.stories\] with a view."
    ):
        parse_catalog(catalog('\n[nyt]\ncopyright = ""'))


def test_views_with_problems_are_told_first() -> None:
    broken = {**catalog("[nyt"), "views.toml": "x = 1", "kinds/article.avsc": json.dumps({"type": "string"})}
    with pytest.raises(InvalidCatalog) as refused:
        parse_catalog(broken)
    assert "interfaces.toml" not in str(refused.value)

"""Each change of a catalog is one line; what says the same is none."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from assets.catalog import Catalog, newsroom_catalog, parse_catalog
from backfill.catalog_changes import Change, catalog_changes
from tests.support.newsroom import CATALOG, field, nullable, record, reference

Json = Any

KINDS: dict[str, Json] = {
    "article": record(
        "article",
        field("headline", "string"),
        nullable("byline", reference("byline")),
        field("images", {"type": "array", "items": reference("image")}, []),
        field("rank", "int", 1),
        field(
            "body",
            {
                "type": "array",
                "items": record(
                    "block",
                    field("text", "string"),
                    nullable("style", {"type": "enum", "name": "style", "symbols": ["quick", "slow"]}),
                    nullable("picture", reference("image")),
                ),
            },
            [],
        ),
    ),
    "byline": record("byline", field("name", "string")),
    "image": record(
        "image", field("path", "string"), nullable("taken", {"type": "long", "logicalType": "timestamp-millis"})
    ),
}
VIEWS = """
references = "reject"
[views.story]
root = "article"
expand = ["images", "byline"]
depth = 3
fields.image = ["path"]
search.text = ["headline^3", "byline.name"]
search.facets = ["rank"]
[views.person]
root = "byline"
search.text = ["name"]
"""


def catalog(kinds: Json = KINDS, views: str = VIEWS) -> Catalog:
    return parse_catalog(
        {**{f"kinds/{name}.avsc": json.dumps(schema) for name, schema in kinds.items()}, "views.toml": views}
    )


def fields(kinds: Json, kind: str) -> list[Json]:
    return kinds[kind]["fields"]


def block(kinds: Json) -> list[Json]:
    return fields(kinds, "article")[4]["type"]["items"]["fields"]


def replaced(kind: str, number: int, made: Json) -> Callable[[Json], Json]:
    return lambda kinds: fields(kinds, kind).__setitem__(number, made)


SCHEMAS: dict[str, tuple[Callable[[Json], Json], list[Change]]] = {
    "a kind more": (
        lambda kinds: kinds.__setitem__("tag", record("tag", field("name", "string"))),
        [Change("kind", "tag", "kind tag is added")],
    ),
    "a field more": (
        lambda kinds: fields(kinds, "byline").append(nullable("title", "string")),
        [Change("field", "byline.title", "field byline.title is added (null or string)")],
    ),
    "a field less": (
        lambda kinds: fields(kinds, "image").pop(),
        [Change("field", "image.taken", "field image.taken is removed (null or long (timestamp-millis))")],
    ),
    "another type": (
        replaced("article", 3, field("rank", "long", 1)),
        [Change("field", "article.rank", "field article.rank was int and is long")],
    ),
    "another logical type": (
        replaced("image", 1, nullable("taken", "long")),
        [Change("field", "image.taken", "field image.taken was null or long (timestamp-millis) and is null or long")],
    ),
    "nullable": (
        replaced("article", 0, nullable("headline", "string")),
        [
            Change("field", "article.headline", "field article.headline has a default now: null"),
            Change("field", "article.headline", "field article.headline was string and is null or string"),
        ],
    ),
    "another default": (
        replaced("article", 3, field("rank", "int", 2)),
        [Change("field", "article.rank", "field article.rank had the default 1 and has 2")],
    ),
    "no default": (
        replaced("article", 3, field("rank", "int")),
        [Change("field", "article.rank", "field article.rank has no default any more")],
    ),
    "inside a record in an array": (
        lambda kinds: block(kinds).append(field("level", "int", 0)),
        [Change("field", "article.body.level", "field article.body.level is added (int)")],
    ),
    "an enum inside": (
        lambda kinds: block(kinds)[1]["type"][1]["symbols"].append("still"),
        [
            Change(
                "field",
                "article.body.style",
                "field article.body.style was enum of quick, slow and is enum of quick, slow, still",
            )
        ],
    ),
    "another order": (
        lambda kinds: fields(kinds, "article").reverse(),
        [Change("field", "article", "the fields of article are in another order")],
    ),
    "a reference to more": (
        lambda kinds: fields(kinds, "article")[1]["type"][1]["kinds"].append("image"),
        [Change("reference", "article.byline", "field article.byline may refer to image")],
    ),
    "a reference to another, in an array": (
        lambda kinds: fields(kinds, "article")[2]["type"].__setitem__("items", reference("article")),
        [
            Change(
                "reference",
                "article.images",
                "field article.images may refer to article and may not refer to image any more",
            )
        ],
    ),
    "a reference inside": (
        lambda kinds: block(kinds).__setitem__(2, nullable("picture", reference("image", "byline"))),
        [Change("reference", "article.body.picture", "field article.body.picture may refer to byline")],
    ),
    "a reference that was a string": (
        replaced("byline", 0, field("name", reference("image"))),
        [Change("field", "byline.name", "field byline.name was string and is reference to image")],
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_changed_kind_is_told(name: str) -> None:
    change, expected = SCHEMAS[name]
    kinds = copy.deepcopy(KINDS)
    change(kinds)
    # Paths that a changed schema would make invalid are left out.
    views = '[views.person]\nroot = "byline"\n'
    assert catalog_changes(catalog(views=views), catalog(kinds, views)) == expected
    assert catalog_changes(catalog(kinds, views), catalog(views=views)) != []


EDITS: dict[str, tuple[str, str, list[Change]]] = {
    "the policy": ('"reject"', '"hold"', [Change("references", "", "references: reject becomes hold")]),
    "a view less": (
        '[views.person]\nroot = "byline"\nsearch.text = ["name"]\n',
        "",
        [Change("view", "person", "view person is removed")],
    ),
    "a view more": (
        "[views.person]",
        '[views.picture]\nroot = "image"\n[views.person]',
        [Change("view", "picture", "view picture is added, rooted at image")],
    ),
    "another root": (
        'root = "byline"\nsearch.text = ["name"]',
        'root = "image"\nsearch.text = ["path"]',
        [
            Change("view", "person", "view person was rooted at byline and is at image"),
            Change("mapping", "person", "view person has another mapping: name is not searched any more"),
            Change("mapping", "person", "view person has another mapping: path is searched"),
        ],
    ),
    "other paths": (
        '["images", "byline"]',
        '["byline", "body.picture"]',
        [
            Change("view", "story", "view story does not expand images any more"),
            Change("view", "story", "view story expands body.picture"),
        ],
    ),
    "another depth": ("depth = 3", "depth = 4", [Change("view", "story", "view story was 3 references deep and is 4")]),
    "other fields": (
        'fields.image = ["path"]',
        'fields.image = ["taken", "path"]',
        [Change("view", "story", "view story embedded path of image and embeds path, taken")],
    ),
    "all fields": (
        'fields.image = ["path"]',
        "",
        [Change("view", "story", "view story embedded path of image and embeds all")],
    ),
    "another boost": (
        "headline^3",
        "headline^2.5",
        [Change("mapping", "story", "view story has another mapping: headline counted 3 times and counts 2.5 times")],
    ),
    "other facets": (
        '["rank"]',
        '["byline.name"]',
        [
            Change("mapping", "story", "view story has another mapping: byline.name is a facet"),
            Change("mapping", "story", "view story has another mapping: rank is no facet any more"),
        ],
    ),
    "a date": (
        'search.facets = ["rank"]',
        'search.facets = ["rank"]\nsearch.date = "headline"',
        [Change("mapping", "story", "view story has another mapping: the date was none and is headline")],
    ),
    "nothing that counts": (
        'expand = ["images", "byline"]',
        '# as before\nexpand = ["byline", "images"]',
        [],
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_changed_view_is_told(name: str) -> None:
    old, new, expected = EDITS[name]
    assert VIEWS.count(old) == 1
    assert catalog_changes(catalog(), catalog(views=VIEWS.replace(old, new))) == expected


def test_a_removed_kind_is_told() -> None:
    views = '[views.person]\nroot = "byline"\n'
    kinds = {"byline": KINDS["byline"]}
    assert catalog_changes(catalog(views=views), catalog(kinds, views)) == [
        Change("kind", "article", "kind article is removed"),
        Change("kind", "image", "kind image is removed"),
    ]


@pytest.mark.parametrize("same", [newsroom_catalog(), parse_catalog(CATALOG), catalog()])
def test_equal_catalogs_have_no_changes(same: Catalog) -> None:
    assert catalog_changes(same, parse_catalog(same.files)) == []
    reversed_files = dict(reversed(same.files.items()))
    assert catalog_changes(same, parse_catalog(reversed_files)) == []


def test_the_order_is_that_of_the_kinds_of_change() -> None:
    there = catalog_changes(parse_catalog(CATALOG), newsroom_catalog())
    assert there == catalog_changes(parse_catalog(dict(reversed(CATALOG.items()))), newsroom_catalog())
    assert [change.what for change in there] == sorted(
        (change.what for change in there), key=["references", "kind", "field", "reference", "view", "mapping"].index
    )
    assert Change("kind", "tag", "kind tag is added") in there
    assert all(change.where in change.text for change in there)

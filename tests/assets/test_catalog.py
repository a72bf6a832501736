"""A bad catalog is explained by file, line and remedy, as a person sees it here; a good one of any shape is taken."""

import copy
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.catalog import content_types, load_catalog, newsroom_catalog, parse_catalog
from assets.codec import Codec
from assets.errors import InvalidCatalog
from assets.model import RegisteredSchema
from tests.support.strategies import Choices, catalog

Json = Any

ARTICLE = """\
{
  "type": "record",
  "name": "article",
  "fields": [
    {"name": "headline", "type": "string"},
    {"name": "words", "type": "int", "default": 0},
    {"name": "images", "type": {"type": "array", "items":
      {"type": "string", "logicalType": "asset-ref", "kinds": ["image"]}}},
    {"name": "body", "type": {"type": "array", "items": {"type": "record", "name": "block", "fields": [
      {"name": "text", "type": "string"},
      {"name": "image", "type": ["null", {"type": "string", "logicalType": "asset-ref", "kinds": ["image"]}]}
    ]}}},
    {"name": "about", "type": {"type": "string", "logicalType": "asset-ref", "kinds": ["image", "byline"]}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}
  ]
}
"""
IMAGE = """\
{
  "type": "record",
  "name": "image",
  "fields": [
    {"name": "url", "type": "string"},
    {"name": "sizes", "type": {"type": "map", "values": "string"}},
    {"name": "place", "type": "string"},
    {"name": "credit", "type": ["null", {"type": "string", "logicalType": "asset-ref", "kinds": ["byline"]}]}
  ]
}
"""
BYLINE = """\
{
  "type": "record",
  "name": "byline",
  "fields": [
    {"name": "name", "type": "string"},
    {"name": "place", "type": {"type": "string", "logicalType": "asset-ref", "kinds": ["byline"]}}
  ]
}
"""
KINDS = {"kinds/article.avsc": ARTICLE, "kinds/image.avsc": IMAGE, "kinds/byline.avsc": BYLINE}


def problems_of(files: dict[str, str]) -> str:
    with pytest.raises(InvalidCatalog) as error:
        parse_catalog(files)
    assert str(error.value) == "\n".join(map(str, error.value.problems))
    return str(error.value)


# ----------------------------------------------------------------------------------------------------------- views.toml

VIEWS: list[tuple[str, str]] = [
    (
        """
        [views.story
        root = "article"
        """,
        """
        views.toml:1: not TOML: Expected ']' at the end of a table declaration (at line 1, column 13). Correct the syntax.
        """,
    ),
    (
        "story = " + "[" * 10_000,
        """
        views.toml: not TOML: nested too deep. Make it flatter.
        """,
    ),
    (
        """
        # references = "allow" or
        references = "maybe"
        """,
        """
        views.toml:2: references = 'maybe'. Use one of reject, hold, allow.
        """,
    ),
    (
        """
        view = 1
        expand = []
        """,
        """
        views.toml:2: unknown setting expand. Known at the top are references and [views.NAME].
        views.toml:1: unknown setting view. Known at the top are references and [views.NAME].
        """,
    ),
    (
        """
        views = "story"
        """,
        """
        views.toml:1: views is not a table. Write [views.NAME].
        """,
    ),
    (
        """
        [views]
        story = "article"
        """,
        """
        views.toml:2: views.story is not a table. Write [views.story].
        """,
    ),
    (
        """
        [views."the story"]
        root = "article"
        """,
        """
        views.toml:1: 'the story' is no view name. Use letters, digits, _ and -.
        """,
    ),
    (
        """
        [views.story]
        root = "article"
        deep = 3
        kinds = []
        """,
        """
        views.toml:3: unknown setting deep in view story. Known are root, expand, depth, fields, search.
        views.toml:4: unknown setting kinds in view story. Known are root, expand, depth, fields, search.
        """,
    ),
    (
        """
        [views.story-2]
        root = "article"

        [views.story]
        # root = "article"
        expand = ["images"]

        [views.story3]
        root = "article"
        """,
        """
        views.toml:4: view story has no root. Use a kind of this catalog: article, byline, image.
        """,
    ),
    (
        """
        [views.story]
        expand = ["images"]   # root of all
        root = "story"
        """,
        """
        views.toml:3: view story has root 'story'. Use a kind of this catalog: article, byline, image.
        """,
    ),
    (
        """
        [views.a]
        root = "article"
        depth = 65
        [views.b]
        root = "article"
        depth = -1
        [views.c]
        root = "article"
        depth = "8"
        [views.d]
        root = "article"
        depth = true
        """,
        """
        views.toml:3: view a has depth 65. Use a whole number from 0 to 64.
        views.toml:6: view b has depth -1. Use a whole number from 0 to 64.
        views.toml:9: view c has depth '8'. Use a whole number from 0 to 64.
        views.toml:12: view d has depth True. Use a whole number from 0 to 64.
        """,
    ),
    (
        """
        [views.story]
        root = "article"
        fields = ["headline"]
        """,
        """
        views.toml:3: fields is not a table. Write fields.KIND = ["FIELD", ...].
        """,
    ),
    (
        """
        [views.story]
        root = "article"
        fields.picture = ["url"]
        fields.image = "url"
        fields.article = ["headline", "text"]

        [views.image]
        root = "image"
        [views.image.fields]
        image = [
          "url",
          "src",
        ]
        """,
        """
        views.toml:3: fields.picture names no kind. Kinds are article, byline, image.
        views.toml:4: image is not an array of strings. Write ["...", "..."].
        views.toml:5: article has no field text. Its fields are headline, words, images, body, about, at.
        views.toml:12: image has no field src. Its fields are url, sizes, place, credit.
        """,
    ),
    (
        """
        [views.story]
        root = "article"
        expand = "images"
        """,
        """
        views.toml:3: expand is not an array of strings. Write ["...", "..."].
        """,
    ),
    (
        """
        [views.story]
        root = "article"
        expand = [
          "images.credits",
          "pictures",
          "headline",
          "images*.credit",
          "body.image*",
          "images.sizes.small",
          "",
          "about.place",
          "images.credit",
        ]
        """,
        """
        views.toml:4: view story expands 'images.credits', but images has no field 'credits'. There are credit, place, sizes, url.
        views.toml:5: view story expands 'pictures', but article has no field 'pictures'. There are about, at, body, headline, images, words.
        views.toml:6: view story expands 'headline', but it does not end at a reference. End it at a field with "logicalType": "asset-ref".
        views.toml:7: view story expands 'images*.credit', but a * stands before its end. Put * on the last step only.
        views.toml:8: view story expands 'body.image*', but * is on a field inside a record. Put * on a direct field of an asset.
        views.toml:9: view story expands 'images.sizes.small', but images.sizes has no field 'small'. There are none.
        views.toml:10: view story expands '', but article has no field ''. There are about, at, body, headline, images, words.
        views.toml:11: view story expands 'about.place', but 'place' is a reference in one of the types there and something else in another. Rename one.
        """,
    ),
    (
        """
        [views.story]
        root = "article"
        search = "headline"
        """,
        """
        views.toml:3: search is not a table. Write search.text = ["FIELD", ...].
        """,
    ),
    (
        """
        [views.story]
        root = "article"
        expand = ["images"]
        fields.image = ["url"]

        [views.story.search]
        text = ["headline^3", "images.url", "images.place", "images.credit.name", "words", "headline^high"]
        facets = ["at", "words", "images"]
        date = "words"
        fuzzy = true
        """,
        """
        views.toml:10: unknown setting search.fuzzy. Known are text, facets and date.
        views.toml:7: the content of view story has no 'images.place'. Name a field of the root, or of what `expand` and `fields` bring in.
        views.toml:7: the content of view story has no 'images.credit.name'. Name a field of the root, or of what `expand` and `fields` bring in.
        views.toml:7: 'words' is number. Use a record or string.
        views.toml:7: the content of view story has no 'headline^high'. Name a field of the root, or of what `expand` and `fields` bring in.
        views.toml:8: 'images' is record. Use a boolean or number or string or time.
        views.toml:9: 'words' is number. Use a string or time.
        """,
    ),
    (
        """
        [views.story]
        root = "article"
        search.text = "headline"
        search.facets = [1]
        search.date = 2026-01-01
        """,
        """
        views.toml:3: text is not an array of strings. Write ["...", "..."].
        views.toml:4: facets is not an array of strings. Write ["...", "..."].
        views.toml:5: search.date = 2026-01-01. Write search.date = "FIELD".
        """,
    ),
    (
        """
        [views.story]
        root = "article"
        search.date = "published"
        """,
        """
        views.toml:3: the content of view story has no 'published'. Name a field of the root, or of what `expand` and `fields` bring in.
        """,
    ),
]


@pytest.mark.parametrize(("toml", "expected"), VIEWS)
def test_views_that_can_not_be_used_are_explained(toml: str, expected: str) -> None:
    assert problems_of({**KINDS, "views.toml": dedent(toml)}) == dedent(expected)


def dedent(text: str) -> str:
    return re.sub(r"(?m)^ {8}", "", text).strip("\n")


# ---------------------------------------------------------------------------------------------------------------- kinds

DEEP = '{"type": "array", "items": ' * 40 + '"string"' + "}" * 40


def thing(*lines: str) -> str:
    """A kind with these fields, from the second line on."""
    return '{"type": "record", "name": "thing", "fields": [\n' + "\n".join(lines) + "\n]}"


SCHEMAS: list[tuple[str, str]] = [
    (
        '{"type": "record",\n "name": "thing"\n "fields": []}',
        "kinds/thing.avsc:3: not JSON: unexpected character, expected ',' or '}'. Correct the syntax.",
    ),
    ("[]", 'kinds/thing.avsc: a kind\'s schema must be an Avro record. Write {"type": "record", "name": ...}.'),
    (
        '{"type": "enum", "name": "thing", "symbols": ["a"]}',
        'kinds/thing.avsc: a kind\'s schema must be an Avro record. Write {"type": "record", "name": ...}.',
    ),
    (
        '{"type": "record", "fields": []}',
        'kinds/thing.avsc:1: a record has the "name" null. Use letters, digits and _, no digit first.',
    ),
    (
        '{"type": "record",\n "name": "Thing", "fields": []}',
        "kinds/thing.avsc:2: the record's name is Thing, the file's thing. Make them the same.",
    ),
    (
        '{"type": "record",\n "name": "thing"}',
        'kinds/thing.avsc:2: record thing has no "fields". Write "fields": [...].',
    ),
    (
        '{"type": "record", "name": "thing", "namespace": "a-b", "fields": []}',
        'kinds/thing.avsc:1: thing has the "namespace" "a-b". Use letters, digits and _, no digit first.',
    ),
    (
        thing('{"name": "a", "type": "int"},', '{"name": "uri", "type": "string"}'),
        "kinds/thing.avsc:3: a field is named uri. Rename it: every asset has its URI as `uri`.",
    ),
    (
        thing('{"name": "a", "type": "int"},', '"b"'),
        'kinds/thing.avsc:1: record thing has the field "b". Write {"name": ..., "type": ...}.',
    ),
    (
        thing('{"name": "a.b", "type": "int"}'),
        ('kinds/thing.avsc:2: a field of thing has the "name" "a.b". Use letters, digits and _, no digit first.'),
    ),
    (
        thing('{"type": "int"}'),
        'kinds/thing.avsc:1: a field of thing has the "name" null. Use letters, digits and _, no digit first.',
    ),
    (
        thing('{"name": "a", "type": "int"},', '{"name": "b", "type": "int"},', '{"name": "a", "type": "int"}'),
        "kinds/thing.avsc:4: record thing has two fields a. Rename one.",
    ),
    (
        thing('{"name": "a", "type": "int"},', '{"name": "b"}'),
        'kinds/thing.avsc:3: b has no "type". Write {"name": "b", "type": {"type": "string", ...}}.',
    ),
    (
        thing('{"name": "a", "type": "int"},', '{"name": "b", "type": "text"}'),
        (
            'kinds/thing.avsc:3: unknown type "text". Use null, boolean, int, long, float, double, bytes, '
            "string, the name of a type declared before, an object or an array of types."
        ),
    ),
    (
        thing('{"name": "a", "type": {"type": "text"}}'),
        (
            'kinds/thing.avsc:2: unknown type "text". Use null, boolean, int, long, float, double, bytes, '
            "string, the name of a type declared before, an object or an array of types."
        ),
    ),
    (
        thing('{"name": "a", "type": 5}'),
        (
            "kinds/thing.avsc:2: 5 is no type. Use null, boolean, int, long, float, double, bytes, string, the "
            "name of a type declared before, an object or an array of types."
        ),
    ),
    (
        thing('{"name": "a", "type": {"name": "b"}}'),
        (
            'kinds/thing.avsc:2: {"name":"b"} is no type. Use null, boolean, int, long, float, double, bytes, '
            "string, the name of a type declared before, an object or an array of types."
        ),
    ),
    (
        thing('{"name": "a", "type": {"type": "array"}}'),
        'kinds/thing.avsc:2: an array has no "items". Say what it holds: "items": "string".',
    ),
    (
        thing('{"name": "a", "type": {"type": "map"}}'),
        'kinds/thing.avsc:2: a map has no "values". Say what it holds: "values": "string".',
    ),
    (
        thing('{"name": "a", "type": {"type": "enum", "name": "e", "symbols": ["a", "b c"]}}'),
        'kinds/thing.avsc:2: enum e has the "symbols" ["a","b c"]. Use letters, digits and _, no digit first.',
    ),
    (
        thing('{"name": "a", "type": {"type": "fixed", "name": "f", "size": -1}}'),
        'kinds/thing.avsc:2: fixed f has the "size" -1. Give it a whole number of bytes.',
    ),
    (
        thing(
            '{"name": "a", "type": {"type": "enum", "name": "e", "symbols": ["a"]}},',
            '{"name": "b", "type": {"type": "enum", "name": "e", "symbols": ["a"]}}',
        ),
        "kinds/thing.avsc:3: e is declared twice. Write its name alone the second time.",
    ),
    (
        thing('{"name": "a", "aliases": "b", "type": "int"}'),
        'kinds/thing.avsc:2: a has the "aliases" "b". Write ["OLD_NAME"].',
    ),
    (
        thing(f'{{"name": "a", "type": {DEEP}}}'),
        "kinds/thing.avsc:2: types are nested more than 32 deep. Make it flatter.",
    ),
    (
        thing(
            '{"name": "a", "type": {"type": "record", "name": "node", "fields": [',
            '{"name": "next", "type": ["null", "node"]}]}}',
        ),
        ("kinds/thing.avsc:3: record node contains itself. Make the inner one an asset of its own and refer to it."),
    ),
    (
        thing('{"name": "a", "type": {"type": "array", "items": "null"}}'),
        (
            "kinds/thing.avsc:2: items of an array take no bytes, so that a few bytes could stand for billions "
            "of them. Give them a type that holds something."
        ),
    ),
    (
        thing('{"name": "a", "type": {"type": "map", "values": {"type": "record", "name": "n", "fields": []}}}'),
        (
            "kinds/thing.avsc:2: values of a map take no bytes, so that a few bytes could stand for billions of "
            "them. Give them a type that holds something."
        ),
    ),
    (
        thing('{"name": "a", "type": "int"},', '{"name": "b", "type": "int", "default": "0"}'),
        "kinds/thing.avsc:3: the default of b does not fit its type. Correct the default.",
    ),
    (
        thing('{"name": "b", "type": {"type": "enum", "name": "e", "symbols": ["a"]}, "default": "b"}'),
        "kinds/thing.avsc:2: the default of b does not fit its type. Correct the default.",
    ),
    (
        thing('{"name": "b", "type": {"type": "array", "items": "int"}, "default": [1, "2"]}'),
        "kinds/thing.avsc:2: the default of b does not fit its type. Correct the default.",
    ),
    (
        thing(
            '{"name": "b", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4}, "default": "\\u0000"}'
        ),
        'kinds/thing.avsc:2: a decimal can\'t have a default here. Use ["null", ...] with the default null.',
    ),
    (
        thing('{"name": "b", "type": {"type": "bytes", "logicalType": "decimal", "precision": -4}}'),
        (
            "kinds/thing.avsc: not an Avro schema: decimal precision must be a positive integer, not -4. See the "
            "Avro specification, Schema Declaration."
        ),
    ),
    (
        thing('{"name": "a", "type": []}'),
        "kinds/thing.avsc:2: a union offers nothing. Offer each type once, and something beside null.",
    ),
    (
        thing('{"name": "a", "type": ["null"]}'),
        "kinds/thing.avsc:2: a union offers null. Offer each type once, and something beside null.",
    ),
    (
        thing('{"name": "a", "type": ["int", "int"]}'),
        "kinds/thing.avsc:2: a union offers int, int. Offer each type once, and something beside null.",
    ),
    (
        thing('{"name": "a", "type": ["null", ["int"]]}'),
        "kinds/thing.avsc:2: a union stands directly inside another. Make them one.",
    ),
    (
        thing(
            '{"name": "a", "type": [{"type": "map", "values": "int"},',
            '{"type": "record", "name": "n", "fields": [{"name": "x", "type": "int"}]}]}',
        ),
        (
            "kinds/thing.avsc:2: a union offers map, n, and a value can't tell which it is. Give each record of "
            "a union a field that no other has, and offer no map beside them."
        ),
    ),
    (
        thing(
            '{"name": "a", "type": [{"type": "record", "name": "n", "fields": [{"name": "x", "type": "int"}]},',
            '{"type": "record", "name": "m", "fields": [{"name": "x", "type": "string"}]}]}',
        ),
        (
            "kinds/thing.avsc:2: a union offers n, m, and a value can't tell which it is. Give each record of a "
            "union a field that no other has, and offer no map beside them."
        ),
    ),
    (
        thing('{"name": "a", "type": ["long", {"type": "int", "logicalType": "date"}]}'),
        (
            "kinds/thing.avsc:2: a union offers long, date, and a value can't tell which it is. Offer one whole "
            "number, date or time."
        ),
    ),
    (
        thing('{"name": "a", "type": "string", "logicalType": "asset-ref", "kinds": ["thing"]}'),
        (
            'kinds/thing.avsc:2: a has its "logicalType" beside its type. Write {"name": "a", "type": {"type": '
            '"string", ...}}.'
        ),
    ),
    (
        thing('{"name": "a", "type": {"type": "string", "logicalType": "asset-ref"}}'),
        (
            'kinds/thing.avsc:2: an asset-ref must be a string with the kinds it may point at. Write {"type": '
            '"string", "logicalType": "asset-ref", "kinds": ["image"]}.'
        ),
    ),
    (
        thing('{"name": "a", "type": {"type": "int", "logicalType": "asset-ref", "kinds": ["thing"]}}'),
        (
            'kinds/thing.avsc:2: an asset-ref must be a string with the kinds it may point at. Write {"type": '
            '"string", "logicalType": "asset-ref", "kinds": ["image"]}.'
        ),
    ),
    (
        thing(
            '{"name": "a", "type": ["string", {"type": "array", "items": ["null",',
            '{"type": "string", "logicalType": "asset-ref", "kinds": ["thing"]}]}]}',
        ),
        (
            "kinds/thing.avsc:3: a union offers an asset-ref beside another type, so that a value can't tell "
            'which it is. Use ["null", asset-ref] or a field of its own.'
        ),
    ),
    (
        thing(
            '{"name": "a", "type": {"type": "string", "logicalType": "asset-ref", "kinds": ["thing"]}},',
            '{"name": "b", "type": {"type": "string", "logicalType": "asset-ref", "kinds": ["thing", "things"]}}',
        ),
        (
            "kinds/thing.avsc:3: b refers to the kind things, which is not in the catalog. Add kinds/things.avsc "
            "or correct `kinds`."
        ),
    ),
]


@pytest.mark.parametrize(("schema", "expected"), SCHEMAS)
def test_a_kind_that_can_not_be_used_is_explained(schema: str, expected: str) -> None:
    assert problems_of({"kinds/thing.avsc": schema, "views.toml": '[views.v]\nroot = "thing"'}) == expected


# --------------------------------------------------------------------------------------------------- files and versions


def test_a_folder_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalog) as error:
        load_catalog(tmp_path / "nothing")
    assert str(error.value) == f"{tmp_path}/nothing: there is no such folder. Name a catalog's folder."


def test_a_folder_without_views_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalog) as error:
        load_catalog(tmp_path)
    assert str(error.value) == f"views.toml: {tmp_path} has no views.toml. Every catalog has one."


def test_a_file_that_is_no_text_is_explained(tmp_path: Path) -> None:
    write(tmp_path, {**KINDS, "views.toml": ""})
    (tmp_path / "kinds" / "image.avsc").write_bytes(b"\xff")
    with pytest.raises(InvalidCatalog) as error:
        load_catalog(tmp_path)
    assert str(error.value) == (
        "kinds/image.avsc: can't be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte."
        " Save it as UTF-8."
    )


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


FILES: list[tuple[dict[str, str], str]] = [
    (
        {"views.toml": ""},
        "kinds: there is no kind. Add kinds/NAME.avsc with an Avro record.",
    ),
    (
        {"views.toml": "", "kinds/2019.avsc": "{}"},
        "kinds/2019.avsc: the file's name is not KIND.avsc or KIND.VERSION.avsc. Rename it.",
    ),
    (
        {**KINDS, "views.toml": "", "kinds/image.v1.avsc": IMAGE},
        "kinds/image.v1.avsc: the file's name is not KIND.avsc or KIND.VERSION.avsc. Rename it.",
    ),
    (
        {**KINDS, "views.toml": "", "kinds/video.1.avsc": IMAGE},
        "kinds/video.1.avsc: there is no kinds/video.avsc. Add the current schema.",
    ),
    (
        {**KINDS, "views.toml": "", "kinds/image.1.avsc": "{\n"},
        "kinds/image.1.avsc:2: not JSON: unexpected end of data. Correct the syntax.",
    ),
    (
        {**KINDS, "views.toml": "", "kinds/image.7.avsc": IMAGE.replace('"sizes"', '"a size"')},
        'kinds/image.7.avsc:6: a field of image has the "name" "a size". Use letters, digits and _, no digit first.',
    ),
    (
        {**KINDS, "views.toml": "", "kinds/image.1.avsc": IMAGE.replace('"string"', '"int"', 1)},
        "kinds/image.avsc:5: it can't read messages of kinds/image.1.avsc: url was int, is string."
        " Give new fields a default and keep the types of old ones.",
    ),
    (
        {**KINDS, "views.toml": "", "kinds/image.2.avsc": IMAGE.replace('"sizes"', '"size"', 1)},
        "kinds/image.avsc:6: it can't read messages of kinds/image.2.avsc: sizes is new and has no default."
        " Give new fields a default and keep the types of old ones.",
    ),
    # Every problem of every file, but not what only follows from another.
    (
        {
            **KINDS,
            "kinds/image.avsc": IMAGE.replace("]", "", 1),
            "kinds/byline.avsc": BYLINE.replace('"byline"]', '"person"]'),
            "views.toml": """
                [views.story]
                root = "article"
                expand = ["images.credit", "image"]
                fields.image = ["url"]
                [views.image]
                root = "image"
            """,
        },
        "kinds/image.avsc:8: not JSON: unexpected character, expected ',' or ']'. Correct the syntax.\n"
        "kinds/byline.avsc:6: place refers to the kind person, which is not in the catalog."
        " Add kinds/person.avsc or correct `kinds`.\n"
        "views.toml:4: view story expands 'image', but article has no field 'image'."
        " There are about, at, body, headline, images, words.",
    ),
]


@pytest.mark.parametrize(("files", "expected"), FILES)
def test_files_that_do_not_make_a_catalog_are_explained(files: dict[str, str], expected: str) -> None:
    assert problems_of(files) == expected


def test_a_path_that_means_two_things_in_a_union_is_explained() -> None:
    # Decoded, a value of a union is one plain object, whichever of its records or maps it is.
    reference = '{"type": "string", "logicalType": "asset-ref", "kinds": ["thing"]}'
    schema = thing(
        '{"name": "block", "type": [',
        '  {"type": "record", "name": "a", "fields": [',
        f'    {{"name": "link", "type": {reference}}},',
        f'    {{"name": "more", "type": {{"type": "record", "name": "m", "fields": [{{"name": "x", "type": {reference}}}]}}}},',
        '    {"name": "only_a", "type": "int"}]},',
        '  {"type": "record", "name": "b", "fields": [',
        '    {"name": "link", "type": "string"},',
        '    {"name": "more", "type": {"type": "map", "values": "string"}}]}]}',
    )
    views = '[views.v]\nroot = "thing"\nexpand = [\n"block.link",\n"block.more.x"]'
    assert problems_of({"kinds/thing.avsc": schema, "views.toml": views}) == (
        "views.toml:4: view v expands 'block.link', but 'link' is a reference in one of the types there and something"
        " else in another. Rename one.\n"
        "views.toml:5: view v expands 'block.more.x', but 'more' is a map in one of the types there and something else"
        " in another. Rename one."
    )


# Whatever somebody writes into a schema: an explanation or a catalog, and one that the codec takes.
PIECES: list[Json] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**40,
    "",
    "string",
    "record",
    "array",
    "map",
    "enum",
    "fixed",
    "uri",
    "*",
]
PIECES += ["a.b", "asset-ref", "timestamp-millis", "decimal", [], {}, ["null"], ["null", "string"], {"type": "array"}]
KEYS = ["type", "items", "values", "name", "fields", "default", "symbols", "size", "logicalType", "kinds", "aliases"]
KEYS += ["namespace", "scale", "precision", "doc"]


def places(value: Json) -> list[tuple[Json, Json]]:
    """Every place in a JSON value: the object or array, and the key or index in it."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in entries for place in [(value, key), *places(inner)]]


@settings(max_examples=500)
@given(st.integers(0, 2**32 - 1))
def test_any_schema_is_taken_or_explained(seed: int) -> None:
    random = Random(seed)
    files = dict(catalog(Choices(random)).files)
    name = random.choice([name for name in files if name.endswith(".avsc")])
    schema = json.loads(files[name])
    for _ in range(random.randint(1, 3)):
        inside, key = random.choice(places(schema))
        other, copied = random.choice(places(schema))
        piece = copy.deepcopy(random.choice([*PIECES, other[copied]]))
        match random.randrange(3):
            case 0 if isinstance(inside, dict):
                inside[random.choice(KEYS)] = piece
            case 1:
                del inside[key]
            case _:
                inside[key] = piece
        if not schema:
            break
    files[name] = json.dumps(schema)
    try:
        made = parse_catalog(files)
    except InvalidCatalog as error:
        assert all(problem.problem and problem.remedy for problem in error.problems)
        return
    for kind in made.kinds.values():
        Codec(made.kinds, [RegisteredSchema(1, kind.name, 1, kind.text)])


# -------------------------------------------------------------------------------------------------------- good catalogs

GOOD: dict[str, dict[str, str]] = {
    "no view at all": {**KINDS, "views.toml": ""},
    "a view of the root alone": {**KINDS, "views.toml": '[views.a]\nroot = "article"\ndepth = 0'},
    "a kind without fields": {"kinds/x.avsc": '{"type": "record", "name": "x", "fields": []}', "views.toml": ""},
    "a namespace": {
        "kinds/x.avsc": json.dumps(
            {
                "type": "record",
                "name": "x",
                "namespace": "org.news",
                "fields": [
                    {"name": "a", "type": {"type": "enum", "name": "E", "symbols": ["one"]}},
                    {"name": "b", "type": "org.news.E"},
                    {"name": "c", "type": ["null", "E"]},
                    {
                        "name": "d",
                        "type": {"type": "record", "name": "other.R", "fields": [{"name": "e", "type": "int"}]},
                    },
                    {"name": "f", "type": "other.R"},
                ],
            }
        ),
        "views.toml": '[views.x]\nroot = "x"\nsearch.facets = ["a", "b", "c", "f.e"]',
    },
    "a full name": {"kinds/x.avsc": '{"type": "record", "name": "org.news.x", "fields": []}', "views.toml": ""},
    "views as inline tables": {
        **KINDS,
        "views.toml": 'views = { a = { root = "article", fields = { image = ["uri"] } } }',
    },
    "views by dotted keys": {**KINDS, "views.toml": 'views.a.root = "article"\nviews.a.search.text = ["body"]'},
    "names with hyphens and quotes": {**KINDS, "views.toml": '[views."a-b_2"]\nroot = "article"'},
    "a path twice, and one inside another": {
        **KINDS,
        "views.toml": '[views.a]\nroot = "article"\nexpand = ["images", "images.credit", "images", "body.image.credit"]',
    },
    "a star on the root's own reference": {
        **KINDS,
        "views.toml": '[views.b]\nroot = "byline"\nexpand = ["place*"]\nsearch.text = ["place.place.place.name"]',
    },
    "a step that only one of two kinds has": {
        **KINDS,
        "views.toml": '[views.a]\nroot = "article"\nexpand = ["about.credit"]\nsearch.text = ["about.credit.name", "about.url"]',
    },
    "no fields of a kind": {**KINDS, "views.toml": '[views.a]\nroot = "article"\nfields.article = []'},
    "comments and a byte order of nothing": {**KINDS, "views.toml": '# [views.x]\n[views.a] # a\nroot = "article" # b'},
}


@pytest.mark.parametrize("shape", GOOD)
def test_a_good_catalog_of_an_odd_shape_is_taken(shape: str, tmp_path: Path) -> None:
    files = GOOD[shape]
    write(tmp_path, files)
    loaded, parsed = load_catalog(tmp_path), parse_catalog(files)
    assert (loaded.files, loaded.digest, loaded.views) == (files, parsed.digest, parsed.views)
    # What the catalog takes, the codec must take too.
    Codec(parsed.kinds, [])


def test_the_built_in_catalog_is_good() -> None:
    built_in = newsroom_catalog()
    assert {"article", "image", "byline", "tag"} <= built_in.kinds.keys()
    assert "story" in built_in.views
    assert built_in.references == "reject"


# --------------------------------------------------------------------------------------------------------------- digest

VIEW = '[views.story]\nroot = "article"\nexpand = ["images"]\n'


@pytest.mark.parametrize(
    "files",
    [
        {"views.toml": VIEW.replace('["images"]', '["images.credit"]')},
        {"views.toml": VIEW + "depth = 3\n"},
        {"views.toml": VIEW + '[views.b]\nroot = "byline"\n'},
        {"kinds/image.avsc": IMAGE.replace("url", "src")},
        {"kinds/image.avsc": IMAGE.replace('"string"}', '"string", "default": ""}', 1)},
        {"kinds/video.avsc": IMAGE.replace('"image"', '"video"')},
    ],
)
def test_another_view_or_kind_is_another_digest(files: dict[str, str]) -> None:
    before = {**KINDS, "views.toml": VIEW}
    assert parse_catalog({**before, **files}).digest != parse_catalog(before).digest


def test_an_earlier_schema_or_another_order_of_files_is_the_same_digest() -> None:
    before = {**KINDS, "views.toml": VIEW}
    after = {"kinds/image.1.avsc": IMAGE, **dict(reversed(before.items()))}
    assert parse_catalog(after).digest == parse_catalog(before).digest
    assert re.fullmatch("[0-9a-f]{64}", parse_catalog(before).digest)


# --------------------------------------------------------------------------------------------------------- search paths


@pytest.mark.parametrize(
    ("expand", "path", "classes"),
    [
        ([], "headline", ["string"]),
        ([], "words", ["number"]),
        ([], "at", ["time"]),
        ([], "uri", ["string"]),
        ([], "body", ["record"]),
        ([], "body.text", ["string"]),
        ([], "images", ["string"]),
        ([], "images.url", []),
        (["images"], "images", ["record"]),
        (["images"], "images.uri", ["string"]),
        (["images"], "images.sizes", ["record"]),
        (["images"], "images.sizes.small", []),
        (["images"], "images.credit", ["string"]),
        (["images"], "body.image", ["string"]),
        (["images", "body.image"], "body.image.place", ["string"]),
        (["about"], "about.name", ["string"]),
        (["about"], "about.place", ["string", "string"]),
        (["about.credit"], "about.credit.name", ["string"]),
        ([], "bodytext", []),
        ([], "", []),
        ([], "body..text", []),
    ],
)
def test_a_search_path_leads_through_what_is_expanded(expand: list[str], path: str, classes: list[str]) -> None:
    made = parse_catalog({**KINDS, "views.toml": f'[views.a]\nroot = "article"\nexpand = {json.dumps(expand)}'})
    found = content_types(made.kinds, made.views["a"], path)
    assert [type_.search_class for type_ in found] == classes

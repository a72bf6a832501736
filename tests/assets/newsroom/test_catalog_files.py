"""The built-in catalog's files: Avro that others can read, and views that mean something."""

import io
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest

import assets.newsroom
from assets.catalog import newsroom_catalog, parse_catalog

FOLDER = Path(assets.newsroom.__file__).parent / "catalog"
KINDS = sorted(path.stem for path in (FOLDER / "kinds").glob("*.avsc"))


def schema(kind: str) -> dict[str, Any]:
    return json.loads((FOLDER / "kinds" / f"{kind}.avsc").read_text("utf-8"))


def fields(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The fields of a record and of every record inside it."""
    for field in record["fields"]:
        yield field
        for inner in inner_types(field["type"]):
            if inner["type"] == "record":
                yield from fields(inner)


def inner_types(type_: Any) -> Iterator[dict[str, Any]]:
    if isinstance(type_, list):
        for branch in type_:
            yield from inner_types(branch)
    elif isinstance(type_, dict):
        yield type_
        if type_["type"] == "array":
            yield from inner_types(type_["items"])


def test_there_are_the_four_kinds_of_a_newsroom() -> None:
    assert KINDS == ["article", "byline", "image", "tag"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_parses_as_avro_under_its_own_name(kind: str) -> None:
    assert fastavro.parse_schema(schema(kind))["name"] == kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_explained_and_none_is_called_uri(kind: str) -> None:
    for field in fields(schema(kind)):
        assert field["doc"].endswith(".")
    assert "uri" not in {field["name"] for field in schema(kind)["fields"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_union_is_null_and_one_other_type(kind: str) -> None:
    for field in fields(schema(kind)):
        if isinstance(field["type"], list):
            assert field["type"][0] == "null"
            assert len(field["type"]) == 2
            assert field["default"] is None


@pytest.mark.parametrize("kind", KINDS)
def test_references_name_kinds_of_this_catalog(kind: str) -> None:
    found = [type_ for field in fields(schema(kind)) for type_ in inner_types(field["type"]) if "kinds" in type_]
    for type_ in found:
        assert type_["type"] == "string"
        assert type_["logicalType"] == "asset-ref"
        assert set(type_["kinds"]) <= set(KINDS)


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("article", {"headline": "A headline"}),
        ("article", {"headline": "A headline", "bylines": ["nyt://byline/7"]}),
        ("image", {"url": "https://courier.example/1.jpg"}),
        ("byline", {"name": "Ada Okafor"}),
        ("tag", {"name": "Ferries"}),
    ],
)
def test_one_field_is_enough_and_defaults_make_the_rest(kind: str, least: dict[str, Any]) -> None:
    parsed = fastavro.parse_schema(schema(kind))
    written = io.BytesIO()
    fastavro.schemaless_writer(written, parsed, least)
    written.seek(0)
    read: Any = fastavro.schemaless_reader(written, parsed, None)
    assert least.items() <= read.items()
    assert read.keys() == {field["name"] for field in schema(kind)["fields"]}


def test_the_catalog_loads() -> None:
    catalog = newsroom_catalog()
    assert sorted(catalog.kinds) == KINDS
    assert set(catalog.views) == {"story", "byline", "tag"}
    assert catalog.references == "reject"


def test_the_designs_example_view_means_something_in_these_kinds() -> None:
    files = {f"kinds/{kind}.avsc": (FOLDER / "kinds" / f"{kind}.avsc").read_text("utf-8") for kind in KINDS}
    files["views.toml"] = """
references = "reject"

[views.story]
root   = "article"
expand = ["images.credit", "bylines", "tags.parent*"]
depth  = 4
fields.byline = ["name", "photo"]
search.text   = ["headline^3", "summary", "body", "images.caption", "bylines.name", "tags.name"]
search.facets = ["section", "tags.name", "bylines.name"]
search.date   = "published_at"
"""
    assert parse_catalog(files).views["story"].root == "article"


def test_the_view_that_is_offered_in_a_comment_works() -> None:
    files = {f"kinds/{kind}.avsc": (FOLDER / "kinds" / f"{kind}.avsc").read_text("utf-8") for kind in KINDS}
    offered = [line[4:] for line in (FOLDER / "views.toml").read_text("utf-8").splitlines() if line[:4] == "#   "]
    files["views.toml"] = "\n".join(offered)
    assert list(tomllib.loads(files["views.toml"])["views"]) == ["picture"]
    assert parse_catalog(files).views["picture"].root == "image"

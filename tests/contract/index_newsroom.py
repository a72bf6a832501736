"""A small newsroom to index: its catalog, view records of it, and the plain facts that the oracle works from."""

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from assets.catalog import parse_catalog
from denormalizer.view import EMPTY_CONTENT, View

Json = Any

_ARTICLE = {
    "type": "record",
    "name": "article",
    "fields": [
        {"name": "headline", "type": "string"},
        {"name": "body", "type": {"type": "array", "items": {
            "type": "record", "name": "block", "fields": [
                {"name": "style", "type": {"type": "enum", "name": "style", "symbols": ["quick", "slow"]}},
                {"name": "text", "type": ["null", "string"]},
            ],
        }}},
        {"name": "section", "type": ["null", "string"]},
        {"name": "priority", "type": ["null", "long"]},
        {"name": "breaking", "type": "boolean"},
        {"name": "published", "type": ["null", "string"]},
        {"name": "tags", "type": {"type": "array", "items": {
            "type": "string", "logicalType": "asset-ref", "kinds": ["tag"],
        }}},
    ],
}  # fmt: skip
_TAG = {"type": "record", "name": "tag", "fields": [{"name": "name", "type": "string"}]}

CATALOG = parse_catalog(
    {
        "kinds/article.avsc": json.dumps(_ARTICLE),
        "kinds/tag.avsc": json.dumps(_TAG),
        "views.toml": """
            [views.story]
            root = "article"
            expand = ["tags"]
            search.text = ["headline^3", "body", "tags.name"]
            search.facets = ["section", "priority", "breaking", "tags.name"]
            search.date = "published"

            [views.topic]
            root = "tag"
            search.text = ["name"]
            search.facets = ["name"]
        """,
    }
)

OTHER_CATALOG = parse_catalog(
    {"kinds/tag.avsc": json.dumps(_TAG), "views.toml": '[views.label]\nroot = "tag"\nsearch.text = ["name"]\n'}
)

_TIME = ["null", {"type": "long", "logicalType": "timestamp-millis"}]
_PAGE = {
    "type": "record",
    "name": "page",
    "fields": [{"name": "name", "type": "string"}, {"name": "made", "type": _TIME}, {"name": "changed", "type": _TIME}],
}

TIMED_CATALOG = parse_catalog(
    {
        "kinds/page.avsc": json.dumps(_PAGE),
        "views.toml": """
            [views.page]
            root = "page"
            search.text = ["name"]
            search.facets = ["name", "made", "changed"]
            search.date = "made"
        """,
    }
)

WORDS = {
    "fox": "fox", "Foxes": "fox", "jump": "jump", "jumped": "jump", "JUMPING": "jump", "lazy": "lazy",
    "dog": "dog", "dogs": "dog", "café": "cafe", "Cafe": "cafe", "run": "run", "runs": "run", "the": "the", "18F": "18f",
}  # fmt: skip
"""A few words, each with what is left of it without case, accent and ending."""

SECTIONS = ("Arts", "World", "U.S. & more")
DATES = ("2020-01-01T00:00:00Z", "2020-01-01T09:30:00+01:00", "2020-06-15", "2021-12-31T23:59:59.5Z", "1969-07-20")


def story(
    number: int,
    *,
    version: int = 0,
    headline: str = "",
    body: Sequence[str | None] = (),
    section: str | None = None,
    priority: int | None = None,
    breaking: bool = False,
    published: str | None = None,
    tags: Sequence[str] = (),
    bounds: tuple[str, ...] = (),
) -> View:
    """A live story, with its content as the denormalizer renders it."""
    uri = f"nyt://article/{number}"
    content = {
        "uri": uri,
        "headline": headline,
        "body": [{"style": "quick", "text": text} for text in body],
        "section": section,
        "priority": priority,
        "breaking": breaking,
        "published": published,
        "tags": [{"uri": f"nyt://tag/{place}", "name": name} for place, name in enumerate(tags)],
    }
    return View("story", uri, version, "live", orjson.dumps(content), orjson.dumps({uri: version}), bounds)


def noisy_stories(count: int, version: int = 0) -> list[View]:
    """Stories that no compression makes small."""
    chance = random.Random(version)
    return [
        story(number, version=version, headline=" ".join(chance.randbytes(20).hex() for _ in range(10)))
        for number in range(count)
    ]


def topic(number: int, name: str, version: int = 0) -> View:
    """A live topic."""
    uri = f"nyt://tag/{number}"
    return View("topic", uri, version, "live", orjson.dumps({"uri": uri, "name": name}), orjson.dumps({uri: version}))


def gone(view: View, version: int | None = None) -> View:
    """The tombstone of a view."""
    return view._replace(state="gone", content=EMPTY_CONTENT, version=view.version if version is None else version)


def write_part(path: Path, views: Iterable[View]) -> Path:
    """A part file with these records."""
    path.write_bytes(b"".join(view.to_line() + b"\n" for view in views))
    return path


def texts() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(sorted(WORDS)), max_size=4).map(" ".join)


@st.composite
def newsrooms(draw: Any, *, size_max: int = 14) -> list[View]:
    """Stories and topics, some of them gone, each once."""
    stories = st.builds(
        story,
        st.integers(0, 40),
        version=st.integers(0, 5),
        headline=texts(),
        body=st.lists(st.none() | texts(), max_size=2),
        section=st.none() | st.sampled_from(SECTIONS),
        priority=st.none() | st.integers(-1, 1),
        breaking=st.booleans(),
        published=st.none() | st.sampled_from(DATES),
        tags=st.lists(st.sampled_from(("Fox news", "Dogs", "café")), max_size=2),
    )
    topics = st.builds(topic, st.integers(0, 5), texts(), version=st.integers(0, 5))
    live: list[View] = draw(st.lists(stories | topics, max_size=size_max, unique_by=lambda view: view.uri))
    dead = draw(st.sets(st.integers(0, size_max)))
    return [gone(view) if number in dead else view for number, view in enumerate(live)]

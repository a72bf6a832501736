"""What of a catalog's views answers the public news APIs: collections, how they are looked for, and shapes of templates.

The names that each API has are known here, so that a catalog's mistakes are found when it is checked. What the APIs do with
them is the server's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple


@dataclass(frozen=True)
class Field:
    """The value at a dotted path; `otherwise` where there is none."""

    path: str
    conversions: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    """What a value is called instead."""
    otherwise: "Template | None" = None


@dataclass(frozen=True)
class Constant:
    """Always the same."""

    value: Any


@dataclass(frozen=True)
class Position:
    """Of an item in its list."""

    first: int


@dataclass(frozen=True)
class Each:
    """A template for each item at a path (one where that is no list), whose paths begin there."""

    path: str
    item: "Template"
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Field of an item to the values of which it must have one."""
    conversions: tuple[str, ...] = ()
    otherwise: "Template | None" = None


@dataclass(frozen=True)
class Listing:
    """A list: of an `Each` without conversions its items, of any other template what it is."""

    parts: tuple["Template", ...]


@dataclass(frozen=True)
class Shape:
    """An object."""

    fields: Mapping[str, "Template"]


Template = Field | Constant | Position | Each | Listing | Shape


@dataclass(frozen=True)
class Collection:
    """A view as one of an API's collections."""

    view: str
    search: Mapping[str, tuple[str, ...]]
    """The API's name of a field to the search paths of the view that it means, alternatives."""
    types: Mapping[str, str]
    """A value of `search`'s `type` to what the API calls it."""
    shapes: Mapping[str, Template]


@dataclass(frozen=True)
class Interface:
    """One API."""

    settings: Mapping[str, str]
    collections: Mapping[str, Collection]


Form = Literal["object", "list", "text"]

FORMS: Final[Mapping[Form, tuple[type, ...]]] = {"object": (Shape,), "list": (Each, Listing), "text": (Field,)}
"""What a template makes, to the templates that do."""


class KnownCollection(NamedTuple):
    """What a collection of an API may have."""

    search: Sequence[str]
    shapes: Mapping[str, Form]
    """What the template of each makes."""


class KnownInterface(NamedTuple):
    """What an API may have."""

    settings: Sequence[str]
    collections: Mapping[str, KnownCollection]


STORIES: Final = "stories"
"""The collection that every API has."""

CONVERSIONS: Final = (
    "text", "html", "markup", "paragraph", "lines", "byline", "address", "first", "count", "slug", "id", "time",
    "offset_time",
)  # fmt: skip

NYT_FACETS: Final = (
    "day_of_week", "document_type", "ingredients", "news_desk", "pub_month", "pub_year", "section_name", "source",
    "subsection_name", "type_of_material",
)  # fmt: skip

GUARDIAN_DATES: Final = ("published", "first-publication", "newspaper-edition", "last-modified")
"""What `use-date` chooses from."""

GUARDIAN_TEXTS: Final = ("headline", "standfirst", "trailText", "body", "byline", "keywords")
"""What `query-fields` chooses from."""

INTERFACES: Final[Mapping[str, KnownInterface]] = {
    "nyt": KnownInterface(
        ("copyright",),
        {
            STORIES: KnownCollection(
                (
                    *NYT_FACETS,
                    *("kicker", "print_section", "print_page", "web_url", "word_count"),
                    *("headline", "body", "byline", "tags"),
                ),
                {"document": "object", "item": "object"},
            ),
            "tags": KnownCollection(("type", "name"), {"name": "text"}),
        },
    ),
    "guardian": KnownInterface(
        ("user_tier",),
        {
            STORIES: KnownCollection(
                ("id", "section", "production-office", "lang", "star-rating", "tag", *GUARDIAN_DATES, *GUARDIAN_TEXTS),
                {
                    "item": "object",
                    "section": "object",
                    "fields": "object",
                    "block": "object",
                    "tags": "list",
                    "elements": "list",
                },
            ),
            "tags": KnownCollection(("type", "section", "name"), {"item": "object"}),
            "contributors": KnownCollection(("type", "section", "name"), {"item": "object"}),
        },
    ),
}

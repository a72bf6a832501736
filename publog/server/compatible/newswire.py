"""The Times Newswire: the latest stories."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from assets.interfaces import STORIES
from indexers.limits import OFFSET_MAX, QUERY_CHARACTERS_MAX
from indexers.query import AnyOf, Expression
from publog.server.compatible.nyt_manners import KeyParameters, interface, reading, rights
from publog.server.compatible.serving import Served, Shelf, both
from publog.server.compatible.templates import slug
from publog.server.endpoints import Call, Reply
from publog.server.limits import NEWSWIRE_HOURS_MAX, NEWSWIRE_LIMIT_MAX
from publog.server.problems import NotThere

_EVERY_SOURCE: Final = ("all", "nyt", "inyt")


class UrlParameters(KeyParameters, frozen=True, kw_only=True):
    url: Annotated[str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description="The address of a story's page.")]


Source = Annotated[
    str, msgspec.Meta(description="all, nyt and inyt are every source; else one in lower case, hyphens.")
]
Section = Annotated[str, msgspec.Meta(description="all, or one of section-list.json.")]


class WireParameters(KeyParameters, frozen=True, kw_only=True):
    source: Source
    section: Section
    limit: Annotated[int, msgspec.Meta(ge=1, le=NEWSWIRE_LIMIT_MAX, description="Items.")] = NEWSWIRE_LIMIT_MAX
    offset: Annotated[int, msgspec.Meta(ge=0, le=OFFSET_MAX, description="Items to leave out.")] = 0


class PeriodParameters(KeyParameters, frozen=True, kw_only=True):
    source: Source
    section: Section
    period: Annotated[int, msgspec.Meta(ge=1, le=NEWSWIRE_HOURS_MAX, description="Only of the last hours.")]
    limit: Annotated[int, msgspec.Meta(ge=1, le=NEWSWIRE_LIMIT_MAX, description="Items.")] = NEWSWIRE_LIMIT_MAX
    offset: Annotated[int, msgspec.Meta(ge=0, le=OFFSET_MAX, description="Items to leave out.")] = 0


class Items(msgspec.Struct):
    """An answer of the Times Newswire."""

    status: str
    copyright: str
    num_results: int
    results: list[dict[str, Any]]


async def by_url(call: Call[UrlParameters]) -> Reply:
    return await call.in_thread(_by_url, call)


def _by_url(call: Call[UrlParameters]) -> Reply:
    nyt = interface(call)
    stories = nyt.shelf(STORIES)
    found = stories.search(stories.value("web_url", call.parameters.url), sort="newest", limit=NEWSWIRE_LIMIT_MAX)
    if not found.hits:
        raise NotThere(f"there is no story at {call.parameters.url[:300]!r}")
    return _items(nyt, [stories.show("item", hit) for hit in found.hits])


async def wire(call: Call[Any]) -> Reply:
    return await call.in_thread(_wire, call)


def _wire(call: Call[WireParameters | PeriodParameters]) -> Reply:
    asked = call.parameters
    nyt = interface(call)
    stories = nyt.shelf(STORIES)
    parts = [
        None if asked.source in _EVERY_SOURCE else _slugged(stories, "source", asked.source),
        None if asked.section == "all" else _slugged(stories, "section_name", asked.section),
    ]
    since = None
    if isinstance(asked, PeriodParameters):
        since = int(datetime.now(UTC).timestamp()) - asked.period * 3_600
    found = stories.search(both(*parts), since=since, sort="newest", limit=asked.limit, offset=asked.offset)
    return _items(nyt, [stories.show("item", hit) for hit in found.hits])


def _slugged(stories: Shelf, name: str, text: str) -> Expression:
    """The field has the value that is written so in addresses."""
    values = [value for value, _ in stories.values(name)]
    meant = [value for value in values if slug(value) == slug(text)]
    if not meant:
        known = sorted({slug(value) for value in values})
        raise NotThere(f"there is no {name} {text[:100]!r}; there are all, {', '.join(known)}")
    return AnyOf(tuple(stories.value(name, value) for value in meant))


async def sections(call: Call[KeyParameters]) -> Reply:
    return await call.in_thread(_sections, call)


def _sections(call: Call[KeyParameters]) -> Reply:
    nyt = interface(call)
    values = sorted(value for value, _ in nyt.shelf(STORIES).values("section_name"))
    return _items(nyt, [{"section": slug(value), "display_name": value} for value in values])


def _items(nyt: Served, results: list[dict[str, Any]]) -> Reply:
    return Reply(Items("OK", rights(nyt), len(results), results))


ENDPOINTS: Final = [
    reading(
        "/svc/news/v3/content.json",
        "nyt_newswire_by_url",
        "Times Newswire: a story by its page",
        by_url,
        Items,
        UrlParameters,
    ),
    reading(
        "/svc/news/v3/content/section-list.json",
        "nyt_sections",
        "Times Newswire: the sections",
        sections,
        Items,
        KeyParameters,
    ),
    reading(
        "/svc/news/v3/content/{source}/{section}.json",
        "nyt_newswire",
        "Times Newswire: the latest stories",
        wire,
        Items,
        WireParameters,
    ),
    reading(
        "/svc/news/v3/content/{source}/{section}/{period}.json",
        "nyt_newswire_of_hours",
        "Times Newswire: the latest stories of so many hours",
        wire,
        Items,
        PeriodParameters,
    ),
]

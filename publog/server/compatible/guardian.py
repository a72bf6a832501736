"""The Guardian's content API, answered by the catalog's `[guardian]` interface: stories, and items of every sort."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from assets.errors import InvalidUri
from assets.interfaces import GUARDIAN_TEXTS
from assets.model import check_uri
from indexers.dates import parse_range, seconds_of
from indexers.port import Results, Sort
from indexers.query import AnyOf, Exact, Expression
from publog.server.compatible.boolean import to_query
from publog.server.compatible.guardian_lists import counted, list_of, of_slug, offset_of, pages_of
from publog.server.compatible.guardian_parameters import (
    ItemParameters,
    ListedParameters,
    NextParameters,
    ShownParameters,
    StoriesParameters,
)
from publog.server.compatible.guardian_stories import Guardian, names_of, opened, reading, story
from publog.server.compatible.serving import Shelf, both, within, words
from publog.server.compatible.templates import fill, slug, uri_of
from publog.server.endpoints import Call, Reply
from publog.server.limits import GUARDIAN_IDS_MAX
from publog.server.problems import NotThere, Unusable


async def search(call: Call[StoriesParameters]) -> Reply:
    return await call.in_thread(_search, call)


def _search(call: Call[StoriesParameters]) -> Reply:
    guardian = opened(call)
    return guardian.answer(**_page(guardian, call.parameters, None))


async def following(call: Call[NextParameters]) -> Reply:
    return await call.in_thread(_following, call)


def _following(call: Call[NextParameters]) -> Reply:
    asked = call.parameters
    guardian = opened(call)
    found = _found(guardian, asked, None, after=uri_of(asked.id))
    results = [story(guardian, hit, asked) for hit in found.hits]
    return guardian.answer(
        total=found.total,
        page_size=asked.page_size,
        pages=pages_of(found.total, asked.page_size),
        order_by=_order(asked),
        results=results,
    )


async def item(call: Call[ItemParameters]) -> Reply:
    return await call.in_thread(_item, call)


def _item(call: Call[ItemParameters]) -> Reply:
    asked = call.parameters
    guardian = opened(call)
    uri = uri_of(asked.id)
    try:
        check_uri(uri)
    except InvalidUri:
        return _of_section(guardian, asked)
    stories = guardian.stories
    hits = stories.search(stories.value("id", uri), limit=1).hits
    if hits:
        _check_only_story(asked)
        return guardian.answer(total=1, content=story(guardian, hits[0], asked))
    for name in ("tags", "contributors"):
        shelf = guardian.served.shelves.get(name)
        found = None if shelf is None else shelf.index.get(shelf.collection.view, uri)
        if shelf is not None and found is not None and found.state == "live":
            tag = guardian.addressed(fill(shelf.collection.shapes["item"], msgspec.json.decode(found.content)))
            return guardian.answer(tag=tag, **_page(guardian, asked, stories.value("tag", uri)))
    raise _no_item(asked.id)


def _of_section(guardian: Guardian, asked: ItemParameters) -> Reply:
    names = [name for name, _ in guardian.stories.values("section") if slug(name) == asked.id]
    if not names:
        raise _no_item(asked.id)
    of_it = AnyOf(tuple(guardian.stories.value("section", name) for name in names))
    section = guardian.addressed({"id": asked.id, "webTitle": names[0]})
    return guardian.answer(section=section, **_page(guardian, asked, of_it))


def _no_item(id_: str) -> NotThere:
    return NotThere(f"there is no story, tag or section {id_[:300]!r} here")


def _check_only_story(asked: ItemParameters) -> None:
    given = {name for name in ListedParameters.__struct_fields__ if getattr(asked, name) != _DEFAULTS[name]}
    for name in sorted(given - set(ShownParameters.__struct_fields__)):
        shown = name.replace("_", "-")
        raise Unusable(f"{shown}: a story is one item; this is for the stories of a tag or section", shown)


_DEFAULTS: Final = dict(
    zip(
        ListedParameters.__struct_fields__,
        (getattr(ListedParameters(), name) for name in ListedParameters.__struct_fields__),
        strict=True,
    )
)


def _page(guardian: Guardian, asked: StoriesParameters | ItemParameters, more: Expression | None) -> dict[str, Any]:
    """The parts of an answer that is a page of stories."""
    offset = offset_of(asked.page, asked.page_size)
    found = _found(guardian, asked, more, offset=offset)
    return {
        **counted(found.total, asked.page, asked.page_size),
        "order_by": _order(asked),
        "results": [story(guardian, hit, asked) for hit in found.hits],
    }


def _order(asked: ListedParameters) -> Sort:
    if asked.order_by is not msgspec.UNSET:
        return asked.order_by
    return "relevance" if asked.q.strip() else "newest"


def _found(guardian: Guardian, asked: ListedParameters, more: Expression | None, **place: Any) -> Results:
    stories = guardian.stories
    text = words(asked.q)
    if text is not None and asked.query_fields:
        names = names_of("query-fields", asked.query_fields, GUARDIAN_TEXTS)
        text = within(text, [path for name in names for path in stories.paths(name)])
    of_list: dict[str, Callable[[str], Expression]] = {
        "section": lambda id_: of_slug(stories, "section", id_),
        "tag": lambda id_: stories.value("tag", uri_of(id_)),
        "production-office": lambda text: of_slug(stories, "production-office", text),
        "lang": lambda text: stories.value("lang", text),
        "star-rating": lambda text: stories.value("star-rating", text),
    }
    given = (asked.section, asked.tag, asked.production_office, asked.lang, asked.star_rating)
    parts = [
        to_query(list_of(name, value), of_leaf)
        for (name, of_leaf), value in zip(of_list.items(), given, strict=True)
        if value
    ]
    since = _day("from-date", asked.from_date, 0)
    until = _day("to-date", asked.to_date, 1)
    dated: dict[str, Any] = {}
    if since is not None or until is not None:
        if _other_date(stories, asked.use_date) is None:
            dated = {"since": since, "until": until}
        else:
            parts.append(stories.between(asked.use_date, since, None if until is None else until - 1))
    elif asked.use_date != "published":
        raise Unusable("use-date: there is no from-date or to-date", "use-date")
    return stories.search(
        both(text, *parts, _ids(stories, asked.ids), more),
        sort=_order(asked),
        date=_other_date(stories, asked.order_date),
        limit=asked.page_size,
        **dated,
        **place,
    )


def _other_date(stories: Shelf, name: str) -> str | None:
    """The search path of a date; None for the one that the view is dated by."""
    if name == "published" and not stories.has(name):
        return None
    (path, *_) = stories.paths(name)
    return None if path == stories.date else path


def _ids(stories: Shelf, text: str) -> Expression | None:
    ids = [id_.strip() for id_ in text.split(",") if id_.strip()]
    if len(ids) > GUARDIAN_IDS_MAX:
        raise Unusable(f"ids: there are {len(ids)}; use at most {GUARDIAN_IDS_MAX}", "ids")
    return AnyOf(tuple(Exact(path, uri_of(id_)) for id_ in ids for path in stories.paths("id"))) if ids else None


def _day(name: str, text: str, end: int) -> int | None:
    if not text:
        return None
    try:
        if seconds_of(text) is None:
            raise ValueError(text)
        return parse_range(text)[end]
    except ValueError:
        raise Unusable(f"{name}: {text[:100]!r} is no date; write 2026-03-13 or a timestamp", name) from None


ENDPOINTS: Final = [
    reading("/search", "guardian_search", "The Guardian's API: stories", search, StoriesParameters),
    reading(
        "/content/{id:path}/next",
        "guardian_next",
        "The Guardian's API: what follows a result",
        following,
        NextParameters,
    ),
]

ITEM: Final = reading(
    "/{id:path}", "guardian_item", "The Guardian's API: a story, a tag or a section", item, ItemParameters
)

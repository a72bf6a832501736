"""The front page: search, with facets to click on and highlights."""

from typing import Any, Final, Literal, NamedTuple, cast, get_args
from urllib.parse import urlencode

import msgspec
import orjson

from assets.catalog import Catalog
from indexers.limits import FACETS_MAX
from indexers.port import Sort
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.pages.layout import ask, catalog_of, endpoint, page
from publog.server.pages.titles import title_of
from publog.server.problems import Problem, ProblemDocument, problem_of
from publog.server.search import Found, Page, SearchParameters, find

STORIES: Final = "headline"
"""The field that makes a view a story's, which has a page for readers."""

HITS: Final = 10
"""On a page."""

FACETS: Final = 10
"""Of each view, beside the hits."""

_FRAGMENTS_MAX: Final = 3
_LINE_CHARACTERS_MIN: Final = 60
_SORTS: Final = {"relevance": "Best match", "newest": "Newest first", "oldest": "Oldest first"}


class SearchPage(Parameters, frozen=True):
    """Anything goes: what is wrong is told beside the field."""

    q: str = ""
    view: str = ""
    filter: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    sort: str = "relevance"
    cursor: str = ""


class Choice(NamedTuple):
    """A value of a facet."""

    value: str
    documents: int
    is_chosen: bool
    link: str


class Shown(NamedTuple):
    """A hit as it is shown."""

    hit: Found
    title: Any
    lines: list[Any]
    note: str


async def front(call: Call[SearchPage]) -> Reply:
    asked = call.parameters
    catalog = await catalog_of(call)
    chosen = asked.view if asked.view in catalog.views else ""
    facets = _facets(catalog, chosen)
    problem: ProblemDocument | None = None
    found: Page | None = None
    try:
        found = (await ask(call, find, _query(asked, facets))).value
    except Exception as error:
        told = problem_of(error)
        if told is None:
            raise
        problem = told.document
    shown = [] if found is None else [_shown(hit) for hit in found.hits]
    return await page(
        call,
        "search.html.j2",
        status=200 if problem is None else problem.status,
        asked=asked,
        views=sorted(catalog.views),
        sorts=_SORTS,
        found=found,
        hits=shown,
        facets={} if found is None else {name: _choices(asked, name, found) for name in facets},
        chosen=[(text, _link(asked, text)) for text in dict.fromkeys(asked.filter)],
        problem=problem,
        position=_position(asked.q, problem),
        meant_link=None if found is None or found.did_you_mean is None else _address(asked, q=found.did_you_mean),
        next_link=None if found is None or found.cursor is None else _address(asked, cursor=found.cursor),
        feed_query=urlencode([("filter", text) for text in asked.filter]),
    )


def _query(asked: SearchPage, facets: list[str]) -> SearchParameters:
    if asked.sort not in get_args(Sort):
        raise Problem(
            422,
            "invalid-parameter",
            "A parameter can't be used",
            f"sort: is none of {', '.join(_SORTS)}",
            field="sort",
        )
    for text in asked.filter:
        if ":" not in text and "=" not in text:
            raise Problem(
                422, "invalid-parameter", "A parameter can't be used", "filter: write FIELD:VALUE", field="filter"
            )
    sort: Literal["relevance", "newest", "oldest"] = asked.sort  # pyright: ignore[reportAssignmentType]
    return SearchParameters(
        q=asked.q,
        view=asked.view or msgspec.UNSET,
        filter=asked.filter,
        since=asked.since or msgspec.UNSET,
        until=asked.until or msgspec.UNSET,
        facet=tuple(facets),
        sort=sort,
        limit=HITS,
        cursor=asked.cursor or msgspec.UNSET,
        highlight=True,
    )


def _facets(catalog: Catalog, view: str) -> list[str]:
    """The first ones of the view that is searched, or of all: a catalog names those first that people narrow down by."""
    views = [catalog.views[view]] if view else catalog.views.values()
    return list(dict.fromkeys(facet for one in views for facet in one.search.facets[:FACETS]))[:FACETS_MAX]


def _choices(asked: SearchPage, field: str, found: Page) -> list[Choice]:
    chosen = {text.partition(":")[2] for text in asked.filter if text.startswith(f"{field}:")}
    counted = found.facets.get(field, [])
    return [Choice(one.value, one.count, one.value in chosen, _link(asked, f"{field}:{one.value}")) for one in counted]


def _link(asked: SearchPage, text: str) -> str:
    """The search with a filter added, or without it where it is there."""
    others = tuple(one for one in asked.filter if one != text)
    return _address(asked, filter=others if text in asked.filter else (*asked.filter, text), cursor="")


def _address(asked: SearchPage, **changes: Any) -> str:
    values = msgspec.structs.asdict(msgspec.structs.replace(asked, **changes))
    if values["sort"] == "relevance":
        values["sort"] = ""
    pairs = {name: list(value) if name == "filter" else value for name, value in values.items() if value}
    return f"/?{urlencode(pairs, doseq=True, errors='replace')}"


def _position(text: str, problem: ProblemDocument | None) -> tuple[str, str] | None:
    """What stands before the place where a query goes wrong, and from there on."""
    if problem is None or problem.position is None:
        return None
    return text[: problem.position], text[problem.position :] or " "


def _shown(hit: Found) -> Shown:
    content: dict[str, Any] = orjson.loads(bytes(hit.content))
    highlights = dict(hit.highlights)
    title: Any = title_of(content) or hit.uri
    for path in list(highlights):
        marked = highlights[path]
        if marked.fragment == title:
            title = marked
            del highlights[path]
            break
    lines: list[Any] = list(highlights.values())[:_FRAGMENTS_MAX]
    summary = content.get("summary") or content.get("description")
    if isinstance(summary, str) and sum(len(line.fragment) for line in lines) < _LINE_CHARACTERS_MIN:
        # A name that fits says little of what the story is about.
        lines.insert(0, summary)
    names = [name for byline in _records(content.get("bylines")) if isinstance(name := byline.get("name"), str)]
    return Shown(hit, title, lines, ", ".join(names))


def _records(value: Any) -> list[dict[str, Any]]:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


PAGES: Final[list[Endpoint[Any]]] = [endpoint("/", "Search", front, SearchPage)]

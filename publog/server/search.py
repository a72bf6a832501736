"""Searching over HTTP."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar, cast

import msgspec
import orjson

from assets.view_definition import content_types
from indexers.dates import Range, parse_range
from indexers.errors import IndexBehind
from indexers.limits import (
    CURSOR_CHARACTERS_MAX,
    FACETS_MAX,
    FILTERS_MAX,
    PAGE_SIZE_MAX,
    QUERY_CHARACTERS_MAX,
    RELATED_MAX,
    SUGGEST_CHARACTERS_MAX,
    SUGGESTIONS_MAX,
)
from indexers.port import Facet, Highlight, Hit, Query, Results, Sort, Typed
from indexers.query import All, Between, parse, replace
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.limits import WAIT_SECONDS, WAIT_SECONDS_MAX
from publog.server.newsroom import Newsroom
from publog.server.problems import NotThere, Unusable

View = Annotated[str, msgspec.Meta(min_length=1, description="Only this view.")] | msgspec.UnsetType
Filters = Annotated[
    tuple[Annotated[str, msgspec.Meta(pattern="^[^:=]+[:=]", examples=["section:world"])], ...],
    msgspec.Meta(
        max_length=FILTERS_MAX,
        description="FIELD:VALUE, exactly; the same field again: or, another field: and.",
    ),
]
T = TypeVar("T")

Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_DAY: Final = "a year, month or day as 2026, 2026-11 or 2026-11-23, or a timestamp"


class SearchParameters(Parameters, frozen=True):
    q: Annotated[
        str,
        msgspec.Meta(
            max_length=QUERY_CHARACTERS_MAX,
            description='Words, "phrases", OR, -not, (groups), field:value, date:2020..2021; empty: everything.',
        ),
    ] = ""
    fuzzy: Annotated[
        bool,
        msgspec.Meta(
            description="Also find words with a slip in them: one in 4 to 7 letters, two in more. Exact hits come first; "
            "what is in quotes, in a field, behind - or has a digit stays exact."
        ),
    ] = False
    view: View = msgspec.UNSET
    filter: Filters = ()
    range: Annotated[
        tuple[
            Annotated[str, msgspec.Meta(pattern=r"^[^:=]+[:=].*\.\.", examples=["word_count:100..500"])],
            ...,
        ],
        msgspec.Meta(
            max_length=FILTERS_MAX,
            description=f"FIELD:FIRST..LAST, both included, or open on a side: a facet of whole numbers, or of times: {_DAY}.",
        ),
    ] = ()
    since: Annotated[str, msgspec.Meta(description=f"Dated then or later: {_DAY}.")] | msgspec.UnsetType = msgspec.UNSET
    until: Annotated[str, msgspec.Meta(description=f"Dated then or earlier: {_DAY}.")] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    facet: Annotated[
        tuple[str, ...],
        msgspec.Meta(max_length=FACETS_MAX, description="Count the values of this field, its own filter left out."),
    ] = ()
    sort: Annotated[Sort, msgspec.Meta(description="The order of what is found.")] = "relevance"
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_SIZE_MAX, description="Hits on a page.")] = 10
    cursor: (
        Annotated[str, msgspec.Meta(max_length=CURSOR_CHARACTERS_MAX, description="Where the page before ended.")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    highlight: Annotated[bool, msgspec.Meta(description="Give the best fragment of each text that fits.")] = False
    fields: Annotated[
        tuple[str, ...], msgspec.Meta(max_length=100, description="Only this field of the content; may be repeated.")
    ] = ()
    at_least: (
        Annotated[Offset, msgspec.Meta(description="Wait until the index reflects this offset: a receipt's, say.")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    wait: (
        Annotated[
            int,
            msgspec.Meta(
                ge=0, le=WAIT_SECONDS_MAX, description=f"Seconds to wait for at_least; {WAIT_SECONDS} if not given."
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class FacetCount(msgspec.Struct):
    """A value, and how many documents have it."""

    value: str
    count: int


class Marked(msgspec.Struct):
    """A piece of text."""

    fragment: str
    marks: list[tuple[int, int]]
    """Begin and end of each hit, in characters."""


class Found(msgspec.Struct):
    """A view that was found."""

    view: str
    uri: str
    version: int
    score: float | None
    date: str | None
    highlights: dict[str, Marked]
    content: msgspec.Raw


class Page(msgspec.Struct):
    """A page of what was found."""

    total: int
    applied_through: int
    generation: str
    cursor: str | None
    """For the next page; null on the last."""
    facets: dict[str, list[FacetCount]]
    hits: list[Found]
    did_you_mean: str | None = None
    """Where nothing was found: the query with other words in it, which finds something."""


class SuggestParameters(Parameters, frozen=True):
    q: Annotated[
        str,
        msgspec.Meta(
            max_length=SUGGEST_CHARACTERS_MAX,
            description="What is typed so far: words, of which the last may not be whole yet. Nothing in it is syntax.",
        ),
    ] = ""
    view: View = msgspec.UNSET
    filter: Filters = ()
    limit: Annotated[
        int, msgspec.Meta(ge=1, le=SUGGESTIONS_MAX, description="Completions, and views, to give at most.")
    ] = 10


class CompletedText(msgspec.Struct):
    """How what was typed may go on."""

    text: str
    """With the last word made whole, in lower case and without accents."""
    count: int
    """Live views that have this word, and the others as a search finds them."""


class SuggestedView(msgspec.Struct):
    """A view that may be meant."""

    view: str
    uri: str
    version: int
    date: str | None
    highlights: dict[str, Marked]
    """The title where the text is in it, other texts where not."""


class SuggestionList(msgspec.Struct):
    """What somebody may be about to type, and to find."""

    applied_through: int
    generation: str
    completions: list[CompletedText]
    """Most frequent first."""
    views: list[SuggestedView]
    """Those whose title begins so first, then those whose title goes on so, then others; the newest first in each."""


class RelatedParameters(Parameters, frozen=True):
    view: Annotated[str, msgspec.Meta(min_length=1, description="A view of the catalog.")]
    uri: Annotated[
        str,
        msgspec.Meta(description="The view's URI, percent-encoded whole (`/` as %2F).", examples=["news://article/1"]),
    ]
    limit: Annotated[int, msgspec.Meta(ge=1, le=RELATED_MAX, description="Views to give at most.")] = 10
    fields: Annotated[
        tuple[str, ...], msgspec.Meta(max_length=100, description="Only this field of the content; may be repeated.")
    ] = ()


class RelatedViews(msgspec.Struct):
    """Views that share telling words and facet values with one."""

    applied_through: int
    generation: str
    hits: list[Found]
    """Of the same view, most like it first."""


async def search(call: Call[SearchParameters]) -> Reply:
    return Reply(await _search(call, _written))


async def find(call: Call[SearchParameters]) -> Reply:
    """The same as a value, for the pages."""
    return Reply(await _search(call, _searched))


async def _search(call: Call[SearchParameters], work: Callable[[Newsroom, Query, SearchParameters], T]) -> T:
    asked = call.parameters
    ranges = await call.in_thread(_ranges, call.newsroom, asked) if asked.range else []
    text = parse(asked.q)
    query = Query(
        text=All((*([] if text is None else [text]), *ranges)) if ranges else text,
        view=asked.view or None,
        filters=[_filter(text) for text in asked.filter],
        since=_day("since", asked.since, ">=")[0],
        until=_day("until", asked.until, "<=")[1],
        facets=[Facet(field) for field in dict.fromkeys(asked.facet)],
        sort=asked.sort,
        limit=asked.limit,
        cursor=asked.cursor or None,
        highlight=asked.highlight,
        fuzzy=asked.fuzzy,
        correct=True,
    )
    if query.since is not None and query.until is not None and query.since >= query.until:
        raise Unusable("until: lies before since", "until")
    if asked.at_least is not msgspec.UNSET:
        await _wait(call, asked.at_least, WAIT_SECONDS if asked.wait is msgspec.UNSET else asked.wait)
    elif asked.wait is not msgspec.UNSET:
        raise Unusable("wait: there is nothing to wait for without at_least", "wait")
    if asked.fields:
        await call.in_thread(_check_fields, call.newsroom, asked.view or None, asked.fields)
    return await call.searching(work, call.newsroom, query, asked)


def _written(newsroom: Newsroom, query: Query, asked: SearchParameters) -> bytes:
    # By the thread that searched: the event loop has others to serve.
    return msgspec.json.encode(_searched(newsroom, query, asked))


def _searched(newsroom: Newsroom, query: Query, asked: SearchParameters) -> Page:
    found = newsroom.index.search(query)
    meant = replace(asked.q, [(one.match, one.word) for one in found.corrections]) if found.corrections else None
    return _page(found, asked.fields, meant)


async def suggest(call: Call[SuggestParameters]) -> Reply:
    asked = call.parameters
    typed = Typed(
        text=asked.q, view=asked.view or None, filters=[_filter(text) for text in asked.filter], limit=asked.limit
    )
    found = await call.searching(call.newsroom.index.suggest, typed)
    return Reply(
        SuggestionList(
            found.applied_through,
            found.generation,
            [CompletedText(completion.text, completion.count) for completion in found.completions],
            [SuggestedView(hit.view, hit.uri, hit.version, _date(hit), _marked(hit.highlights)) for hit in found.hits],
        )
    )


async def related(call: Call[RelatedParameters]) -> Reply:
    asked = call.parameters
    found = await call.searching(call.newsroom.index.related, asked.view, asked.uri, asked.limit)
    if found is None:
        raise NotThere(f"there is no view {asked.view} of {asked.uri}")
    if asked.fields:
        await call.in_thread(_check_fields, call.newsroom, asked.view, asked.fields)
    return Reply(RelatedViews(found.applied_through, found.generation, [_hit(hit, asked.fields) for hit in found.hits]))


async def _wait(call: Call[Any], offset: int, seconds: float) -> None:
    watch = call.newsroom.watch
    if await watch.past(offset, 0):
        return
    last = await call.in_thread(call.newsroom.last_offset)
    if offset > last:
        raise Unusable(f"at_least: the log's last offset is {last}", "at_least")
    if not await watch.past(offset, seconds):
        raise IndexBehind("The index", offset, watch.seen, seconds)


def _filter(text: str) -> tuple[str, str]:
    at = min(place for place in (text.find(":"), text.find("=")) if place >= 0)
    return text[:at], text[at + 1 :]


def _day(name: str, text: str | msgspec.UnsetType, operator: str) -> Range:
    if text is msgspec.UNSET:
        return None, None
    try:
        return parse_range(operator + text)
    except ValueError:
        raise Unusable(f"{name}: {text[:100]!r} is no date; write {_DAY}", name) from None


def _ranges(newsroom: Newsroom, asked: SearchParameters) -> list[Between]:
    with newsroom.reading() as reader:
        catalog = reader.catalog
    views = [view for name, view in catalog.views.items() if (asked.view or name) == name]
    found: list[Between] = []
    for text in asked.range:
        field, bounds = _filter(text)
        types = [
            type_
            for view in views
            if field in view.search.facets
            for type_ in content_types(catalog.kinds, view, field)
        ]
        is_time = all(type_.search_class == "time" for type_ in types)
        try:
            first, last = _times(bounds) if types and is_time else _numbers(bounds)
        except ValueError:
            told = "write FIRST..LAST, whole numbers, or for a field of times dates; one may be left out"
            raise Unusable(f"range: {text[:100]!r}: {told}", "range") from None
        found.append(Between(field, first, last))
    return found


def _times(text: str) -> Range:
    first, behind = parse_range(text)
    return first, None if behind is None else behind - 1


def _numbers(text: str) -> Range:
    first, dots, last = text.partition("..")
    if not dots or not (first or last):
        raise ValueError(text)
    return (int(first) if first else None, int(last) if last else None)


def _check_fields(newsroom: Newsroom, searched: str | None, fields: tuple[str, ...]) -> None:
    with newsroom.reading() as reader:
        catalog = reader.catalog
    roots = {view.root for name, view in catalog.views.items() if searched in {None, name}}
    known = {"uri"}.union(*(catalog.kinds[root].record.fields for root in roots))
    for field in fields:
        if field not in known:
            raise Unusable(f"fields: {field[:100]!r} is in no view that is searched", "fields", sorted(known))


def _page(found: Results, fields: tuple[str, ...], meant: str | None) -> Page:
    return Page(
        found.total,
        found.applied_through,
        found.generation,
        found.cursor,
        {field: [FacetCount(*count) for count in counts] for field, counts in found.facets.items()},
        [_hit(hit, fields) for hit in found.hits],
        meant,
    )


def _hit(hit: Hit, fields: tuple[str, ...]) -> Found:
    content = hit.content
    if fields:
        whole = cast("dict[str, Any]", orjson.loads(content))
        content = orjson.dumps({name: value for name, value in whole.items() if name in fields})
    return Found(hit.view, hit.uri, hit.version, hit.score, _date(hit), _marked(hit.highlights), msgspec.Raw(content))


def _date(hit: Hit) -> str | None:
    return None if hit.date is None else datetime.fromtimestamp(hit.date, UTC).isoformat().replace("+00:00", "Z")


def _marked(highlights: Mapping[str, Highlight]) -> dict[str, Marked]:
    return {path: Marked(one.fragment, list(one.marks)) for path, one in highlights.items()}


ENDPOINTS: Final[list[Endpoint[Any]]] = [
    Endpoint(
        "GET",
        "/v1/search",
        "search",
        "Search the views",
        search,
        {200: ("A page of what was found", Page)},
        SearchParameters,
        scopes=("search",),
        problems=(503,),
    ),
    Endpoint(
        "GET",
        "/v1/suggest",
        "suggest",
        "Complete what is being typed, and find views that begin so",
        suggest,
        {200: ("What somebody may be about to type, and to find", SuggestionList)},
        SuggestParameters,
        scopes=("search",),
        problems=(503,),
    ),
    Endpoint(
        "GET",
        "/v1/related/{view}/{uri}",
        "related",
        "Views that are like one",
        related,
        {200: ("Views of the same kind, most like it first", RelatedViews)},
        RelatedParameters,
        scopes=("search",),
        problems=(404, 503),
    ),
]

"""The New York Times' Article Search and Archive, answered by the catalog's `[nyt]` interface."""

import time
from html import escape
from typing import Annotated, Any, Final, Literal

import msgspec
from starlette.requests import Request

from assets.interfaces import NYT_FACETS, STORIES, Shape
from indexers.dates import parse_range
from indexers.limits import FACET_SIZE_MAX, QUERY_CHARACTERS_MAX
from indexers.port import Facet, Highlight, Hit, Sort
from publog.server.compatible.nyt_filters import ALIASES, filtered
from publog.server.compatible.nyt_manners import KeyParameters, interface, reading, rights
from publog.server.compatible.serving import Served, Shelf, both, words
from publog.server.endpoints import Call, Reply
from publog.server.limits import (
    NYT_FACET_TERMS,
    NYT_FACETS_MAX,
    NYT_MONTH_STORIES_MAX,
    NYT_PAGE_HITS,
    NYT_PAGE_MAX,
)
from publog.server.problems import Unusable

_DIGITS: Final = "^[0-9]{8}$"
_ON: Final = ("true", "1")

_GENERATED_AGENT: Final = "python-requests/"
_GENERATED_ORDER: Final = (
    *("begin_date", "end_date", "facet", "facet_fields", "facet_filter"),
    *("fl", "fq", "page", "q", "sort", "api-key"),
)

Switch = Literal["true", "false", "1", "0"]


class ArticleParameters(KeyParameters, frozen=True, kw_only=True):
    q: Annotated[
        str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description='Words, "phrases", AND, OR, NOT, (groups).')
    ] = ""
    fq: Annotated[
        str,
        msgspec.Meta(
            max_length=QUERY_CHARACTERS_MAX,
            description='Lucene-like: section_name:("Arts" "City") AND NOT word_count:[1 TO 100].',
        ),
    ] = ""
    begin_date: (
        Annotated[str, msgspec.Meta(pattern=_DIGITS, description="YYYYMMDD, this day included.", examples=["20260101"])]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    end_date: (
        Annotated[str, msgspec.Meta(pattern=_DIGITS, description="YYYYMMDD, this day included.", examples=["20261231"])]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    sort: Annotated[
        Literal["newest", "oldest", "relevance", "best"], msgspec.Meta(description="The order; best is relevance.")
    ] = "relevance"
    page: Annotated[
        int, msgspec.Meta(ge=0, le=NYT_PAGE_MAX, description=f"Of {NYT_PAGE_HITS} documents, counted from 0.")
    ] = 0
    fl: Annotated[
        str,
        msgspec.Meta(max_length=1_000, description="Only these fields of a document, joined by commas.", examples=[""]),
    ] = ""
    hl: Annotated[Switch, msgspec.Meta(description="The snippet is what was found, marked up.")] = "false"
    facet: Annotated[Switch, msgspec.Meta(description="Whether to count facets.")] = "false"
    facet_fields: Annotated[
        str,
        msgspec.Meta(max_length=500, description="The facets to count, joined by commas.", examples=["section_name"]),
    ] = ""
    facet_field: Annotated[
        str, msgspec.Meta(max_length=500, description="The former name of facet_fields.", examples=["source"])
    ] = ""
    facet_filter: Annotated[Switch, msgspec.Meta(description="Whether fq and dates hold for the counts too.")] = "false"


class ArchiveParameters(KeyParameters, frozen=True, kw_only=True):
    year: Annotated[int, msgspec.Meta(ge=1, le=9999, description="A year.", examples=[2026])]
    month: Annotated[int, msgspec.Meta(ge=1, le=12, description="1 to 12.")]


class FacetTerm(msgspec.Struct):
    """A value, and how many documents have it."""

    term: str
    count: int


class FacetTerms(msgspec.Struct):
    """The most frequent values of a facet."""

    type: str = msgspec.field(name="_type")
    missing: int
    total: int
    other: int
    terms: list[FacetTerm]


class Meta(msgspec.Struct):
    """What was found as a whole."""

    hits: int
    offset: int
    time: int
    """Milliseconds."""


class Documents(msgspec.Struct, omit_defaults=True):
    """A page of documents. Clients of different years read meta or metadata."""

    docs: list[dict[str, Any]]
    meta: Meta
    metadata: Meta | msgspec.UnsetType = msgspec.UNSET
    facets: dict[str, FacetTerms] | msgspec.UnsetType = msgspec.UNSET


class Articles(msgspec.Struct):
    """An answer of Article Search, or of the Archive."""

    status: str
    copyright: str
    response: Documents


async def articles(call: Call[ArticleParameters]) -> Reply:
    reply = await call.in_thread(_articles, call)
    if is_generated_client(call.request):
        reply.value.response.metadata = reply.value.response.facets = msgspec.UNSET
    return reply


def is_generated_client(request: Request) -> bool:
    """Whether PyPI's nyt-article-search asks, by how it writes a request.

    It is generated from the API's official description and fails on what that has not, so it is told nothing else. Its
    requests name no client but the library that sends them: its parameters in its own order, the key behind them.
    """
    if not request.headers.get("user-agent", "").startswith(_GENERATED_AGENT):
        return False
    names = [name for name, _ in request.query_params.multi_items()]
    return names[-1:] == ["api-key"] and names == [name for name in _GENERATED_ORDER if name in names]


def _articles(call: Call[ArticleParameters]) -> Reply:
    asked = call.parameters
    begun = time.perf_counter()
    nyt = interface(call)
    stories = nyt.shelf(STORIES)
    fields = _fields(stories, asked.fl)
    names = _facet_names(asked)
    text = words(asked.q)
    filters = filtered(nyt, stories, asked.fq)
    since = None if asked.begin_date is msgspec.UNSET else _day("begin_date", asked.begin_date)[0]
    until = None if asked.end_date is msgspec.UNSET else _day("end_date", asked.end_date)[1]
    counted = [name for name in names if stories.has(name)]
    facets = [Facet(stories.paths(name)[0], FACET_SIZE_MAX) for name in counted]
    is_filtered = asked.facet_filter in _ON
    sort: Sort = "relevance" if asked.sort == "best" else asked.sort
    found = stories.search(
        both(text, filters),
        since=since,
        until=until,
        sort=sort,
        limit=NYT_PAGE_HITS,
        offset=asked.page * NYT_PAGE_HITS,
        highlight=asked.hl in _ON,
        facets=facets if is_filtered else (),
    )
    counts = found if is_filtered or not facets else stories.search(text, limit=0, facets=facets)
    shown = [_document(stories, hit, fields) for hit in found.hits]
    took = round((time.perf_counter() - begun) * 1e3)
    meta = Meta(found.total, asked.page * NYT_PAGE_HITS, took)
    told = Documents(shown, meta, meta)
    if asked.facet in _ON:
        terms = {name: counts.facets[stories.paths(name)[0]] for name in counted}
        told.facets = {name: _terms(terms.get(name, ()), counts.total) for name in names}
    return _answer(nyt, told)


def _answer(nyt: Served, documents: Documents) -> Reply:
    return Reply(Articles("OK", rights(nyt), documents))


def _fields(stories: Shelf, text: str) -> set[str] | None:
    """The fields of a document that are wanted; None for all."""
    if not text:
        return None
    shape = stories.collection.shapes["document"]
    known = sorted(shape.fields) if isinstance(shape, Shape) else []
    wanted = {name.strip() for name in text.split(",")}
    for name in sorted(wanted):
        if name not in known:
            raise Unusable(f"fl: a document has no field {name[:100]!r}; use {', '.join(known)}", "fl", known)
    return wanted


def _facet_names(asked: ArticleParameters) -> list[str]:
    text = ",".join(filter(None, (asked.facet_fields, asked.facet_field)))
    names = list(dict.fromkeys(ALIASES.get(name.strip(), name.strip()) for name in text.split(","))) if text else []
    for name in names:
        if name not in NYT_FACETS:
            told = f"facet_fields: {name[:100]!r} can't be counted; use {', '.join(NYT_FACETS)}"
            raise Unusable(told, "facet_fields", list(NYT_FACETS))
    if len(names) > NYT_FACETS_MAX:
        raise Unusable(f"facet_fields: there are {len(names)}; use at most {NYT_FACETS_MAX}", "facet_fields")
    return names if asked.facet in _ON else []


def _terms(counts: Any, hits: int) -> FacetTerms:
    """What is not among the first is `other`; `missing` is exact where a document has one value."""
    total = sum(count for _, count in counts)
    terms = [FacetTerm(value, count) for value, count in counts[:NYT_FACET_TERMS]]
    return FacetTerms("terms", max(hits - total, 0), total, total - sum(term.count for term in terms), terms)


def _document(stories: Shelf, hit: Hit, fields: set[str] | None) -> dict[str, Any]:
    document: dict[str, Any] = stories.show("document", hit)
    best = max(hit.highlights.values(), key=lambda one: len(one.marks), default=None)
    if best is not None and "snippet" in document:
        document["snippet"] = _marked(best)
    return document if fields is None else {name: value for name, value in document.items() if name in fields}


def _marked(highlight: Highlight) -> str:
    pieces: list[str] = []
    at = 0
    for begin, end in highlight.marks:
        pieces += [escape(highlight.fragment[at:begin]), "<strong>", escape(highlight.fragment[begin:end]), "</strong>"]
        at = end
    return "".join([*pieces, escape(highlight.fragment[at:])])


def _day(name: str, digits: str) -> tuple[int | None, int | None]:
    try:
        return parse_range(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
    except ValueError:
        raise Unusable(f"{name}: {digits} is no day; write YYYYMMDD", name) from None


async def archive(call: Call[ArchiveParameters]) -> Reply:
    return await call.in_thread(_archive, call)


def _archive(call: Call[ArchiveParameters]) -> Reply:
    asked = call.parameters
    begun = time.perf_counter()
    nyt = interface(call)
    stories = nyt.shelf(STORIES)
    since, until = parse_range(f"{asked.year:04}-{asked.month:02}")
    hits = stories.all(None, NYT_MONTH_STORIES_MAX, since=since, until=until, sort="oldest")
    documents = [_document(stories, hit, None) for hit in hits]
    meta = Meta(len(documents), 0, round((time.perf_counter() - begun) * 1e3))
    return _answer(nyt, Documents(documents, meta, meta))


ENDPOINTS: Final = [
    reading(
        "/svc/search/v2/articlesearch.json",
        "nyt_article_search",
        "The New York Times' Article Search",
        articles,
        Articles,
        ArticleParameters,
    ),
    reading(
        "/svc/archive/v1/{year}/{month}.json",
        "nyt_archive",
        "The New York Times' Archive: every story of a month",
        archive,
        Articles,
        ArchiveParameters,
    ),
]

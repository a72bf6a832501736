"""The New York Times' Article Search, Archive and Times Newswire, answered by the catalog's `[nyt]` interface."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Annotated, Any, Final, Literal

import msgspec

from assets.interfaces import NYT_FACETS, STORIES, Shape
from indexers.dates import parse_range
from indexers.errors import InvalidQuery
from indexers.limits import FACET_SIZE_MAX, OFFSET_MAX, QUERY_CHARACTERS_MAX
from indexers.port import Facet, Highlight, Hit, Sort
from indexers.query import All, AnyOf, Dated, Exact, Expression, Match
from publog.server.compatible.boolean import to_query
from publog.server.compatible.fq import Filter, Present, Span, Term, parse_fq
from publog.server.compatible.serving import Served, Shelf, both, served, words
from publog.server.compatible.templates import slug
from publog.server.endpoints import Call, Endpoint, Manners, Parameters, Reply
from publog.server.limits import (
    NEWSWIRE_HOURS_MAX,
    NEWSWIRE_LIMIT_MAX,
    NYT_FACET_TERMS,
    NYT_FACETS_MAX,
    NYT_MONTH_STORIES_MAX,
    NYT_PAGE_HITS,
    NYT_PAGE_MAX,
    TAGS_MEANT_MAX,
)
from publog.server.problems import NotThere, Problem, Unusable

_NAME: Final = "nyt"
_TAGS: Final = ("subject", "persons", "organizations", "glocations", "creative_works")
_TEXTS: Final = ("headline", "body", "byline")
_ALIASES: Final = {
    "headline.search": "headline",
    "body.search": "body",
    "desk": "news_desk",
    "newsdesk": "news_desk",
    "section.name": "section_name",
    "subsection.name": "subsection_name",
    "typeOfMaterials": "type_of_material",
    "glocation": "glocations",
    "timesTag.subject": "subject",
    "timesTag.person": "persons",
    "timesTag.organization": "organizations",
    "timesTag.location": "glocations",
    "timesTag.creative_work": "creative_works",
}
"""Other names that clients know a field by."""

_CONTAINS: Final = ".contains"
_EVERY_SOURCE: Final = ("all", "nyt", "inyt")
_DIGITS: Final = "^[0-9]{8}$"
_NUMBER_DIGITS_MAX: Final = 18

_ON: Final = ("true", "1")

Switch = Literal["true", "false", "1", "0"]


class FaultDetail(msgspec.Struct):
    errorcode: str


class FaultText(msgspec.Struct):
    faultstring: str
    detail: FaultDetail


class Fault(msgspec.Struct):
    """An error, as the New York Times' APIs have it."""

    fault: FaultText


def _fault(problem: Problem) -> Fault:
    document = problem.document
    return Fault(FaultText(document.detail, FaultDetail(document.type)))


MANNERS: Final = Manners(Fault, _fault, {422: 400}, key_parameter="api-key")

Key = Annotated[
    str, msgspec.Meta(max_length=200, description="A key; any text where this newsroom never made one, on its machine.")
]


class KeyParameters(Parameters, frozen=True):
    key: Key | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="api-key")


class ArticleParameters(Parameters, frozen=True):
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
    key: Key | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="api-key")


class ArchiveParameters(Parameters, frozen=True):
    year: Annotated[int, msgspec.Meta(ge=1, le=9999, description="A year.", examples=[2026])]
    month: Annotated[int, msgspec.Meta(ge=1, le=12, description="1 to 12.")]
    key: Key | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="api-key")


class UrlParameters(Parameters, frozen=True):
    url: Annotated[str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description="The address of a story's page.")]
    key: Key | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="api-key")


Source = Annotated[
    str, msgspec.Meta(description="all, nyt and inyt are every source; else one in lower case, hyphens.")
]
Section = Annotated[str, msgspec.Meta(description="all, or one of section-list.json.")]


class WireParameters(Parameters, frozen=True):
    source: Source
    section: Section
    limit: Annotated[int, msgspec.Meta(ge=1, le=NEWSWIRE_LIMIT_MAX, description="Items.")] = NEWSWIRE_LIMIT_MAX
    offset: Annotated[int, msgspec.Meta(ge=0, le=OFFSET_MAX, description="Items to leave out.")] = 0
    key: Key | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="api-key")


class PeriodParameters(Parameters, frozen=True):
    source: Source
    section: Section
    period: Annotated[int, msgspec.Meta(ge=1, le=NEWSWIRE_HOURS_MAX, description="Only of the last hours.")]
    limit: Annotated[int, msgspec.Meta(ge=1, le=NEWSWIRE_LIMIT_MAX, description="Items.")] = NEWSWIRE_LIMIT_MAX
    offset: Annotated[int, msgspec.Meta(ge=0, le=OFFSET_MAX, description="Items to leave out.")] = 0
    key: Key | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="api-key")


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
    """A page of documents. Clients of different years read meta or metadata; strict ones know only meta."""

    docs: list[dict[str, Any]]
    meta: Meta
    metadata: Meta | msgspec.UnsetType = msgspec.UNSET
    facets: dict[str, FacetTerms] | msgspec.UnsetType = msgspec.UNSET


class Articles(msgspec.Struct):
    """An answer of Article Search, or of the Archive."""

    status: str
    copyright: str
    response: Documents


class Items(msgspec.Struct):
    """An answer of the Times Newswire."""

    status: str
    copyright: str
    num_results: int
    results: list[dict[str, Any]]


async def articles(call: Call[ArticleParameters]) -> Reply:
    return await call.in_thread(_articles, call)


async def strict_articles(call: Call[ArticleParameters]) -> Reply:
    if call.parameters.facet in _ON:
        raise Unusable(
            "facet: the official description has no facets in an answer; ask /svc/search/v2 for them", "facet"
        )
    reply = await call.in_thread(_articles, call)
    reply.value.response.metadata = msgspec.UNSET
    return reply


def _articles(call: Call[ArticleParameters]) -> Reply:
    asked = call.parameters
    begun = time.perf_counter()
    nyt = served(call.newsroom, _NAME)
    stories = nyt.shelf(STORIES)
    fields = _fields(stories, asked.fl)
    names = _facet_names(asked)
    text = words(asked.q)
    condition = parse_fq(asked.fq)
    filters = None if condition is None else to_query(condition, lambda leaf: _leaf(nyt, stories, leaf))
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
    return Reply(Articles("OK", nyt.interface.settings.get("copyright", ""), documents))


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
    names = list(dict.fromkeys(_ALIASES.get(name.strip(), name.strip()) for name in text.split(","))) if text else []
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


def _leaf(nyt: Served, stories: Shelf, leaf: Filter) -> Expression:
    """What one condition of fq asks of the index."""
    field = leaf.field
    if field is None:
        assert isinstance(leaf, Term)
        return Match(leaf.text)
    contains = field.endswith(_CONTAINS)
    name = field.removesuffix(_CONTAINS)
    name = _ALIASES.get(name, name)
    if name == "pub_date":
        return _dated(leaf)
    if name in _TAGS:
        return _tagged(nyt, stories, name, leaf, contains=contains)
    if not stories.has(name) or name == "tags":
        known = sorted({*stories.collection.search, *_TAGS, "pub_date"} - {"tags"})
        raise InvalidQuery(f"There is no field {field[:100]!r} to filter by", f"Use {', '.join(known)}", leaf.position)
    match leaf:
        case Present():
            return stories.present(name)
        case Span():
            return stories.between(
                name, _number(leaf.first, leaf, leaf.with_first), _number(leaf.last, leaf, leaf.with_last)
            )
        case Term():
            if name in _TEXTS:
                return stories.words(name, leaf.text)
            if contains:
                return _containing(stories, name, leaf.text)
            return stories.value(name, leaf.text)


def _number(text: str | None, span: Span, is_included: bool) -> int | None:
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _NUMBER_DIGITS_MAX):
        raise InvalidQuery(f"{text[:100]!r} is no whole number", f"Write {span.field}:[1 TO 100]", span.position)
    return int(text) if is_included else int(text) + (1 if text == span.first else -1)


def _dated(leaf: Filter) -> Expression:
    if isinstance(leaf, Present):
        return Dated(None, None)

    def period(text: str) -> tuple[int | None, int | None]:
        try:
            if ".." in text:
                raise ValueError(text)
            return parse_range(text)
        except ValueError:
            raise InvalidQuery(f"{text[:100]!r} is no date", "Write 2026-03-13 or a timestamp", leaf.position) from None

    if isinstance(leaf, Term):
        return Dated(*period(leaf.text))
    since = None if leaf.first is None else period(leaf.first)[0 if leaf.with_first else 1]
    until = None if leaf.last is None else period(leaf.last)[1 if leaf.with_last else 0]
    return Dated(since, until)


def _containing(stories: Shelf, name: str, text: str) -> Expression:
    """The field has a value with these words in it."""
    wanted = set(slug(text).split("-"))
    matching = [value for value, _ in stories.values(name) if wanted <= set(slug(value).split("-"))]
    return AnyOf(tuple(Exact(path, value) for value in matching for path in stories.paths(name)))


def _tagged(nyt: Served, stories: Shelf, name: str, leaf: Filter, *, contains: bool) -> Expression:
    """The story has a tag of this sort."""
    tags = nyt.shelf("tags")
    types = [
        AnyOf(tuple(tags.value("type", type_) for type_, called in tags.collection.types.items() if called == name))
    ]
    match leaf:
        case Span():
            raise InvalidQuery(f"{name} is in no order", f'Write {name}:("A" "B")', leaf.position)
        case Present():
            found = tags.all(types[0], TAGS_MEANT_MAX)
        case Term():
            # The exact name is one that has these words, side by side, and nothing else.
            named = (
                [tags.words("name", word) for word in leaf.text.split()]
                if contains
                else [tags.words("name", leaf.text)]
            )
            found = tags.all(All((*types, *named)), TAGS_MEANT_MAX)
    is_meant: Callable[[Hit], bool] = lambda hit: contains or leaf_text(leaf) in (None, tags.show("name", hit))  # noqa: E731
    uris = [hit.uri for hit in found if is_meant(hit)]
    return AnyOf(tuple(Exact(path, uri) for uri in uris for path in stories.paths("tags")))


def leaf_text(leaf: Filter) -> str | None:
    """The text of a term."""
    return leaf.text if isinstance(leaf, Term) else None


async def archive(call: Call[ArchiveParameters]) -> Reply:
    return await call.in_thread(_archive, call)


def _archive(call: Call[ArchiveParameters]) -> Reply:
    asked = call.parameters
    begun = time.perf_counter()
    nyt = served(call.newsroom, _NAME)
    stories = nyt.shelf(STORIES)
    since, until = parse_range(f"{asked.year:04}-{asked.month:02}")
    hits = stories.all(None, NYT_MONTH_STORIES_MAX, since=since, until=until, sort="oldest")
    documents = [_document(stories, hit, None) for hit in hits]
    meta = Meta(len(documents), 0, round((time.perf_counter() - begun) * 1e3))
    return _answer(nyt, Documents(documents, meta, meta))


async def by_url(call: Call[UrlParameters]) -> Reply:
    return await call.in_thread(_by_url, call)


def _by_url(call: Call[UrlParameters]) -> Reply:
    nyt = served(call.newsroom, _NAME)
    stories = nyt.shelf(STORIES)
    found = stories.search(stories.value("web_url", call.parameters.url), sort="newest", limit=NEWSWIRE_LIMIT_MAX)
    if not found.hits:
        raise NotThere(f"there is no story at {call.parameters.url[:300]!r}")
    return _items(nyt, [stories.show("item", hit) for hit in found.hits])


async def wire(call: Call[Any]) -> Reply:
    return await call.in_thread(_wire, call)


def _wire(call: Call[WireParameters | PeriodParameters]) -> Reply:
    asked = call.parameters
    nyt = served(call.newsroom, _NAME)
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
    nyt = served(call.newsroom, _NAME)
    values = sorted(value for value, _ in nyt.shelf(STORIES).values("section_name"))
    return _items(nyt, [{"section": slug(value), "display_name": value} for value in values])


def _items(nyt: Served, results: list[dict[str, Any]]) -> Reply:
    return Reply(Items("OK", nyt.interface.settings.get("copyright", ""), len(results), results))


def _get(path: str, name: str, summary: str, handle: Any, answer: Any, parameters: Any) -> Endpoint[Any]:
    return Endpoint(
        "GET",
        path,
        name,
        summary,
        handle,
        {200: ("As the New York Times' API has it", answer)},
        parameters,
        scopes=("search",),
        problems=(404, 503),
        manners=MANNERS,
    )


ENDPOINTS: Final = [
    _get(
        "/svc/search/v2/articlesearch.json",
        "nyt_article_search",
        "The New York Times' Article Search",
        articles,
        Articles,
        ArticleParameters,
    ),
    _get(
        "/svc/search/v2/strict/articlesearch.json",
        "nyt_article_search_strict",
        "The same for clients that refuse what the official description has not: meta alone, no facets",
        strict_articles,
        Articles,
        ArticleParameters,
    ),
    _get(
        "/svc/archive/v1/{year}/{month}.json",
        "nyt_archive",
        "The New York Times' Archive: every story of a month",
        archive,
        Articles,
        ArchiveParameters,
    ),
    _get(
        "/svc/news/v3/content.json",
        "nyt_newswire_by_url",
        "Times Newswire: a story by its page",
        by_url,
        Items,
        UrlParameters,
    ),
    _get(
        "/svc/news/v3/content/section-list.json",
        "nyt_sections",
        "Times Newswire: the sections",
        sections,
        Items,
        KeyParameters,
    ),
    _get(
        "/svc/news/v3/content/{source}/{section}.json",
        "nyt_newswire",
        "Times Newswire: the latest stories",
        wire,
        Items,
        WireParameters,
    ),
    _get(
        "/svc/news/v3/content/{source}/{section}/{period}.json",
        "nyt_newswire_of_hours",
        "Times Newswire: the latest stories of so many hours",
        wire,
        Items,
        PeriodParameters,
    ),
]

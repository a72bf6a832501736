"""The Guardian's content API, answered by the catalog's `[guardian]` interface."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, cast

import msgspec

from assets.errors import InvalidUri
from assets.interfaces import GUARDIAN_TEXTS, STORIES, Shape
from assets.model import check_uri
from indexers.dates import parse_range, seconds_of
from indexers.errors import InvalidQuery
from indexers.limits import OFFSET_MAX, QUERY_CHARACTERS_MAX
from indexers.port import Hit, Results, Sort
from indexers.query import AnyOf, Exact, Expression
from publog.server.compatible.boolean import holds, parse_list, to_query
from publog.server.compatible.serving import Served, Shelf, both, content_of, served, within, words
from publog.server.compatible.templates import fill, slug, uri_of
from publog.server.endpoints import Call, Endpoint, Manners, Parameters, Reply
from publog.server.limits import GUARDIAN_IDS_MAX, GUARDIAN_PAGE_SIZE_MAX
from publog.server.problems import NotThere, Problem, Unusable

_NAME: Final = "guardian"
_CONTRIBUTOR: Final = "contributor"
_PAGE_SIZE: Final = 10

TAG_TYPES: Final = (
    "blog", "contributor", "keyword", "newspaper-book", "newspaper-book-section", "publication", "series", "tone", "type",
)  # fmt: skip
ELEMENT_TYPES: Final = ("audio", "image", "video")
FIELDS: Final = (
    "trailText", "headline", "showInRelatedContent", "body", "bodyText", "lastModified", "hasStoryPackage", "score",
    "standfirst", "shortUrl", "thumbnail", "wordcount", "charCount", "commentable", "isPremoderated", "allowUgc", "byline",
    "publication", "internalPageCode", "productionOffice", "shouldHideAdverts", "liveBloggingNow", "commentCloseDate",
    "starRating",
)  # fmt: skip
"""Fields that the API has; of these and of its own a catalog fills what it maps."""

_BLOCKS: Final = re.compile(r"(main|body|all)\Z|body:(latest|oldest)(:[0-9]{1,4})?\Z|body:key-events\Z|body:.+\Z")


class ErrorResponse(msgspec.Struct):
    status: str
    message: str


class GuardianError(msgspec.Struct):
    """An error, as the Guardian's API has it."""

    message: str
    response: ErrorResponse


def _error(problem: Problem) -> GuardianError:
    detail = problem.document.detail
    return GuardianError(detail, ErrorResponse("error", detail))


MANNERS: Final = Manners(GuardianError, _error, {422: 400}, key_parameter="api-key")


def _list(what: str, example: str) -> msgspec.Meta:
    description = f"{what}: a,b is both, a|b either, -a not, () group."
    return msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description=description, examples=[example])


class _Common(Parameters, frozen=True, rename="kebab"):
    api_key: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=200, description="A key; any text where this newsroom never made one, on its machine."
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    format: Annotated[Literal["json"], msgspec.Meta(description="Only JSON is given.")] = "json"


class _Shown(_Common, frozen=True, rename="kebab"):
    show_fields: Annotated[
        str, msgspec.Meta(max_length=1_000, description="all, or names joined by commas.", examples=["all"])
    ] = ""
    show_tags: Annotated[
        str, msgspec.Meta(max_length=1_000, description=f"all, or of {', '.join(TAG_TYPES)}.", examples=["all"])
    ] = ""
    show_elements: Annotated[
        str, msgspec.Meta(max_length=1_000, description=f"all, or of {', '.join(ELEMENT_TYPES)}.", examples=["all"])
    ] = ""
    show_blocks: Annotated[
        str,
        msgspec.Meta(
            max_length=1_000,
            description="main, body, all, body:latest, body:oldest, body:ID, body:around:ID, body:key-events, body:published-since:MS.",
            examples=["all"],
        ),
    ] = ""
    show_section: Annotated[Literal["true", "false"], msgspec.Meta(description="Whether to show the section.")] = (
        "false"
    )


class _Listed(_Shown, frozen=True, rename="kebab"):
    q: Annotated[
        str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description='Words, "phrases", AND, OR, NOT, (groups).')
    ] = ""
    query_fields: Annotated[
        str,
        msgspec.Meta(
            max_length=1_000,
            description=f"Where q is looked for: of {', '.join(GUARDIAN_TEXTS)}.",
            examples=["headline"],
        ),
    ] = ""
    section: Annotated[str, _list("Sections", "city")] = ""
    tag: Annotated[str, _list("Tags", "news/tag/floods")] = ""
    production_office: Annotated[str, _list("Offices", "x")] = ""
    lang: Annotated[str, _list("Languages", "en")] = ""
    star_rating: Annotated[
        str, msgspec.Meta(max_length=100, description="1 to 5; several joined by |.", examples=["5"])
    ] = ""
    ids: Annotated[
        str,
        msgspec.Meta(
            max_length=20_000, description=f"At most {GUARDIAN_IDS_MAX} ids, joined by commas.", examples=[""]
        ),
    ] = ""
    from_date: Annotated[
        str, msgspec.Meta(max_length=100, description="A day or timestamp, included.", examples=["2026-01-01"])
    ] = ""
    to_date: Annotated[
        str, msgspec.Meta(max_length=100, description="A day or timestamp, included.", examples=["2026-12-31"])
    ] = ""
    use_date: Annotated[
        Literal["published", "first-publication", "newspaper-edition", "last-modified"],
        msgspec.Meta(description="Which date from-date and to-date mean."),
    ] = "published"
    order_by: (
        Annotated[Literal["newest", "oldest", "relevance"], msgspec.Meta(description="relevance with q, else newest.")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    order_date: Annotated[
        Literal["published"], msgspec.Meta(description="Which date newest and oldest mean: there is one order.")
    ] = "published"
    page_size: Annotated[int, msgspec.Meta(ge=1, le=GUARDIAN_PAGE_SIZE_MAX, description="Results on a page.")] = (
        _PAGE_SIZE
    )


class StoriesParameters(_Listed, frozen=True, rename="kebab"):
    page: Annotated[int, msgspec.Meta(ge=1, description="Counted from 1.")] = 1


class NextParameters(_Listed, frozen=True, rename="kebab"):
    id: Annotated[str, msgspec.Meta(description="The last result so far.", examples=["news/article/1"])] = ""


class ItemParameters(_Listed, frozen=True, rename="kebab"):
    id: Annotated[str, msgspec.Meta(description="Of a story, a tag or a section.", examples=["news/article/1"])] = ""
    page: Annotated[int, msgspec.Meta(ge=1, description="Counted from 1; of a tag's or section's stories.")] = 1


class TagParameters(_Common, frozen=True, rename="kebab"):
    q: Annotated[str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description="Words of tags.")] = ""
    web_title: Annotated[str, msgspec.Meta(max_length=1_000, description="Words of the tag's name, side by side.")] = ""
    type: Annotated[str, _list("Types of tags", "keyword")] = ""
    section: Annotated[str, _list("Sections", "city")] = ""
    page: Annotated[int, msgspec.Meta(ge=1, description="Counted from 1.")] = 1
    page_size: Annotated[int, msgspec.Meta(ge=1, le=GUARDIAN_PAGE_SIZE_MAX, description="Tags on a page.")] = _PAGE_SIZE


class NameParameters(_Common, frozen=True, rename="kebab"):
    q: Annotated[str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description="A part of the name.")] = ""


class Answer(msgspec.Struct, omit_defaults=True, rename="camel"):
    """An answer; which parts it has depends on what was asked."""

    status: str = msgspec.field(default="")
    user_tier: str | msgspec.UnsetType = msgspec.UNSET
    total: int | msgspec.UnsetType = msgspec.UNSET
    start_index: int | msgspec.UnsetType = msgspec.UNSET
    page_size: int | msgspec.UnsetType = msgspec.UNSET
    current_page: int | msgspec.UnsetType = msgspec.UNSET
    pages: int | msgspec.UnsetType = msgspec.UNSET
    order_by: str | msgspec.UnsetType = msgspec.UNSET
    tag: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    section: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    content: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    results: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class Enveloped(msgspec.Struct):
    """Every answer of the Guardian's API."""

    response: Answer


@dataclass(frozen=True)
class _Guardian:
    """The interface, and how its ids become addresses here."""

    served: Served
    base: str

    @property
    def stories(self) -> Shelf:
        return self.served.shelf(STORIES)

    def answer(self, **parts: Any) -> Reply:
        tier = self.served.interface.settings.get("user_tier", "developer")
        return Reply(Enveloped(Answer("ok", tier, **parts)))

    def addressed(self, document: Any) -> dict[str, Any]:
        """A document with its address in this API, without what it has not."""
        given = _without_nulls(document)
        given.setdefault("webUrl", f"{self.base}/{given.get('id', '')}")
        given["apiUrl"] = f"{self.base}/{given.get('id', '')}"
        return given


def _opened(call: Call[Any]) -> _Guardian:
    url = call.request.url
    return _Guardian(served(call.newsroom, _NAME), f"{url.scheme}://{url.netloc}")


async def search(call: Call[StoriesParameters]) -> Reply:
    return await call.in_thread(_search, call)


def _search(call: Call[StoriesParameters]) -> Reply:
    guardian = _opened(call)
    return guardian.answer(**_page(guardian, call.parameters, None))


async def following(call: Call[NextParameters]) -> Reply:
    return await call.in_thread(_following, call)


def _following(call: Call[NextParameters]) -> Reply:
    asked = call.parameters
    guardian = _opened(call)
    found = _found(guardian, asked, None, after=uri_of(asked.id))
    results = [_story(guardian, hit, asked) for hit in found.hits]
    return guardian.answer(
        total=found.total,
        page_size=asked.page_size,
        pages=_pages(found.total, asked.page_size),
        order_by=_order(asked),
        results=results,
    )


async def item(call: Call[ItemParameters]) -> Reply:
    return await call.in_thread(_item, call)


def _item(call: Call[ItemParameters]) -> Reply:
    asked = call.parameters
    guardian = _opened(call)
    uri = uri_of(asked.id)
    try:
        check_uri(uri)
    except InvalidUri:
        return _of_section(guardian, asked)
    stories = guardian.stories
    story = stories.search(stories.value("id", uri), limit=1).hits
    if story:
        _check_only_story(asked)
        return guardian.answer(total=1, content=_story(guardian, story[0], asked))
    for name in ("tags", "contributors"):
        shelf = guardian.served.shelves.get(name)
        found = None if shelf is None else shelf.index.get(shelf.collection.view, uri)
        if shelf is not None and found is not None and found.state == "live":
            tag = guardian.addressed(fill(shelf.collection.shapes["item"], msgspec.json.decode(found.content)))
            return guardian.answer(tag=tag, **_page(guardian, asked, stories.value("tag", uri)))
    raise _no_item(asked.id)


def _of_section(guardian: _Guardian, asked: ItemParameters) -> Reply:
    names = [name for name, _ in guardian.stories.values("section") if slug(name) == asked.id]
    if not names:
        raise _no_item(asked.id)
    of_it = AnyOf(tuple(guardian.stories.value("section", name) for name in names))
    section = guardian.addressed({"id": asked.id, "webTitle": names[0]})
    return guardian.answer(section=section, **_page(guardian, asked, of_it))


def _no_item(id_: str) -> NotThere:
    return NotThere(f"there is no story, tag or section {id_[:300]!r} here")


def _check_only_story(asked: ItemParameters) -> None:
    given = {name for name in _Listed.__struct_fields__ if getattr(asked, name) != _DEFAULTS[name]}
    for name in sorted(given - set(_Shown.__struct_fields__)):
        shown = name.replace("_", "-")
        raise Unusable(f"{shown}: a story is one item; this is for the stories of a tag or section", shown)


_DEFAULTS: Final = dict(
    zip(
        _Listed.__struct_fields__,
        (getattr(_Listed(), name) for name in _Listed.__struct_fields__),
        strict=True,
    )
)


def _page(guardian: _Guardian, asked: StoriesParameters | ItemParameters, more: Expression | None) -> dict[str, Any]:
    """The parts of an answer that is a page of stories."""
    offset = _offset(asked.page, asked.page_size)
    found = _found(guardian, asked, more, offset=offset)
    return {
        **_counted(found.total, asked.page, asked.page_size),
        "order_by": _order(asked),
        "results": [_story(guardian, hit, asked) for hit in found.hits],
    }


def _offset(page: int, size: int) -> int:
    offset = (page - 1) * size
    if offset > OFFSET_MAX:
        raise Unusable(f"page: pages go to result {OFFSET_MAX:,}; go on by /content/{{id}}/next", "page")
    return offset


def _pages(total: int, size: int) -> int:
    return -(-total // size)


def _counted(total: int, page: int, size: int) -> dict[str, int]:
    pages = _pages(total, size)
    if page > max(pages, 1):
        raise Unusable("requested page is beyond the number of available pages", "page")
    start = (page - 1) * size + 1 if total else 0
    return {"total": total, "start_index": start, "page_size": size, "current_page": page, "pages": pages}


def _order(asked: _Listed) -> Sort:
    if asked.order_by is not msgspec.UNSET:
        return asked.order_by
    return "relevance" if asked.q.strip() else "newest"


def _found(guardian: _Guardian, asked: _Listed, more: Expression | None, **place: Any) -> Results:
    stories = guardian.stories
    text = words(asked.q)
    if text is not None and asked.query_fields:
        names = _names("query-fields", asked.query_fields, GUARDIAN_TEXTS)
        text = within(text, [path for name in names for path in stories.paths(name)])
    of_list: dict[str, Callable[[str], Expression]] = {
        "section": lambda id_: _of_slug(stories, "section", id_),
        "tag": lambda id_: stories.value("tag", uri_of(id_)),
        "production-office": lambda text: _of_slug(stories, "production-office", text),
        "lang": lambda text: stories.value("lang", text),
        "star-rating": lambda text: stories.value("star-rating", text),
    }
    given = (asked.section, asked.tag, asked.production_office, asked.lang, asked.star_rating)
    parts = [
        to_query(_list_of(name, value), of_leaf)
        for (name, of_leaf), value in zip(of_list.items(), given, strict=True)
        if value
    ]
    since = _day("from-date", asked.from_date, 0)
    until = _day("to-date", asked.to_date, 1)
    dated: dict[str, Any] = {}
    if since is not None or until is not None:
        if stories.paths(asked.use_date) == (stories.date,):
            dated = {"since": since, "until": until}
        else:
            parts.append(stories.between(asked.use_date, since, None if until is None else until - 1))
    elif asked.use_date != "published":
        raise Unusable("use-date: there is no from-date or to-date", "use-date")
    return stories.search(
        both(text, *parts, _ids(stories, asked.ids), more), sort=_order(asked), limit=asked.page_size, **dated, **place
    )


def _list_of(name: str, text: str) -> Any:
    try:
        return parse_list(text)
    except InvalidQuery as error:
        raise Unusable(f"{name}: {error}", name) from None


def _of_slug(shelf: Shelf, name: str, id_: str) -> Expression:
    meant = [value for value, _ in shelf.values(name) if slug(value) == slug(id_)]
    return AnyOf(tuple(shelf.value(name, value) for value in meant))


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


def _names(name: str, text: str, known: Iterable[str]) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for one in names:
        if one not in known:
            raise Unusable(f"{name}: {one[:100]!r} is none of {', '.join(known)}", name, list(known))
    return names


def _story(guardian: _Guardian, hit: Hit, asked: _Shown) -> dict[str, Any]:
    content = content_of(hit)
    shapes = guardian.stories.collection.shapes
    story = guardian.addressed(fill(shapes["item"], content))
    if asked.show_fields:
        shape = shapes["fields"]
        own = list(shape.fields) if isinstance(shape, Shape) else []
        names = _names("show-fields", asked.show_fields, list(dict.fromkeys(["all", *own, *FIELDS])))
        fields = cast("dict[str, Any]", _without_nulls(fill(shape, content)))
        story["fields"] = {name: value for name, value in fields.items() if "all" in names or name in names}
    if asked.show_tags:
        names = _names("show-tags", asked.show_tags, ("all", *TAG_TYPES))
        tags = [tag for tag in fill(shapes["tags"], content) if "all" in names or tag["type"] in names]
        story["tags"] = [guardian.addressed(tag) for tag in tags]
    if asked.show_elements:
        names = _names("show-elements", asked.show_elements, ("all", *ELEMENT_TYPES))
        elements = [one for one in fill(shapes["elements"], content) if "all" in names or one["type"] in names]
        story["elements"] = _without_nulls(elements)
    if asked.show_section == "true":
        section = _without_nulls(fill(shapes["section"], content))
        if section:
            story["section"] = guardian.addressed(section)
    if asked.show_blocks:
        story["blocks"] = _blocks(asked.show_blocks, content, guardian)
    return story


def _blocks(text: str, content: dict[str, Any], guardian: _Guardian) -> dict[str, Any]:
    """A story has one block of text, its main block is its picture."""
    shapes = guardian.stories.collection.shapes
    block = _without_nulls(fill(shapes["block"], content))
    blocks: dict[str, Any] = {"totalBodyBlocks": 1}
    for name in (part.strip() for part in text.split(",")):
        if not _BLOCKS.match(name):
            raise Unusable(f"show-blocks: {name[:100]!r} names no blocks; use all, main or body", "show-blocks")
        if name in ("main", "all"):
            main = [one for one in fill(shapes["elements"], content) if one["relation"] == "main"]
            if main:
                blocks["main"] = {"id": f"{block['id']}/main", "elements": _without_nulls(main)}
        if name in ("body", "all"):
            blocks["body"] = [block]
        elif name != "main":
            chosen = [block] if _is_chosen(name.removeprefix("body:"), block) else []
            blocks.setdefault("requestedBodyBlocks", {})[name] = chosen
    return blocks


def _is_chosen(which: str, block: dict[str, Any]) -> bool:
    kind, _, rest = which.partition(":")
    match kind:
        case "latest" | "oldest":
            return True
        case "key-events":
            return False
        case "published-since":
            published = seconds_of(block.get("publishedDate", ""))
            if not rest.isascii() or not rest.isdigit():
                raise Unusable("show-blocks: published-since takes milliseconds since 1970", "show-blocks")
            return published is not None and published * 1_000 >= int(rest)
        case "around":
            return rest.partition(":")[0] == block["id"]
        case _:
            return which == block["id"]


async def tags(call: Call[TagParameters]) -> Reply:
    return await call.in_thread(_tags, call)


def _tags(call: Call[TagParameters]) -> Reply:
    asked = call.parameters
    guardian = _opened(call)
    offset = _offset(asked.page, asked.page_size)
    results: list[dict[str, Any]] = []
    total = 0
    # One kind of tags behind the other.
    for name in ("tags", "contributors"):
        shelf = guardian.served.shelves.get(name)
        wanted = None if shelf is None else _tags_wanted(shelf, name, asked)
        if shelf is None or wanted is None:
            continue
        found = shelf.search(
            both(*wanted), sort="relevance", limit=asked.page_size - len(results), offset=max(offset - total, 0)
        )
        total += found.total
        results += [guardian.addressed(shelf.show("item", hit)) for hit in found.hits]
    return guardian.answer(**_counted(total, asked.page, asked.page_size), results=results)


def _tags_wanted(shelf: Shelf, name: str, asked: TagParameters) -> list[Expression | None] | None:
    """What is asked of one kind of tags; None where none of them can be wanted."""
    parts: list[Expression | None] = [words(asked.q), shelf.words("name", asked.web_title) if asked.web_title else None]
    if asked.type:
        condition = _list_of("type", asked.type)
        if shelf.has("type"):
            meant = [type_ for type_, called in shelf.collection.types.items() if holds(condition, called.__eq__)]
            parts.append(AnyOf(tuple(shelf.value("type", type_) for type_ in meant)))
        elif not holds(condition, name.removesuffix("s").__eq__):
            return None
    if asked.section:
        condition = _list_of("section", asked.section)
        if shelf.has("section"):
            parts.append(to_query(condition, lambda id_: _of_slug(shelf, "section", id_)))
        elif not holds(condition, lambda _id: False):
            return None
    return parts


async def sections(call: Call[NameParameters]) -> Reply:
    return await call.in_thread(_sections, call)


def _sections(call: Call[NameParameters]) -> Reply:
    guardian = _opened(call)
    results: list[dict[str, Any]] = []
    for name in _named(guardian, "section", call.parameters.q):
        section = guardian.addressed({"id": slug(name), "webTitle": name})
        results.append({**section, "editions": [{**section, "code": "default"}]})
    return guardian.answer(total=len(results), results=results)


async def editions(call: Call[NameParameters]) -> Reply:
    return await call.in_thread(_editions, call)


def _editions(call: Call[NameParameters]) -> Reply:
    """Each office that produces stories has an edition."""
    guardian = _opened(call)
    results = [
        guardian.addressed({"id": slug(name), "path": slug(name), "edition": name, "webTitle": name})
        for name in _named(guardian, "production-office", call.parameters.q)
    ]
    return guardian.answer(total=len(results), results=results)


def _named(guardian: _Guardian, name: str, q: str) -> list[str]:
    values = {slug(value): value for value, _ in reversed(guardian.stories.values(name)) if slug(value)}
    return [value for _, value in sorted(values.items()) if q.strip().casefold() in value.casefold()]


def _without_nulls(value: Any) -> Any:
    """A document without what it has not: this API leaves it out."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _without_nulls(inner) for name, inner in fields.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in cast("list[Any]", value)]
    return value


def _get(path: str, name: str, summary: str, handle: Any, parameters: Any) -> Endpoint[Any]:
    return Endpoint(
        "GET",
        path,
        name,
        summary,
        handle,
        {200: ("As the Guardian's API has it", Enveloped)},
        parameters,
        scopes=("search",),
        problems=(404, 503),
        manners=MANNERS,
    )


ENDPOINTS: Final = [
    _get("/search", "guardian_search", "The Guardian's API: stories", search, StoriesParameters),
    _get("/tags", "guardian_tags", "The Guardian's API: tags and contributors", tags, TagParameters),
    _get("/sections", "guardian_sections", "The Guardian's API: sections", sections, NameParameters),
    _get("/editions", "guardian_editions", "The Guardian's API: editions", editions, NameParameters),
    _get(
        "/content/{id:path}/next",
        "guardian_next",
        "The Guardian's API: what follows a result",
        following,
        NextParameters,
    ),
]

ITEM: Final = _get(
    "/{id:path}", "guardian_item", "The Guardian's API: a story, a tag or a section", item, ItemParameters
)

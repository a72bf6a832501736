"""The Guardian's content API: tags, sections and editions."""

from typing import Any, Final

from indexers.query import AnyOf, Expression
from publog.server.compatible.boolean import holds, to_query
from publog.server.compatible.guardian_lists import counted, list_of, of_slug, offset_of
from publog.server.compatible.guardian_parameters import NameParameters, TagParameters
from publog.server.compatible.guardian_stories import Guardian, opened, reading
from publog.server.compatible.serving import Shelf, both, words
from publog.server.compatible.templates import slug
from publog.server.endpoints import Call, Reply


async def tags(call: Call[TagParameters]) -> Reply:
    return await call.in_thread(_tags, call)


def _tags(call: Call[TagParameters]) -> Reply:
    asked = call.parameters
    guardian = opened(call)
    offset = offset_of(asked.page, asked.page_size)
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
    return guardian.answer(**counted(total, asked.page, asked.page_size), results=results)


def _tags_wanted(shelf: Shelf, name: str, asked: TagParameters) -> list[Expression | None] | None:
    """What is asked of one kind of tags; None where none of them can be wanted."""
    parts: list[Expression | None] = [words(asked.q), shelf.words("name", asked.web_title) if asked.web_title else None]
    if asked.type:
        condition = list_of("type", asked.type)
        if shelf.has("type"):
            meant = [type_ for type_, called in shelf.collection.types.items() if holds(condition, called.__eq__)]
            parts.append(AnyOf(tuple(shelf.value("type", type_) for type_ in meant)))
        elif not holds(condition, name.removesuffix("s").__eq__):
            return None
    if asked.section:
        condition = list_of("section", asked.section)
        if shelf.has("section"):
            parts.append(to_query(condition, lambda id_: of_slug(shelf, "section", id_)))
        elif not holds(condition, lambda _id: False):
            return None
    return parts


async def sections(call: Call[NameParameters]) -> Reply:
    return await call.in_thread(_sections, call)


def _sections(call: Call[NameParameters]) -> Reply:
    guardian = opened(call)
    results: list[dict[str, Any]] = []
    for name in _named(guardian, "section", call.parameters.q):
        section = guardian.addressed({"id": slug(name), "webTitle": name})
        results.append({**section, "editions": [{**section, "code": "default"}]})
    return guardian.answer(total=len(results), results=results)


async def editions(call: Call[NameParameters]) -> Reply:
    return await call.in_thread(_editions, call)


def _editions(call: Call[NameParameters]) -> Reply:
    """Each office that produces stories has an edition."""
    guardian = opened(call)
    results = [
        guardian.addressed({"id": slug(name), "path": slug(name), "edition": name, "webTitle": name})
        for name in _named(guardian, "production-office", call.parameters.q)
    ]
    return guardian.answer(total=len(results), results=results)


def _named(guardian: Guardian, name: str, q: str) -> list[str]:
    values = {slug(value): value for value, _ in reversed(guardian.stories.values(name)) if slug(value)}
    return [value for _, value in sorted(values.items()) if q.strip().casefold() in value.casefold()]


ENDPOINTS: Final = [
    reading("/tags", "guardian_tags", "The Guardian's API: tags and contributors", tags, TagParameters),
    reading("/sections", "guardian_sections", "The Guardian's API: sections", sections, NameParameters),
    reading("/editions", "guardian_editions", "The Guardian's API: editions", editions, NameParameters),
]

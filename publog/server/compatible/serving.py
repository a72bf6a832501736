"""What the compatible endpoints share: the interface that a catalog declares, and its collections as they are searched."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from assets.interfaces import Collection, Interface
from indexers.errors import InvalidQuery
from indexers.limits import FACET_SIZE_MAX, PAGE_SIZE_MAX
from indexers.port import Facet, Hit, Index, Query, Results
from indexers.query import All, AnyOf, Between, Exact, Exists, Expression, Match, Not, parse
from publog.server.compatible.templates import fill
from publog.server.newsroom import Newsroom
from publog.server.problems import NotThere

_MARKS: Final = re.compile(r":|(?<![^\s(])-")


@dataclass(frozen=True)
class Shelf:
    """A collection of an interface, in the index."""

    index: Index
    collection: Collection
    texts: frozenset[str]
    """The search paths that are words; the others are exact values."""
    date: str | None
    """The search path of the date."""

    def search(self, query: Expression | None, **more: Any) -> Results:
        """A page of what is found in its view."""
        return self.index.search(Query(text=query, view=self.collection.view, **more))

    def all(self, query: Expression | None, most: int, **more: Any) -> Iterator[Hit]:
        """Everything that is found.

        Raises:
            InvalidQuery: that is more than `most`.
        """
        cursor = None
        while True:
            page = self.search(query, limit=PAGE_SIZE_MAX, cursor=cursor, **more)
            if page.total > most:
                raise InvalidQuery(f"This finds {page.total:,} documents", f"Ask for at most {most:,} at a time")
            yield from page.hits
            if page.cursor is None:
                return
            cursor = page.cursor

    def has(self, name: str) -> bool:
        """Whether the interface looks for a field of this name."""
        return bool(self.collection.search.get(name))

    def paths(self, name: str) -> tuple[str, ...]:
        """The search paths that a field of the interface means.

        Raises:
            InvalidQuery: the catalog maps no such field.
        """
        found = self.collection.search.get(name)
        if not found:
            known = ", ".join(sorted(self.collection.search))
            raise InvalidQuery(f"Nothing here is searched by {name[:100]!r}", f"This newsroom has {known}")
        return found

    def value(self, name: str, text: str) -> Expression:
        """A field has exactly this value, or these words where it is text."""
        return AnyOf(tuple(Match(text, p) if p in self.texts else Exact(p, text) for p in self.paths(name)))

    def words(self, name: str, text: str) -> Expression:
        """A field has these words side by side."""
        return AnyOf(tuple(Match(text, path) for path in self.paths(name)))

    def present(self, name: str) -> Expression:
        """A field has some value.

        Raises:
            InvalidQuery: it is text, which is always looked for by words.
        """
        for path in self.paths(name):
            if path in self.texts:
                raise InvalidQuery(f"{name} is text", "Look for words in it")
        return AnyOf(tuple(Exists(path) for path in self.paths(name)))

    def between(self, name: str, first: int | None, last: int | None) -> Expression:
        """A field has a number or time in this range."""
        return AnyOf(tuple(Between(path, first, last) for path in self.paths(name)))

    def values(self, name: str) -> list[tuple[str, int]]:
        """The values that a field has, most frequent first, and of how many documents; at most FACET_SIZE_MAX."""
        facets = [Facet(path, FACET_SIZE_MAX) for path in self.paths(name) if path not in self.texts]
        return [counted for counts in self.search(None, limit=0, facets=facets).facets.values() for counted in counts]

    def show(self, shape: str, hit: Hit) -> Any:
        """A hit in one of the collection's shapes."""
        return fill(self.collection.shapes[shape], content_of(hit))


@dataclass(frozen=True)
class Served:
    """An interface as it is served at this moment."""

    interface: Interface
    shelves: dict[str, Shelf]

    def shelf(self, name: str) -> Shelf:
        """One of its collections.

        Raises:
            NotThere: the catalog has none.
        """
        found = self.shelves.get(name)
        if found is None:
            raise NotThere(f"this newsroom's catalog maps no {name} in interfaces.toml")
        return found


def served(newsroom: Newsroom, name: str) -> Served:
    """An interface of the newsroom's catalog.

    Raises:
        NotThere: the catalog has none.
    """
    with newsroom.reading() as reader:
        catalog = reader.catalog
    interface = catalog.interfaces.get(name)
    if interface is None:
        raise NotThere(f"this newsroom's catalog has no [{name}] in an interfaces.toml, so there is no such API here")
    shelves: dict[str, Shelf] = {}
    for key, collection in interface.collections.items():
        search = catalog.views[collection.view].search
        shelves[key] = Shelf(newsroom.index, collection, frozenset(search.text) - frozenset(search.facets), search.date)
    return Served(interface, shelves)


def words(text: str) -> Expression | None:
    """What a person typed into a search box of another API: words, "phrases", AND, OR, NOT and brackets.

    Fields and minus signs, which only our own language has, are as good as spaces.
    """
    return parse(_MARKS.sub(" ", text))


def within(expression: Expression, paths: Sequence[str]) -> Expression:
    """The same, its words looked for only at these text paths."""
    match expression:
        case All():
            return All(tuple(within(part, paths) for part in expression.parts))
        case AnyOf():
            return AnyOf(tuple(within(part, paths) for part in expression.parts))
        case Not():
            return Not(within(expression.part, paths))
        case Match():
            return AnyOf(tuple(Match(expression.words, path) for path in paths))
        case _:
            return expression


def both(*parts: Expression | None) -> Expression | None:
    """What all of these hold for that are there."""
    given = tuple(part for part in parts if part is not None)
    return All(given) if len(given) > 1 else given[0] if given else None


def content_of(hit: Hit) -> dict[str, Any]:
    """What a hit says."""
    return cast("dict[str, Any]", orjson.loads(hit.content))

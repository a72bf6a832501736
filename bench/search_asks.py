"""The searches that are measured: a seeded mix of what people and programs ask a newsroom's index for."""

import re
from collections import Counter
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any, Final, Literal, NamedTuple

import orjson

from indexers.dates import parse_range
from indexers.port import Facet, Index, Query
from indexers.query import parse

VIEW: Final = "story"
PAGE: Final = 10
DEEP_PAGES: Final = 20
_STORIES: Final = 3_000
"""Whose words are asked for."""
_COMMON: Final = 0.02
"""A word in more than this share of the sampled stories is a common one, any other a rare one."""
_FACETS: Final = ("section", "desk", "tags.name")
_KINDS: Final = {
    "one common word": 12,
    "one rare word": 12,
    "two words": 14,
    "three words": 10,
    "phrase": 10,
    "word and filters": 8,
    "word and dates": 8,
    "word, newest first": 6,
    "a site's page: words, facets, highlights": 8,
    "words and highlights": 4,
    "words and facets": 4,
    "page 21, newest first": 3,
    "page 21, by relevance": 3,
    "everything, newest first": 2,
    "nothing found": 2,
}
"""What is asked, and how often of all."""


class Ask(NamedTuple):
    """One search."""

    kind: str
    q: str = ""
    filters: tuple[tuple[str, str], ...] = ()
    since: str | None = None
    until: str | None = None
    facets: tuple[str, ...] = ()
    sort: Literal["relevance", "newest"] = "relevance"
    highlight: bool = False
    cursor: str | None = None
    offset: int = 0
    """Hits before the page that the cursor begins."""

    def parameters(self) -> list[tuple[str, str]]:
        """As `/v1/search` takes it."""
        given = [("q", self.q), ("view", VIEW), ("limit", str(PAGE)), ("sort", self.sort)]
        given += [("filter", f"{field}:{value}") for field, value in self.filters]
        given += [("facet", field) for field in self.facets]
        optional = {"since": self.since, "until": self.until, "cursor": self.cursor}
        given += [(name, value) for name, value in optional.items() if value is not None]
        return [*given, ("highlight", "true")] if self.highlight else given

    def query(self) -> Query:
        """As an index takes it."""
        return Query(
            text=parse(self.q),
            view=VIEW,
            filters=self.filters,
            since=None if self.since is None else parse_range(f">={self.since}")[0],
            until=None if self.until is None else parse_range(f"<={self.until}")[1],
            facets=[Facet(field) for field in self.facets],
            sort=self.sort,
            limit=PAGE,
            cursor=self.cursor,
            highlight=self.highlight,
        )


def asks(index: Index, count: int, seed: int = 2026) -> list[Ask]:
    """So many searches in the words of the index's own stories, in a seeded order."""
    chance = Random(seed)
    sample = _Sample(index)
    kinds = chance.choices(list(_KINDS), list(_KINDS.values()), k=count)
    return [_deep(index, ask) if ask.offset else ask for kind in kinds for ask in [sample.ask(kind, chance)]]


def _deep(index: Index, ask: Ask) -> Ask:
    """The same search behind its first pages, or as many as it has but one."""
    query, cursor, offset = ask.query(), None, 0
    while offset < ask.offset and (following := index.search(replace(query, cursor=cursor)).cursor) is not None:
        cursor, offset = following, offset + PAGE
    return ask._replace(cursor=cursor, offset=offset)


class _Sample:
    """Words, headlines and values of some stories."""

    def __init__(self, index: Index) -> None:
        live = (orjson.loads(view.content) for view in index.scan(VIEW) if view.state == "live")
        self._stories: list[dict[str, Any]] = list(islice(live, _STORIES))
        times = Counter(word for story in self._stories for word in sorted(_story_words(story)))
        self._common = [word for word, stories in times.items() if stories > len(self._stories) * _COMMON]
        self._rare = [word for word, stories in times.items() if stories <= len(self._stories) * _COMMON]

    def ask(self, kind: str, chance: Random) -> Ask:
        story = chance.choice(self._stories)
        words = _words(story["headline"])
        # Of one headline, so that something is found.
        some = [" ".join(chance.sample(words, min(number, len(words)))) for number in range(4)]
        begin = chance.randrange(max(len(words) - 1, 1))
        common, day = chance.choice(self._common), story["published_at"][:10]
        filters = (("section", story["section"]), ("document_type", "article"))
        match kind:
            case "one common word":
                return Ask(kind, common)
            case "one rare word":
                return Ask(kind, chance.choice(self._rare))
            case "two words":
                return Ask(kind, some[2])
            case "three words":
                return Ask(kind, some[3])
            case "phrase":
                return Ask(kind, f'"{" ".join(words[begin : begin + 2])}"')
            case "word and filters":
                return Ask(kind, some[1], filters)
            case "word and dates":
                return Ask(kind, some[1], since=day, until=day[:4])
            case "word, newest first":
                return Ask(kind, common, sort="newest")
            case "a site's page: words, facets, highlights":
                return Ask(kind, some[2], facets=_FACETS, highlight=True)
            case "words and highlights":
                return Ask(kind, some[2], highlight=True)
            case "words and facets":
                return Ask(kind, some[2], filters[:1], facets=_FACETS)
            case "page 21, newest first":
                return Ask(kind, some[1], sort="newest", offset=DEEP_PAGES * PAGE)
            case "page 21, by relevance":
                return Ask(kind, some[1], offset=DEEP_PAGES * PAGE)
            case "everything, newest first":
                return Ask(kind)
            case _:
                return Ask(kind, f"{common} unheardof")


def _story_words(story: dict[str, Any]) -> set[str]:
    texts = [story["headline"], *(block["text"] for block in story["body"] if block.get("text"))]
    return {word for text in texts for word in _words(text)}


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]{3,}", text.lower())

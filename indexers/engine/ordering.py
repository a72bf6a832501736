"""Hits in a total order, a page at a time, from any position on: each once, none missed, however many are equal.

By date: rank, then id. By relevance: score, then the `newest` rank, then id. Scores are compared to about three digits:
of equally good hits the newest comes first, and the engine's rounding, which depends on how it has laid out its
documents, does not move a hit from one page to another.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import Final, NamedTuple, cast

import tantivy

from denormalizer.view import View
from indexers.cursors import Position
from indexers.documents import RANK_END, document_id
from indexers.engine import fields, typed
from indexers.engine.matching import rank_range
from indexers.errors import InvalidCursor

_SCORE_STEPS_BITS: Final = 10
_CHUNK_HITS: Final = 64
_CHUNK_HITS_MAX: Final = 8_192

Address = tantivy.DocAddress
_Ranked = tuple[int, Address]
_Scored = tuple[float, Address]
_rank: Final = itemgetter(0)


class Found(NamedTuple):
    """A hit, and its place in the order."""

    view: View
    position: Position


class Page(NamedTuple):
    """Hits in order, and how many the whole search has."""

    total: int
    hits: list[Found]
    has_next: bool


class Ordering:
    """Reads a query's hits in order from one state of the index."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        schema: tantivy.Schema,
        query: tantivy.Query,
        read: Callable[[Address], View],
    ) -> None:
        """`read` gives the record at an address."""
        self._searcher = searcher
        self._schema = schema
        self._query = query
        self._read = read
        self._counted: int | None = None

    def by_rank(self, name: str, after: Position | None, offset: int, limit: int) -> Page:
        """The page `offset` hits behind a position in the order of the rank field `name`, smallest first."""
        return self._page(self._in_rank_order(name, after, offset + limit + 1), offset, limit)

    def by_score(self, after: Position | None, offset: int, limit: int) -> Page:
        """The page `offset` hits behind a position, most relevant first.

        Raises:
            InvalidCursor: the position is none of a search by relevance.
        """
        if after is not None and after.score is None:
            raise InvalidCursor("The cursor is damaged")
        return self._page(self._in_score_order(after, offset + limit + 1), offset, limit)

    def first_by_score(self, limit: int) -> list[Found]:
        """The most relevant ones, uncounted."""
        return list(islice(self._in_score_order(None, limit), limit)) if limit else []

    def _page(self, hits: Iterable[Found], offset: int, limit: int) -> Page:
        found = list(islice(hits, offset, offset + limit + 1)) if limit else []
        return Page(self._total(), found[:limit], len(found) > limit)

    def _in_rank_order(self, name: str, after: Position | None, wanted: int) -> Iterator[Found]:
        first = after.rank if after is not None else 0
        # One more, so that the last of those wanted is rarely among the equal ranks at the end.
        limit = wanted + 1
        while True:
            ranked = self._ranked(name, first, RANK_END, limit)
            if len(ranked) < limit:
                yield from self._behind(ranked, after)
                return
            # The engine gives any of the equal ranks at the end: take all of them, if they are wanted at all.
            rank = ranked[-1][0]
            yield from self._behind([hit for hit in ranked if hit[0] < rank], after)
            equal = typed.count(self._searcher, self._with_ranks(name, rank, rank + 1))
            yield from self._behind(self._ranked(name, rank, rank + 1, equal), after)
            first = rank + 1

    def _in_score_order(self, after: Position | None, wanted: int) -> Iterator[Found]:
        start, ready = (0, None) if after is None else self._start_of(after)
        for score, group in groupby(self._scored(start, ready), key=_rank):
            same = after if after is not None and after.score == score else None
            best: list[_Ranked] = []
            size = 0
            while chunk := [address for _, address in islice(group, _CHUNK_HITS_MAX)]:
                size += len(chunk)
                ranks = cast("list[int]", self._searcher.fast_field_values(fields.NEWEST, chunk))
                best += (hit for hit in zip(ranks, chunk, strict=True) if same is None or hit[0] >= same.rank)
                best = _smallest(best, wanted, -1 if same is None else same.rank)
            yield from self._behind(best, same, score, start)
            start += size

    def _scored(self, start: int, ready: list[_Scored] | None) -> Iterator[_Scored]:
        """The hits from `start` on; those that are `ready` are the first of them."""
        limit = _CHUNK_HITS
        while True:
            if ready is not None:
                hits, ready = ready, None
            elif start == 0:
                hits, self._counted = typed.search(self._searcher, self._query, limit)
            else:
                hits = self._searcher.search(self._query, limit=limit, offset=start, count=False).hits
            yield from ((rounded(score), address) for score, address in hits)
            if len(hits) < limit:
                return
            start += limit
            limit = min(limit * 4, _CHUNK_HITS_MAX)

    def _start_of(self, after: Position) -> tuple[int, list[_Scored] | None]:
        """How many hits score higher than the position does, and a chunk of the hits from there on if it was read."""
        wanted = cast("float", after.score)

        def is_behind(number: int) -> bool:
            hits = self._searcher.search(self._query, limit=1, offset=number, count=False).hits
            return not hits or rounded(hits[0][0]) <= wanted

        # Nearly always where it was when the cursor was made; a write in between may have moved it.
        # The engine makes room for all the hits before it, so what a cursor says is not believed without a bound.
        start = after.start if after.start <= _CHUNK_HITS_MAX else min(after.start, self._total())
        before = min(start, 1)
        hits, self._counted = typed.search(self._searcher, self._query, _CHUNK_HITS + before, offset=start - before)
        is_higher = [rounded(score) > wanted for score, _ in hits[: before + 1]]
        if is_higher[:before] == [True] * before and not any(is_higher[before:]):
            return start, hits[before:]
        return bisect_left(range(self._counted), True, key=is_behind), None

    def _behind(
        self, ranked: Iterable[_Ranked], after: Position | None, score: float | None = None, start: int = 0
    ) -> Iterator[Found]:
        found: list[Found] = []
        for rank, address in ranked:
            view = self._read(address)
            found.append(Found(view, Position(rank, document_id(view.view, view.uri), score, start)))
        found.sort(key=lambda hit: (hit.position.rank, hit.position.id))
        for hit in found:
            if after is None or (hit.position.rank, hit.position.id) > (after.rank, after.id):
                yield hit

    def _ranked(self, name: str, first: int, behind: int, limit: int) -> list[_Ranked]:
        if first == 0:
            hits, self._counted = typed.search(self._searcher, self._query, limit, by=name)
            return hits
        return typed.search(self._searcher, self._with_ranks(name, first, behind), limit, by=name)[0]

    def _with_ranks(self, name: str, first: int, behind: int) -> tantivy.Query:
        return self._query.and_must_match(rank_range(self._schema, name, first, behind))

    def _total(self) -> int:
        """How many documents match; the first page's search has counted them on the way."""
        if self._counted is None:
            self._counted = typed.count(self._searcher, self._query)
        return self._counted


def _smallest(ranked: list[_Ranked], wanted: int, after: int) -> list[_Ranked]:
    """All up to the rank `after`, the `wanted` smallest behind it, and all that equal the last of these."""
    ranked.sort(key=_rank)
    number = bisect_right(ranked, after, key=_rank) + wanted
    return ranked if len(ranked) <= number else ranked[: bisect_right(ranked, _rank(ranked[number - 1]), key=_rank)]


def rounded(score: float) -> float:
    """A score without the bits in which equal documents may differ."""
    mantissa, exponent = math.frexp(score)
    return math.ldexp(math.floor(math.ldexp(mantissa, _SCORE_STEPS_BITS)), exponent - _SCORE_STEPS_BITS)

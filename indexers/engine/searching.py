"""One search: checked, matched, put in order, counted by facets, its hits marked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, cast

import tantivy

from denormalizer.view import View
from indexers import cursors
from indexers.cursors import Position
from indexers.documents import date_of, document_id
from indexers.engine import fields, typed
from indexers.engine.correcting import corrections
from indexers.engine.fields import Analyzers, Fields
from indexers.engine.highlighting import highlights
from indexers.engine.matching import Matcher
from indexers.engine.ordering import Found, Ordering, Page, rounded
from indexers.errors import InvalidQuery
from indexers.limits import CORRECTION_HITS, FACET_SIZE_MAX, FACETS_MAX, OFFSET_MAX, PAGE_SIZE_MAX
from indexers.port import Correction, Facet, Highlight, Hit, Query

Texts = Callable[[View], Mapping[str, Sequence[str]]]


def make_hit(found: Found, order: Literal["newest", "oldest"], marked: Mapping[str, Highlight]) -> Hit:
    """A record that was found in one of the orders by date, or by relevance and then the newest, as a hit."""
    view, position = found
    date = date_of(position.rank, order)
    return Hit(view.view, view.uri, view.version, position.score, date, view.content, marked)


def check_size(limit: int, most: int, what: str) -> None:
    """Raises InvalidQuery unless so many may be asked for."""
    if not 0 <= limit <= most:
        raise InvalidQuery(f"There can't be {limit} {what}", f"Use a limit from 0 to {most}")


_EXACT: Final = 1 << 31
"""How many values each segment reports: all of them, or the counts would be estimates."""


class Search:
    """Answers one query from one state of the index."""

    def __init__(
        self,
        query: Query,
        searcher: tantivy.Searcher,
        schema: tantivy.Schema,
        names: Fields,
        analyzers: Analyzers,
    ) -> None:
        """Checks the query.

        Raises:
            InvalidQuery: an unknown view or field, a bound passed, another search's cursor.
        """
        if not 0 <= query.limit <= PAGE_SIZE_MAX:
            raise InvalidQuery(f"A page can't have {query.limit} hits", f"Use a limit from 0 to {PAGE_SIZE_MAX}")
        if not 0 <= query.offset <= OFFSET_MAX:
            raise InvalidQuery(f"A page can't leave out {query.offset} hits", f"Use an offset from 0 to {OFFSET_MAX}")
        if len(query.facets) > FACETS_MAX:
            raise InvalidQuery(f"There are {len(query.facets)} facets", f"Use at most {FACETS_MAX}")
        self._query = query
        self._after = cursors.decode(query)
        self._searcher = searcher
        self._schema = schema
        self._names = names
        self._analyzers = analyzers
        self._matcher = Matcher(query, names, schema, analyzers)
        self._is_ranked = query.sort == "relevance" and self._matcher.is_ranked
        ranked = fields.Ranked(fields.NEWEST, fields.OLDEST)
        if query.date is not None:
            ranked = names.rank_fields(query.date, query.view)
            if query.view is None:
                raise InvalidQuery("An order by another date is of one view", "Name the view")
        self._order = ranked.oldest if query.sort == "oldest" else ranked.newest
        self._counts = {facet.field: self._count_of(facet) for facet in query.facets}

    def page(self, read: Callable[[tantivy.DocAddress], View]) -> Page:
        """The page's records in order; `read` gives the one at an address."""
        ordering = Ordering(self._searcher, self._schema, self._matcher.query(), read)
        after = self._after if self._query.after is None else self._position_of(self._query.after)
        if self._is_ranked:
            return ordering.by_score(after, self._query.offset, self._query.limit)
        return ordering.by_rank(self._order, after, self._query.offset, self._query.limit)

    def _position_of(self, uri: str) -> Position:
        """Where a hit stands in this search.

        Raises:
            InvalidQuery: it is none of its hits, or not any more.
        """
        if self._query.view is None or self._query.cursor is not None:
            raise InvalidQuery("A page begins behind a URI in one view and without a cursor", "Name the view")
        id_ = document_id(self._query.view, uri)
        itself = tantivy.Query.term_query(self._schema, fields.ID, id_, "basic")
        found = self._matcher.query().and_must_match(tantivy.Query.const_score_query(itself, 0.0))
        hits, _ = typed.search(self._searcher, found, 1)
        if not hits:
            raise InvalidQuery(f"{uri[:200]!r} is no hit of this search", "Begin again without it")
        score, address = hits[0]
        name = fields.NEWEST if self._is_ranked else self._order
        (rank,) = cast("list[int]", self._searcher.fast_field_values(name, [address]))
        return Position(rank, id_, rounded(score) if self._is_ranked else None)

    def hit(self, found: Found, texts: Texts) -> Hit:
        """A record as a hit; `texts` gives what is at its text paths."""
        view = found.view
        marked: dict[str, Highlight] = {}
        if self._query.highlight and self._matcher.sought:
            tests = [slip.near.is_like for slip in self._matcher.slips]
            marked = highlights(texts(view), self._matcher.sought, tests, self._analyzers)
        return make_hit(found, "oldest" if self._query.sort == "oldest" else "newest", marked)

    def corrections(self, read: Callable[[tantivy.DocAddress], View], texts: Texts) -> Sequence[Correction]:
        """What could have been meant, where nothing was found."""
        if self._query.text is None or self._query.fuzzy:
            return ()
        try:
            tolerant = Matcher(replace(self._query, fuzzy=True), self._names, self._schema, self._analyzers)
        except InvalidQuery:
            # Too many words to try.
            return ()
        if not tolerant.slips:
            return ()
        hits = self._searcher.search(tolerant.query(), limit=CORRECTION_HITS, count=False).hits
        documents = [texts(read(address)) for _, address in hits]

        def count(word: str) -> int:
            found = tantivy.Query.term_query(self._schema, fields.WORDS, word, "basic")
            return typed.count(self._searcher, found)

        return corrections(documents, tolerant.slips, count, self._analyzers)

    def facets(self) -> dict[str, list[tuple[str, int]]]:
        """The values of each facet, most frequent first, then by value."""
        filtered = {field: self._counts[field] for field in self._matcher.filtered if field in self._counts}
        others = {field: count for field, count in self._counts.items() if field not in filtered}
        found = self._aggregate(self._matcher.query(), others)
        for field, count in filtered.items():
            found |= self._aggregate(self._matcher.query(without_filter=field), {field: count})
        # The engine orders equal counts by value.
        return {
            field: [(bucket["key"], bucket["doc_count"]) for bucket in found[field]["buckets"]]
            for field in self._counts
        }

    def _count_of(self, facet: Facet) -> dict[str, Any]:
        if not 1 <= facet.size <= FACET_SIZE_MAX:
            raise InvalidQuery(f"A facet can't give {facet.size} values", f"Use a size from 1 to {FACET_SIZE_MAX}")
        name = self._names.facet_field(facet.field, self._query.view, "count")
        return {"terms": {"field": name, "size": facet.size, "segment_size": _EXACT}}

    def _aggregate(self, query: tantivy.Query, counts: dict[str, Any]) -> dict[str, Any]:
        return typed.aggregate(self._searcher, query, counts) if counts else {}

"""One search: one request, so that hits, facets and the watermark are of one state of the index."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from denormalizer.view import View
from indexers import cursors
from indexers.cursors import Position
from indexers.documents import document_id
from indexers.elasticsearch import names
from indexers.elasticsearch.matching import Clause, Matcher
from indexers.engine import fields
from indexers.engine.correcting import corrections
from indexers.engine.fields import Analyzers, Fields
from indexers.engine.highlighting import highlights
from indexers.engine.ordering import Found
from indexers.engine.searching import Texts, check_size, make_hit
from indexers.errors import CorruptIndex, InvalidCursor, InvalidQuery
from indexers.limits import CORRECTION_HITS, FACET_SIZE_MAX, FACETS_MAX, OFFSET_MAX, PAGE_SIZE_MAX
from indexers.port import Correction, Facet, Highlight, Hit, Query, Results
from indexers.records import read_record

Ask = Callable[[Clause], Any]
"""Asks the server one search; gives its answer."""

_MARKS: Final[Clause] = {"term": {names.SHELF: names.MARK}}
_SCORE_MAX: Final = 3.4e38


class Search:
    """Answers one query of one generation."""

    def __init__(self, query: Query, known: Fields, analyzers: Analyzers, ask: Ask, url: str) -> None:
        """Checks the query.

        Raises:
            InvalidQuery: an unknown view or field, a bound passed, another search's cursor.
        """
        check_size(query.limit, PAGE_SIZE_MAX, "hits on a page")
        if not 0 <= query.offset <= OFFSET_MAX:
            raise InvalidQuery(f"A page can't leave out {query.offset} hits", f"Use an offset from 0 to {OFFSET_MAX}")
        if len(query.facets) > FACETS_MAX:
            raise InvalidQuery(f"There are {len(query.facets)} facets", f"Use at most {FACETS_MAX}")
        self._query = query
        self._after = cursors.decode(query)
        self._known = known
        self._analyzers = analyzers
        self._ask = ask
        self._url = url
        self._matcher = Matcher(query, known, analyzers)
        self._is_ranked = query.sort == "relevance" and self._matcher.is_ranked
        if query.date is not None:
            known.rank_fields(query.date, query.view)
            if query.view is None:
                raise InvalidQuery("An order by another date is of one view", "Name the view")
        field = names.oldest if query.sort == "oldest" else names.newest
        self._order = names.NEWEST if self._is_ranked else field(query.date)
        self._counts = {facet.field: self._count_of(facet) for facet in query.facets}
        if self._is_ranked and self._after is not None:
            score = self._after.score
            if score is None or not math.isfinite(score):
                raise InvalidCursor("The cursor is damaged")

    def results(self, generation: str, texts: Texts) -> Results:
        """The page; `texts` gives what is at a view's text paths."""
        query = self._query
        after = self._after if query.after is None else self._position_of(query.after)
        answer = self._ask(self._request(after))
        total = cast("int", answer["hits"]["total"]["value"])
        skipped = query.offset if after is not None else 0
        found = [self._found(hit) for hit in answer["hits"]["hits"][skipped:]]
        page = found[: query.limit]
        aggregations = cast("dict[str, Any]", answer["aggregations"])
        through = aggregations["through"]["value"]
        if through is None:
            raise CorruptIndex(self._url, "it does not say what it reflects")
        corrected = query.correct and total == 0
        return Results(
            total,
            [self._hit(one, texts) for one in page],
            {field: _counted(aggregations[f"facet {field}"]) for field in self._counts},
            cursors.encode(query, page[-1].position) if page and len(found) > query.limit else None,
            int(through),
            generation,
            self._corrections(texts) if corrected else (),
        )

    def _request(self, after: Position | None) -> Clause:
        query = self._query
        counted = [field for field in self._matcher.filters if field in self._counts]
        narrowed = [self._matcher.filters[field] for field in counted]
        # The mark matches beside the search, and is no hit: so one request tells how far its documents go.
        marked = {"constant_score": {"filter": _MARKS, "boost": 0}}
        request: dict[str, Any] = {
            "query": {"bool": {"should": [self._matcher.query(counted), marked], "minimum_should_match": 1}},
            "post_filter": {"bool": {"must_not": [_MARKS], "filter": narrowed}},
            "aggs": {"through": {"max": {"field": names.THROUGH}}},
            "track_total_hits": True,
            "_source": [names.RECORD],
            "sort": self._sort(),
            "size": query.limit and query.limit + 1,
        }
        for field, count in self._counts.items():
            others = [self._matcher.filters[other] for other in counted if other != field]
            request["aggs"][f"facet {field}"] = {
                "filter": {"bool": {"filter": others}},
                "aggs": {"values": {"terms": count}},
            }
        if after is None:
            request["from"] = query.offset
        else:
            score = [] if after.score is None or not self._is_ranked else [min(after.score, _SCORE_MAX)]
            request["search_after"] = [*score, after.rank, after.id]
            request["size"] += query.offset if query.limit else 0
        return request

    def _sort(self) -> list[Clause]:
        by_rank: list[Clause] = [{self._order: "asc"}, {names.ID: "asc"}]
        return [{"_score": "desc"}, *by_rank] if self._is_ranked else by_rank

    def _position_of(self, uri: str) -> Position:
        """Where a hit stands in this search.

        Raises:
            InvalidQuery: it is none of its hits, or not any more.
        """
        if self._query.view is None or self._query.cursor is not None:
            raise InvalidQuery("A page begins behind a URI in one view and without a cursor", "Name the view")
        id_ = document_id(self._query.view, uri)
        found = {"bool": {"must": [self._matcher.query()], "filter": [{"term": {names.ID: id_}}]}}
        hits = self._ask({"query": found, "sort": self._sort(), "size": 1, "_source": [names.RECORD]})["hits"]["hits"]
        if not hits:
            raise InvalidQuery(f"{uri[:200]!r} is no hit of this search", "Begin again without it")
        return self._found(hits[0]).position

    def _found(self, hit: dict[str, Any]) -> Found:
        *score, rank, id_ = hit["sort"]
        return Found(read_hit(hit, self._url), Position(rank, id_, score[0] if score else None))

    def _hit(self, found: Found, texts: Texts) -> Hit:
        marked: Mapping[str, Highlight] = {}
        if self._query.highlight and self._matcher.sought:
            tests = [slip.near.is_like for slip in self._matcher.slips]
            marked = highlights(texts(found.view), self._matcher.sought, tests, self._analyzers)
        return make_hit(found, "oldest" if self._query.sort == "oldest" else "newest", marked)

    def _corrections(self, texts: Texts) -> Sequence[Correction]:
        """What could have been meant, where nothing was found."""
        if self._query.text is None or self._query.fuzzy:
            return ()
        try:
            tolerant = Matcher(replace(self._query, fuzzy=True), self._known, self._analyzers)
        except InvalidQuery:
            # Too many words to try.
            return ()
        if not tolerant.slips:
            return ()
        request = {"query": tolerant.query(), "size": CORRECTION_HITS, "_source": [names.RECORD]}
        documents = [texts(read_hit(hit, self._url)) for hit in self._ask(request)["hits"]["hits"]]

        def count(word: str) -> int:
            live = [fields.shelf("live", view) for view in self._known.views]
            held = [{"term": {names.WORDS: word}}, {"terms": {names.SHELF: live}}]
            answer = self._ask({"query": {"bool": {"filter": held}}, "size": 0, "track_total_hits": True})
            return answer["hits"]["total"]["value"]

        return corrections(documents, tolerant.slips, count, self._analyzers)

    def _count_of(self, facet: Facet) -> Clause:
        if not 1 <= facet.size <= FACET_SIZE_MAX:
            raise InvalidQuery(f"A facet can't give {facet.size} values", f"Use a size from 1 to {FACET_SIZE_MAX}")
        self._known.facet_field(facet.field, self._query.view, "count")
        # Most frequent first, then by value, is the server's own order.
        return {"field": names.facet(facet.field), "size": facet.size}


def read_hit(hit: dict[str, Any], url: str) -> View:
    """The record that a hit stands for."""
    return read_record(cast("str", hit["_source"][names.RECORD]).encode(), url)


def _counted(found: dict[str, Any]) -> list[tuple[str, int]]:
    return [(bucket["key"], bucket["doc_count"]) for bucket in found["values"]["buckets"]]

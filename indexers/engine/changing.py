"""Documents in the order in which they changed: by version, then by tie, then by id."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, cast

import tantivy

from denormalizer.view import View
from indexers.documents import document_id, tie
from indexers.engine import fields, typed
from indexers.port import Place

_TIE_MAX: Final = 2**64 - 1

_Address = tantivy.DocAddress


class Changing:
    """Reads the documents (of one view) of one state of the index."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        schema: tantivy.Schema,
        view: str | None,
        read: Callable[[_Address], View],
    ) -> None:
        """`read` gives the record at an address."""
        self._searcher = searcher
        self._schema = schema
        self._read = read
        shelves = [] if view is None else [fields.shelf(state, view) for state in ("live", "gone")]
        self._only = [tantivy.Query.term_set_query(schema, fields.SHELF, shelves)] if shelves else []

    def behind(self, place: Place, through: int, limit: int) -> Iterator[View]:
        """The first `limit` or more documents behind a place, of versions up to `through`."""
        if place.version > through:
            return
        left = limit
        first = place.version
        if place.id:
            for view in self._of_version(place.version, place.id, left):
                left -= 1
                yield view
            first += 1
        if left <= 0 or first > through:
            return
        hits = cast("list[tuple[int, _Address]]", self._first(fields.VERSION, self._within(first, through), left + 1))
        # The engine gives any of those with the last version: that one is read by itself.
        last = hits[-1][0] if len(hits) > left else None
        whole = [hit for hit in hits if hit[0] != last]
        ties = self._searcher.fast_field_values(fields.TIE, [address for _, address in whole])
        ordered = ((version, number, address) for (version, address), number in zip(whole, ties, strict=True))
        yield from self._in_order(sorted(ordered, key=itemgetter(0, 1)))
        if last is not None:
            yield from self._of_version(last, "", left - len(whole))

    def _of_version(self, version: int, after: str, limit: int) -> Iterator[View]:
        query = [*self._within(version, version)]
        if after:
            query.append(self._range(fields.TIE, tie(after), _TIE_MAX))
        while True:
            hits = cast("list[tuple[int, _Address]]", self._first(fields.TIE, query, limit + 2))
            # Two with one tie are never parted, or the id of the first would not say where to go on.
            if len(hits) < limit + 2 or hits[-1][0] != hits[-2][0]:
                break
            limit *= 2
        for view in self._in_order((version, number, address) for number, address in hits):
            id_ = document_id(view.view, view.uri)
            if (tie(id_), id_) > (tie(after), after) or not after:
                yield view

    def _in_order(self, hits: Iterable[tuple[Any, Any, _Address]]) -> Iterator[View]:
        for _, group in groupby(hits, key=itemgetter(0, 1)):
            same = [self._read(address) for _, _, address in group]
            yield from sorted(same, key=lambda view: document_id(view.view, view.uri))

    def _first(self, by: str, must: list[tantivy.Query], limit: int) -> list[tuple[Any, _Address]]:
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, one) for one in must])
        return typed.search(self._searcher, query, limit, by)[0]

    def _within(self, first: int, last: int) -> list[tantivy.Query]:
        return [self._range(fields.VERSION, first, last), *self._only]

    def _range(self, field: str, first: int, last: int) -> tantivy.Query:
        return tantivy.Query.range_query(
            self._schema, field, tantivy.FieldType.Unsigned, lower_bound=first, upper_bound=last
        )

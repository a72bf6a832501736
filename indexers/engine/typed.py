"""The calls of tantivy that its own type stubs leave open."""

from typing import Any, cast

import tantivy


def make_document(values: dict[str, Any], schema: tantivy.Schema) -> tantivy.Document:
    """A document with these values of these fields. Without a schema an integer could come out as the wrong type."""
    return cast("Any", tantivy.Document).from_dict(values, schema)


def search(
    searcher: tantivy.Searcher, query: tantivy.Query, limit: int, by: str | None = None, offset: int = 0
) -> tuple[list[tuple[Any, tantivy.DocAddress]], int]:
    """The first hits behind `offset` by score, or smallest first by a field; and how many documents match."""
    found = searcher.search(
        query, limit=limit, offset=offset, order_by_field=by, order=tantivy.Order.Asc if by else tantivy.Order.Desc
    )
    return found.hits, cast("Any", found).count


def count(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    """How many documents match."""
    return cast("Any", searcher.search(_unscored(query), limit=1)).count


def aggregate(searcher: tantivy.Searcher, query: tantivy.Query, request: dict[str, Any]) -> dict[str, Any]:
    """The answers to a request for aggregations over what matches, by the names given in the request."""
    return cast("Any", searcher).aggregate(_unscored(query), request)


def _unscored(query: tantivy.Query) -> tantivy.Query:
    """Of equal scores none is worked out."""
    return tantivy.Query.const_score_query(query, 1.0)

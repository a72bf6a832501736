"""The calls of tantivy that its own type stubs leave open."""

from typing import Any, cast

import tantivy


def make_document(values: dict[str, Any], schema: tantivy.Schema) -> tantivy.Document:
    """A document with these values of these fields. Without a schema an integer could come out as the wrong type."""
    return cast("Any", tantivy.Document).from_dict(values, schema)


def count(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    """How many documents match."""
    return cast("Any", searcher.search(query, limit=1)).count


def aggregate(searcher: tantivy.Searcher, query: tantivy.Query, request: dict[str, Any]) -> dict[str, Any]:
    """The answers to a request for aggregations over what matches, by the names given in the request."""
    return cast("Any", searcher).aggregate(query, request)

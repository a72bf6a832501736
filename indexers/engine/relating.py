"""Documents that are like one: the engine's own search for its most telling words and facet values."""

from collections.abc import Mapping
from typing import Final

import tantivy

from indexers.engine import fields
from indexers.limits import RELATED_TERMS_MAX

_SHARED: Final = 2
"""Documents, itself among them, that have a word which leads from one to another."""


def like(values: Mapping[str, list[str]], id_: str, view: str, schema: tantivy.Schema) -> tantivy.Query | None:
    """Finds the live documents of a view, other than the one of this id, that share any of the `RELATED_TERMS_MAX` rarest
    of these values; the more and the rarer, the higher they score.

    Args:
        values: Text and facet fields of the engine to what the document has in them.
    """
    if not values:
        return None
    alike = tantivy.Query.more_like_this_document_fields_query(
        schema,
        dict(values),
        min_doc_frequency=_SHARED,
        min_term_frequency=1,
        max_query_terms=RELATED_TERMS_MAX,
    )
    live = tantivy.Query.term_query(schema, fields.SHELF, fields.shelf("live", view), "basic")
    itself = tantivy.Query.term_query(schema, fields.ID, id_, "basic")
    return alike.and_must_match(tantivy.Query.const_score_query(live, 0.0)).and_must_not_match(itself)

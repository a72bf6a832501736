"""The same searches by tantivy alone, over the same files: no order of our own, no facets, no highlights, no server.

    python -m bench.search_raw INDEX ASKS OUTPUT

What is timed is the engine's search for a page and the total, and the reading of the page's stored records. The engine's
query is made before, by the code that publog makes it by: it must be the same one.
"""

import sys
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import orjson
import tantivy

from bench.search_asks import PAGE, Ask
from indexers import open_index
from indexers.engine import fields
from indexers.engine.fields import Fields, make_analyzers
from indexers.engine.matching import Matcher
from indexers.records import read_record


def measure(folder: Path, asks: list[Ask]) -> list[tuple[float, dict[str, Any]]]:
    """The seconds that each search took, and what it found."""
    opened = open_index(f"tantivy:{folder}")
    names = Fields(opened.catalog())
    index = tantivy.Index.open(str(folder / "generations" / opened.info().generation))
    index.register_tokenizer(fields.ANALYZER, fields.news_analyzer())
    index.register_tokenizer(fields.WORD_ANALYZER, fields.word_analyzer())
    searcher, schema = index.searcher(), index.schema
    found: list[tuple[float, dict[str, Any]]] = []
    for ask in asks:
        matcher = Matcher(ask.query(), names, schema, make_analyzers())
        query = matcher.query()
        by = None if matcher.is_ranked and ask.sort == "relevance" else fields.NEWEST
        order = tantivy.Order.Asc if by else tantivy.Order.Desc
        begun = perf_counter()
        page = searcher.search(query, limit=PAGE, offset=ask.offset, order_by_field=by, order=order)
        records = [searcher.doc(address).get_first(fields.RECORD) for _, address in page.hits]
        seconds = perf_counter() - begun
        views = [read_record(cast("bytes", record), "") for record in records]
        scores = [None if by else key for key, _ in page.hits]
        hits = [[view.uri, view.version, score] for view, score in zip(views, scores, strict=True)]
        found.append((seconds, {"total": cast("Any", page).count, "hits": hits}))
    return found


if __name__ == "__main__":
    _folder, _asks, _output = map(Path, sys.argv[1:])
    _output.write_bytes(orjson.dumps(measure(_folder, [Ask(*ask) for ask in orjson.loads(_asks.read_bytes())])))

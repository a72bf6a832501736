"""The same searches by tantivy alone, over the same files: no order of our own, no facets, no highlights, no server.

    python -m bench.search_raw INDEX ASKS OUTPUT

What is timed is the engine's search for a page and the total, and the reading of the page's stored records. The engine's
query is made before, in the plainest way that finds and scores the same.
"""

import sys
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import orjson
import tantivy

from bench.search_asks import PAGE, VIEW, Ask
from indexers import open_index
from indexers.documents import oldest_rank_at
from indexers.engine import fields
from indexers.engine.fields import Fields
from indexers.engine.matching import rank_range
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
        query = _query(ask, names, schema)
        by = None if ask.q and ask.sort == "relevance" else fields.NEWEST
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


def _query(ask: Ask, names: Fields, schema: tantivy.Schema) -> tantivy.Query:
    """Live stories that have every word or the phrase in any text field, every filter, and the date."""
    must: list[tantivy.Query] = []
    analyzer = fields.news_analyzer()
    phrases = [ask.q] if ask.q.startswith('"') else ask.q.split()
    for words in map(analyzer.analyze, phrases):
        anywhere: list[tuple[tantivy.Occur, tantivy.Query]] = []
        for path, boost in names.boosts(VIEW).items():
            name = names.text_field(path)
            if len(words) == 1:
                found = tantivy.Query.term_query(schema, name, words[0], "freq")
            else:
                found = tantivy.Query.phrase_query(schema, name, list(words))
            anywhere.append((tantivy.Occur.Should, tantivy.Query.boost_query(found, boost)))
        must.append(tantivy.Query.boolean_query(anywhere))
    terms = [(names.facet_field(field, VIEW, "filter by"), value) for field, value in ask.filters]
    only = [tantivy.Query.term_query(schema, name, value, "basic") for name, value in terms]
    only.append(tantivy.Query.term_query(schema, fields.SHELF, fields.shelf("live", VIEW), "basic"))
    asked = ask.query()
    if asked.since is not None and asked.until is not None:
        only.append(rank_range(schema, fields.OLDEST, oldest_rank_at(asked.since), oldest_rank_at(asked.until)))
    must += [tantivy.Query.const_score_query(query, 0.0) for query in only]
    return tantivy.Query.boolean_query([(tantivy.Occur.Must, query) for query in must])


if __name__ == "__main__":
    _folder, _asks, _output = map(Path, sys.argv[1:])
    _output.write_bytes(orjson.dumps(measure(_folder, [Ask(*ask) for ask in orjson.loads(_asks.read_bytes())])))

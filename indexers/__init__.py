"""Content views in, search out: one port, and an adapter for each place an index can live.

A view record goes in with its version and comes out byte for byte; in between, what the catalog's `search` names becomes
words, facets and dates to search by. Nothing here knows how views are made, and no engine's syntax gets through.
"""

from pathlib import Path

from indexers.errors import UnusableIndex
from indexers.port import (
    Facet,
    Generation,
    GenerationInfo,
    Highlight,
    Hit,
    Index,
    IndexInfo,
    Lease,
    OnUnfit,
    Query,
    Related,
    Results,
    Share,
    Sort,
    Suggestions,
    Typed,
    Unfit,
)
from indexers.query import Expression, parse

__all__ = [
    "Expression",
    "Facet",
    "Generation",
    "GenerationInfo",
    "Highlight",
    "Hit",
    "Index",
    "IndexInfo",
    "Lease",
    "OnUnfit",
    "Query",
    "Related",
    "Results",
    "Share",
    "Sort",
    "Suggestions",
    "Typed",
    "Unfit",
    "open_index",
    "parse",
]

_KNOWN = "Use tantivy:PATH, http://HOST:PORT/NAME, jsonl:PATH, memory: or memory:NAME"


def open_index(url: str, on_unfit: OnUnfit | None = None) -> Index:
    """The index at a URL; nothing is made or read before it is used.

    `tantivy:PATH` is a folder, `jsonl:PATH` a file of records, `http://HOST:PORT/NAME` (or `https:`) on Elasticsearch;
    `memory:` is the caller's own, `memory:NAME` shared in this process.

    Args:
        url: as above.
        on_unfit: told of views that a search server can't index; without it such a view is an `InvalidRecord`.

    Raises:
        UnusableIndex: the URL names no kind of index that we have.
    """
    scheme, colon, rest = url.partition(":")
    if not colon:
        raise UnusableIndex(url, "this is no index's URL", _KNOWN)
    # Each brings a library along that takes longer to load than many a command takes: who has no use for it does not wait.
    match scheme:
        case "memory":
            from indexers.memory import MemoryIndex, shared  # noqa: PLC0415

            return shared(rest) if rest else MemoryIndex(url)
        case "tantivy" if rest:
            from indexers.tantivy import TantivyIndex  # noqa: PLC0415

            return TantivyIndex(Path(rest))
        case "jsonl" if rest:
            from indexers.jsonl import JsonlIndex  # noqa: PLC0415

            return JsonlIndex(Path(rest))
        case "tantivy" | "jsonl":
            raise UnusableIndex(url, "the path is missing", f"Write {scheme}:PATH")
        case "http" | "https":
            from indexers.elasticsearch import ElasticsearchIndex  # noqa: PLC0415

            return ElasticsearchIndex(url, on_unfit)
        case _:
            raise UnusableIndex(url, f"there is no kind of index called {scheme!r}", _KNOWN)

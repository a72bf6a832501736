"""Every bound of the indexers package, with its unit."""

from typing import Final

QUERY_CHARACTERS_MAX: Final = 2_000
"""Characters of a query's text."""

QUERY_CLAUSES_MAX: Final = 128
"""Words, phrases and field values in one query."""

QUERY_DEPTH_MAX: Final = 16
"""Brackets and negations inside each other in one query."""

QUERY_TOKENS_MAX: Final = 256
"""Tokens that a query's words come to: `a.b.c` is one word and three tokens."""

FILTERS_MAX: Final = 100
"""Filter values of one search."""

FACETS_MAX: Final = 20
"""Facets of one search."""

FACET_SIZE_MAX: Final = 1_000
"""Values given of one facet."""

PAGE_SIZE_MAX: Final = 1_000
"""Hits of one page."""

OFFSET_MAX: Final = 10_000
"""Hits that a page can leave out before it begins: each one costs as much as a hit. A cursor goes on from any place."""

CURSOR_CHARACTERS_MAX: Final = 4_096
"""Characters of a cursor."""

FACET_VALUE_CHARACTERS_MAX: Final = 1_024
"""Characters of a value that can be counted and filtered by; a longer one is not a facet value."""

TOKEN_BYTES_MAX: Final = 255
"""Bytes of a token; longer ones (a signature, an encoded picture) are not looked for. Elasticsearch's default too."""

TITLE_WORDS_MAX: Final = 20
"""Words of a title that as-you-type suggestions look at, and that they are begun from."""

TITLE_TERM_CHARACTERS_MAX: Final = 200
"""Characters of a title that as-you-type suggestions compare."""

HIGHLIGHT_CHARACTERS_MAX: Final = 100_000
"""Characters of a document's text, of one path, in which hits are marked."""

FRAGMENT_CHARACTERS_MAX: Final = 240
"""Characters of a highlight's fragment."""

SUGGEST_CHARACTERS_MAX: Final = 200
"""Characters that suggestions are made for."""

SUGGEST_WORDS_MAX: Final = 20
"""Words that suggestions are made for."""

SUGGESTIONS_MAX: Final = 50
"""Completions, and hits, of one answer to what is being typed."""

NEAR_LETTERS: Final = (4, 8)
"""Letters from which on a word may have one slip, and two: in a shorter one every slip makes another word."""

NEAR_WORDS_MAX: Final = 20
"""Words of one search that may have slips: each is compared with every word of the index."""

CORRECTION_HITS: Final = 10
"""Documents in which a word is looked for that could have been meant."""

RELATED_MAX: Final = 100
"""Related documents of one answer."""

RELATED_TERMS_MAX: Final = 25
"""Words and facet values, the most telling ones, by which related documents are looked for."""

LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of one view record."""

READ_BYTES: Final = 1024 * 1024
"""Of a file of view records, read at a time: each read lets other threads have the interpreter, and waits to get it back."""

LOAD_HEAP_BYTES: Final = 256 * 1024 * 1024
"""Memory that the engine's threads together use for a bulk load before they write a segment."""

LOAD_THREADS_MAX: Final = 8
"""Threads of a bulk load; the maker of documents is one more, and the end of what more threads bring."""

WRITE_HEAP_BYTES: Final = 48 * 1024 * 1024
"""Memory that the engine uses for the documents of one `write` before they become a segment."""

SCAN_DOCUMENTS: Final = 20_000
"""Documents whose addresses a scan holds at a time."""

OPEN_ATTEMPTS_MAX: Final = 100
"""How often a reader looks again when a writer replaced an index while it was being opened."""

CHANGE_WAIT_SECONDS_MAX: Final = 30.0
"""How long a change of an index's generations waits for another process's."""

HOLDER_CHARACTERS_MAX: Final = 200
"""Characters of what the holder of a lease says of itself."""

WAIT_POLL_SECONDS: Final = 0.01
"""How often someone who waits for an offset looks how far the index is."""

CALL_SECONDS_MAX: Final = 60.0
"""How long one request to a search server may take."""

REQUESTS_MAX: Final = 3
"""Requests sent to a search server for each one that is needed: more would keep down a server that is overloaded."""

CALL_PAUSE_SECONDS: Final = 0.25
"""The longest pause before a request is sent again, for somebody who waits; doubled each time."""

BULK_PAUSE_SECONDS: Final = 2.0
"""The same for documents: nobody waits, and a server has more to catch up with."""

PAUSE_SECONDS_MAX: Final = 30.0
"""No pause between two attempts is longer, and no server is left alone for longer."""

BULK_BYTES: Final = 4 * 1024 * 1024
"""Bytes of documents that are sent to a search server at a time."""

BULKS_MAX: Final = 3
"""Requests with documents that are under way at a time; who makes documents waits for the first of them."""

DOCUMENT_ID_BYTES_MAX: Final = 512
"""Bytes of a document's id on Elasticsearch; a longer one is replaced by its digest."""

SERVER_PAGE_DOCUMENTS: Final = 500
"""Documents that a scan asks a search server for at a time."""

LEASE_RENEWAL_SECONDS: Final = 0.5
"""How often the holder of a lease on a search server says that it is alive."""

LEASE_SILENCE_SECONDS: Final = 4.0
"""How long it may say nothing until another one may take the lease."""

REMOVED_SECONDS_MAX: Final = 10.0
"""How long a search server may remember the version of a document that was removed."""

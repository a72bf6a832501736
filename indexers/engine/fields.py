"""How the engine calls what a catalog declares: field names, the schema; and how it reads text."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

import tantivy

from assets.catalog import Catalog, content_types
from assets.view_definition import Search
from indexers.documents import has_numbers
from indexers.errors import UnknownField, UnknownView
from indexers.limits import TITLE_TERM_CHARACTERS_MAX, TITLE_WORDS_MAX, TOKEN_BYTES_MAX

ID: Final = "id"
SHELF: Final = "shelf"
"""State and view in one term: what a search, a scan and a count need to tell documents apart."""
VERSION: Final = "version"
NEWEST: Final = "newest"
OLDEST: Final = "oldest"
SOURCES: Final = "sources"
"""The URIs of a live document's closure."""
TIE: Final = "tie"
"""Made of the id: the order of documents with the same version."""
RECORD: Final = "record"
"""The record's line, stored as it came."""
WORDS: Final = "words"
"""The words of all of a document's text, with their endings: what people type, letter by letter and with slips."""
TITLE: Final = "title"
"""How what a document is called goes on, from its beginning and from each of its words: see `title_terms`."""

ANALYZER: Final = "news"
WORD_ANALYZER: Final = "words"

_START: Final = "^"


def shelf(state: str, view: str) -> str:
    """The term of a view's documents of one state."""
    return f"{state} {view}"


def news_analyzer() -> tantivy.TextAnalyzer:
    """How text is read, in documents and queries alike: words of letters and digits, in lower case, folded to ASCII,
    stemmed by Snowball's English (Porter 2). No word is left out: phrases with `the` or `to be` in them work.
    """
    return _folding().filter(tantivy.Filter.stemmer("english")).build()


def word_analyzer() -> tantivy.TextAnalyzer:
    """The same with each word's ending left on."""
    return _folding().build()


def _folding() -> tantivy.TextAnalyzerBuilder:
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(TOKEN_BYTES_MAX + 1))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
    )


class Analyzers(NamedTuple):
    """The ways to read text."""

    text: tantivy.TextAnalyzer
    words: tantivy.TextAnalyzer


def make_analyzers() -> Analyzers:
    """New ones: they are for one thread."""
    return Analyzers(news_analyzer(), word_analyzer())


def title_terms(words: Sequence[str]) -> Iterator[str]:
    """A title's folded words from its beginning and from each of them on: whatever goes on so begins one of these."""
    for number in range(min(len(words), TITLE_WORDS_MAX)):
        text = f"{' '.join(words[number : number + TITLE_WORDS_MAX])} "[:TITLE_TERM_CHARACTERS_MAX]
        if number == 0:
            yield _START + text
        yield text


def title_prefix(words: Sequence[str], *, is_start: bool, is_whole: bool) -> str:
    """What the terms of titles begin with that have these words, at their start or anywhere; the last may go on."""
    text = " ".join(words) + (" " if is_whole else "")
    return _START + text if is_start else text


class Ranked(NamedTuple):
    """Fields of ranks (`documents.Ranks`)."""

    newest: str
    oldest: str


class Fields:
    """The engine's fields for a catalog's paths. A path that several views declare is one field.

    Names are numbers: the engine reads dots in a name as steps into JSON.
    """

    def __init__(self, catalog: Catalog) -> None:
        searches = {view.name: view.search for view in catalog.views.values()}
        texts = sorted({path for search in searches.values() for path in search.text})
        facets = sorted({path for search in searches.values() for path in search.facets})
        self._text = {path: f"t{number}" for number, path in enumerate(texts)}
        self._facets = {path: f"f{number}" for number, path in enumerate(facets)}
        self._searches = searches
        self._titles = {
            name: max(search.text, key=lambda path: search.text[path])
            for name, search in searches.items()
            if search.text
        }
        self._times = {path for path in facets if _is_time(catalog, path)}
        self._ordered = {path for path in facets if _is_ordered(catalog, path)}

    @property
    def views(self) -> Collection[str]:
        """The names of the catalog's views."""
        return self._searches.keys()

    def check_view(self, view: str | None) -> None:
        """Raises UnknownView unless it is None or a view of the catalog."""
        if view is not None and view not in self._searches:
            raise UnknownView(view, self._searches)

    def is_text_of_one(self, path: str, view: str | None) -> bool:
        """Whether no view other than this one has text at this path; always where none is named."""
        return view is None or not any(path in search.text for search in self._others(view))

    def is_facet_of_one(self, path: str, view: str | None) -> bool:
        """Whether no view other than this one has a facet at this path; always where none is named."""
        return view is None or not any(path in search.facets for search in self._others(view))

    def is_date_of_one(self, view: str | None) -> bool:
        """Whether no view other than this one has a date; always where none is named."""
        return view is None or all(search.date is None for search in self._others(view))

    def _others(self, view: str) -> Iterator[Search]:
        return (search for name, search in self._searches.items() if name != view)

    def boosts(self, view: str | None) -> dict[str, float]:
        """Text path to its boost in one view; where several are searched, to the highest."""
        boosts: dict[str, float] = {}
        for name, search in self._searches.items():
            if view in {None, name}:
                for path, boost in search.text.items():
                    boosts[path] = max(boost, boosts.get(path, boost))
        return boosts

    def facets(self, view: str | None) -> set[str]:
        """The facet paths of one view, or of all."""
        return {path for name, search in self._searches.items() if view in {None, name} for path in search.facets}

    def title(self, view: str) -> str | None:
        """The text path that counts most in a view, the first of several: what its documents are called by."""
        return self._titles.get(view)

    def text_field(self, path: str) -> str:
        """The engine's name of a text path."""
        return self._text[path]

    def facet_field(self, path: str, view: str | None, use: str) -> str:
        """The engine's name of a facet path.

        Raises:
            UnknownField: the view declares no such facet; `use` says what it was wanted for.
        """
        known = self.facets(view)
        if path not in known:
            raise UnknownField(path, known, use)
        return self._facets[path]

    def number_field(self, path: str, view: str | None) -> str:
        """The engine's name of a facet's values as numbers.

        Raises:
            UnknownField: the view declares no such facet, or its values are in no order.
        """
        known = self.facets(view) & self._ordered
        if path not in known:
            raise UnknownField(path, known, "compare")
        return self._facets[path].replace("f", "n")

    def rank_fields(self, path: str, view: str | None) -> Ranked:
        """The engine's names of a facet's times as places in the orders by date.

        Raises:
            UnknownField: the view declares no such facet, or its values are no times.
        """
        known = self.facets(view) & self._times
        if path not in known:
            raise UnknownField(path, known, "order by")
        return Ranked(self._facets[path].replace("f", "d"), self._facets[path].replace("f", "o"))

    def is_time(self, path: str) -> bool:
        """Whether a facet's values are times."""
        return path in self._times

    def is_ordered(self, path: str) -> bool:
        """Whether a facet's values are whole numbers or times."""
        return path in self._ordered

    def schema(self) -> tantivy.Schema:
        """The engine's schema."""
        builder = tantivy.SchemaBuilder()
        builder.add_text_field(ID, tokenizer_name="raw", index_option="basic")
        builder.add_text_field(SHELF, tokenizer_name="raw", index_option="basic", fast=True)
        builder.add_text_field(SOURCES, tokenizer_name="raw", index_option="basic")
        builder.add_unsigned_field(VERSION, fast=True)
        builder.add_unsigned_field(TIE, fast=True)
        builder.add_integer_field(NEWEST, fast=True)
        builder.add_integer_field(OLDEST, fast=True)
        builder.add_bytes_field(RECORD, stored=True)
        builder.add_text_field(WORDS, tokenizer_name=WORD_ANALYZER, index_option="basic")
        builder.add_text_field(TITLE, tokenizer_name="raw", index_option="basic")
        for name in self._text.values():
            builder.add_text_field(name, tokenizer_name=ANALYZER, index_option="position")
        for path, name in self._facets.items():
            builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
            if path in self._ordered:
                builder.add_integer_field(self.number_field(path, None), fast=True)
            if path in self._times:
                for rank in self.rank_fields(path, None):
                    builder.add_integer_field(rank, fast=True)
        return builder.build()


def _is_time(catalog: Catalog, path: str) -> bool:
    views = [view for view in catalog.views.values() if path in view.search.facets]
    types = [type_ for view in views for type_ in content_types(catalog.kinds, view, path)]
    return all(type_.search_class == "time" for type_ in types)


def _is_ordered(catalog: Catalog, path: str) -> bool:
    views = [view for view in catalog.views.values() if path in view.search.facets]
    return all(has_numbers(content_types(catalog.kinds, view, path)) for view in views)

"""Documents into the engine."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import tantivy

from assets.catalog import Catalog
from denormalizer.view import View
from indexers.documents import Documents, document_id, ranks, tie
from indexers.engine import fields, typed
from indexers.engine.fields import Fields, title_terms, word_analyzer
from indexers.errors import InvalidRecord
from indexers.records import read_content, read_sources

MARK_ID: Final = ""
"""The id of the document that holds the watermark: it changes in the same commit as the documents it speaks for."""


class Maker:
    """Makes the engine's documents of view records."""

    def __init__(self, catalog: Catalog, names: Fields, schema: tantivy.Schema) -> None:
        self._schema = schema
        self._analyzer = word_analyzer()
        self._titles = {view: names.title(view) for view in catalog.views}
        self._makers = {view: Documents(catalog, view) for view in catalog.views}
        self._text = {view: {path: names.text_field(path) for path in names.boosts(view)} for view in catalog.views}
        self._numbers = {
            view: {path: names.number_field(path, view) for path in names.facets(view) if names.is_ordered(path)}
            for view in catalog.views
        }
        self._times = {
            view: {path: names.rank_fields(path, view) for path in names.facets(view) if names.is_time(path)}
            for view in catalog.views
        }
        self._facets = {
            view: {path: names.facet_field(path, view, "count") for path in names.facets(view)}
            for view in catalog.views
        }

    def text(self, view: str, content: Mapping[str, Any]) -> dict[str, list[str]]:
        """The strings at each text path of a view's content."""
        return self._makers[view].text(content)

    def values(self, view: View, place: str) -> dict[str, list[str]]:
        """What a live view has in the engine's text and facet fields."""
        document = self._makers[view.view].document(read_content(view, place))
        text, facets = self._text[view.view], self._facets[view.view]
        return {
            **{text[path]: strings for path, strings in document.text.items()},
            **{facets[path]: values for path, values in document.facets.items()},
        }

    def document(self, view: View, line: bytes, place: str) -> tantivy.Document:
        """The document of a record; a tombstone has nothing that a search could find.

        Raises:
            InvalidRecord: it is of no view of the catalog, or its content is not JSON.
        """
        maker = self._makers.get(view.view)
        if maker is None:
            raise InvalidRecord(place, f"{view.view!r} is no view of this catalog")
        id_ = document_id(view.view, view.uri)
        found: dict[str, Any] = {
            fields.ID: id_,
            fields.SHELF: fields.shelf(view.state, view.view),
            fields.VERSION: view.version,
            fields.TIE: tie(id_),
            fields.RECORD: line,
        }
        if view.state == "live":
            document = maker.scanned(view.content) or maker.document(read_content(view, place))
            found[fields.SOURCES] = read_sources(view, place)
            found[fields.NEWEST], found[fields.OLDEST] = ranks(document.date, id_)
            text, facets = self._text[view.view], self._facets[view.view]
            for path, strings in document.text.items():
                found[text[path]] = strings
            found[fields.WORDS] = [string for strings in document.text.values() for string in strings]
            found[fields.TITLE] = self._title(document.text.get(self._titles[view.view] or "", []))
            for path, values in document.facets.items():
                found[facets[path]] = values
            for path, name in self._times[view.view].items():
                times = document.numbers.get(path) or [None]
                found[name.newest], found[name.oldest] = ranks(times[0], id_)
            for path, name in self._numbers[view.view].items():
                if document.numbers.get(path):
                    found[name] = document.numbers[path]
        return typed.make_document(found, self._schema)

    def _title(self, strings: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(term for string in strings for term in title_terms(self._analyzer.analyze(string))))

    def mark(self, applied_through: int, loaded: int) -> tantivy.Document:
        """The document that holds the watermark, and how much was loaded of an unfinished index."""
        found = {fields.ID: MARK_ID, fields.RECORD: f"{applied_through} {loaded}".encode()}
        return typed.make_document(found, self._schema)

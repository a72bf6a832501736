"""View records into lines of bulk requests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from assets.catalog import Catalog
from denormalizer.view import View
from indexers.documents import Documents, document_id, ranks, tie
from indexers.elasticsearch import names
from indexers.elasticsearch.calls import Action
from indexers.engine import fields
from indexers.engine.fields import Fields, title_terms, word_analyzer
from indexers.errors import InvalidRecord
from indexers.limits import BULK_BYTES
from indexers.records import read_content, read_sources


class Maker:
    """Makes documents of view records. For one thread at a time."""

    def __init__(self, catalog: Catalog, known: Fields) -> None:
        self._analyzer = word_analyzer()
        self._known = known
        self._makers = {view: Documents(catalog, view) for view in catalog.views}
        self._titles = {view: known.title(view) or "" for view in catalog.views}
        self._times = {view: [path for path in known.facets(view) if known.is_time(path)] for view in catalog.views}

    def text(self, view: str, content: Mapping[str, Any]) -> dict[str, list[str]]:
        """The strings at each text path of a view's content."""
        return self._makers[view].text(content)

    def values(self, view: View, place: str) -> dict[str, list[str]]:
        """What a live view has in the server's text and facet fields."""
        document = self._makers[view.view].document(read_content(view, place))
        return {
            **{names.text(path): strings for path, strings in document.text.items()},
            **{names.facet(path): values for path, values in document.facets.items() if values},
        }

    def action(self, view: View, line: bytes, place: str, version_type: str) -> Action:
        """What writes a record; a tombstone has nothing that a search could find.

        Raises:
            InvalidRecord: it is of no view of the catalog, or its content is not JSON.
        """
        maker = self._makers.get(view.view)
        if maker is None:
            raise InvalidRecord(place, f"{view.view!r} is no view of this catalog")
        id_ = document_id(view.view, view.uri)
        found: dict[str, Any] = {
            names.ID: id_,
            names.SHELF: fields.shelf(view.state, view.view),
            names.VERSION: view.version,
            names.TIE: names.signed(tie(id_)),
            names.RECORD: line.decode(),
        }
        if view.state == "live":
            document = maker.scanned(view.content) or maker.document(read_content(view, place))
            found[names.SOURCES] = read_sources(view, place)
            found[names.NEWEST], found[names.OLDEST] = ranks(document.date, id_)
            found |= {names.text(path): strings for path, strings in document.text.items()}
            found |= {names.facet(path): values for path, values in document.facets.items()}
            found |= {names.number(path): numbers for path, numbers in document.numbers.items()}
            found[names.WORDS] = self._words(string for strings in document.text.values() for string in strings)
            found[names.TITLE] = self._title(document.text.get(self._titles[view.view], []))
            for path in self._times[view.view]:
                times: Sequence[int | None] = document.numbers.get(path) or [None]
                found[names.newest(path)], found[names.oldest(path)] = ranks(times[0], id_)
        return index_action(id_, view.version, version_type, found)

    def _words(self, strings: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(word for string in strings for word in self._analyzer.analyze(string)))

    def _title(self, strings: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(term for string in strings for term in title_terms(self._analyzer.analyze(string))))


def index_action(id_: str, version: int, version_type: str, document: Mapping[str, Any]) -> Action:
    """What writes a document unless one of a higher version (`external`: or of the same) is there."""
    head = {"index": {"_id": names.key(id_), "version": version, "version_type": version_type}}
    return Action(id_, b"%b\n%b\n" % (orjson.dumps(head), orjson.dumps(document)))


def delete_action(id_: str) -> Action:
    """What removes a document, whatever its version."""
    return Action(id_, b"%b\n" % orjson.dumps({"delete": {"_id": names.key(id_)}}))


def watermark_action(applied_through: int) -> Action:
    """What says how far the documents go; it never goes back."""
    mark = {names.ID: names.WATERMARK_ID, names.SHELF: names.MARK, names.THROUGH: applied_through}
    record = {names.RECORD: str(applied_through)}
    # Versions begin with 0, watermarks with -1.
    return index_action(names.WATERMARK_ID, applied_through + 1, "external", {**mark, **record})


def loaded_action(loaded: int, count: int) -> Action:
    """What says how much was loaded, and how many records that were."""
    record = f"{loaded} {count}"
    mark = {names.ID: names.LOADED_ID, names.SHELF: names.MARK, names.RECORD: record}
    return index_action(names.LOADED_ID, loaded, "external", mark)


def portions(actions: Iterable[Action]) -> Iterator[list[Action]]:
    """Actions in requests of a good size."""
    portion: list[Action] = []
    size = 0
    for action in actions:
        if portion and size + len(action.lines) > BULK_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(action)
        size += len(action.lines)
    if portion:
        yield portion

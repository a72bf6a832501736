"""View records into lines of bulk requests, and those to the server."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import Any

import orjson

from assets.catalog import Catalog
from denormalizer.view import View
from indexers.documents import Documents, document_id, ranks, tie
from indexers.elasticsearch import names
from indexers.elasticsearch.calls import Action, Calls, Outcome
from indexers.engine import fields
from indexers.engine.fields import Fields, title_terms, word_analyzer
from indexers.errors import InvalidRecord
from indexers.limits import BULK_BYTES, BULKS_MAX, TOKEN_BYTES_MAX
from indexers.records import read_content, read_sources

try:
    import indexers.native as _native
except ImportError:
    _native: Any = None


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
            if document.date is not None:
                found[names.DATE] = document.date
            found |= {names.text(path): strings for path, strings in document.text.items()}
            found |= {names.facet(path): values for path, values in document.facets.items()}
            found |= {names.number(path): numbers for path, numbers in document.numbers.items()}
            found[names.WORDS] = self._words(chain.from_iterable(document.text.values()))
            found[names.TITLE] = self._title(document.text.get(self._titles[view.view], []))
            for path in self._times[view.view]:
                times: Sequence[int | None] = document.numbers.get(path) or [None]
                found[names.newest(path)], found[names.oldest(path)] = ranks(times[0], id_)
        return index_action(id_, view.version, version_type, found)

    def _words(self, strings: Iterable[str]) -> list[str]:
        # No word goes over a line's end.
        text = "\n".join(strings)
        if _native is None:
            return list(dict.fromkeys(self._analyzer.analyze(text)))
        words, rest = _native.words(text, TOKEN_BYTES_MAX)
        return list(dict.fromkeys([*words, *self._analyzer.analyze(rest)])) if rest else words

    def _title(self, strings: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(term for string in strings for term in title_terms(self._analyzer.analyze(string))))


def index_action(id_: str, version: int, version_type: str, document: Mapping[str, Any]) -> Action:
    """What writes a document unless one of a higher version (`external`: or of the same) is there."""
    head = {"index": {"_id": names.key(id_), "version": version, "version_type": version_type}}
    return Action(id_, b"%b\n%b\n" % (orjson.dumps(head), orjson.dumps(document)), version)


def bare_action(action: Action) -> Action:
    """What writes a document without all that a team's mapping may be unable to index: its text, facets and numbers."""
    head, document = action.lines.splitlines()
    fields: dict[str, Any] = orjson.loads(document)
    kept = {name: value for name, value in fields.items() if name in names.PLAIN}
    return action._replace(lines=b"%b\n%b\n" % (head, orjson.dumps(kept)))


def line_of(action: Action) -> bytes:
    """The record's line in what writes a document."""
    return orjson.loads(action.lines.splitlines()[1])[names.RECORD].encode()


def delete_action(id_: str) -> Action:
    """What removes a document, whatever its version."""
    return Action(id_, b"%b\n" % orjson.dumps({"delete": {"_id": names.key(id_)}}))


def watermark_action(applied_through: int) -> Action:
    """What says how far the documents go; it never goes back."""
    mark = {names.ID: names.WATERMARK_ID, names.SHELF: names.MARK, names.THROUGH: applied_through}
    record = {names.RECORD: str(applied_through)}
    # Versions begin with 0, watermarks with -1.
    return index_action(names.WATERMARK_ID, applied_through + 1, "external", {**mark, **record})


def share_action(writer: int, writers: int, applied_through: int) -> Action:
    """What says how far the documents of one of several writers go."""
    id_ = f"{names.SHARE_ID} {writer}/{writers}"
    mark = {names.ID: id_, names.SHELF: names.MARK, names.RECORD: str(applied_through)}
    return index_action(id_, applied_through + 1, "external", mark)


def loaded_action(loaded: int, count: int) -> Action:
    """What says how much was loaded, and how many records that were."""
    record = f"{loaded} {count}"
    mark = {names.ID: names.LOADED_ID, names.SHELF: names.MARK, names.RECORD: record}
    return index_action(names.LOADED_ID, loaded, "external", mark)


class Spool:
    """Actions kept until all are there, outside the memory if they are many."""

    def __init__(self) -> None:
        self._file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=BULK_BYTES)  # noqa: SIM115 - closed below
        self._places: list[tuple[str, int, int]] = []

    def add(self, action: Action) -> None:
        """Keep one."""
        self._file.write(action.lines)
        self._places.append((action.id, action.version, len(action.lines)))

    def __iter__(self) -> Iterator[Action]:
        """Those kept, in order."""
        self._file.seek(0)
        for id_, version, length in self._places:
            yield Action(id_, self._file.read(length), version)

    def close(self) -> None:
        """Forget them."""
        self._file.close()


def send(calls: Calls, index: str, actions: Iterable[Action]) -> Outcome:
    """Write documents in requests of a good size, several of which are under way at a time.

    Raises:
        What `Calls.bulk` raises; any of the documents may be written then.
    """
    whole = Outcome({}, [])

    def gather(outcome: Outcome) -> None:
        whole.odd.update(outcome.odd)
        whole.unfit.extend(outcome.unfit)

    requests = portions(actions, calls)
    first, second = next(requests, None), next(requests, None)
    if first is None or second is None:
        return whole if first is None else calls.bulk(index, first)
    bulk = partial(calls.bulk, index, budget=calls.budget())
    pool = ThreadPoolExecutor(BULKS_MAX, "elasticsearch-bulk")
    try:
        under_way = deque(pool.submit(bulk, portion) for portion in (first, second))
        for portion in requests:
            if len(under_way) == BULKS_MAX:
                gather(under_way.popleft().result())
            under_way.append(pool.submit(bulk, portion))
        for request in under_way:
            gather(request.result())
    finally:
        pool.shutdown(cancel_futures=True)
    return whole


def portions(actions: Iterable[Action], calls: Calls) -> Iterator[list[Action]]:
    """Actions in requests of a good size."""
    portion: list[Action] = []
    size = 0
    for action in actions:
        if portion and size + len(action.lines) > calls.bulk_bytes:
            yield portion
            portion, size = [], 0
        portion.append(action)
        size += len(action.lines)
    if portion:
        yield portion

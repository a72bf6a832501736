"""One generation of an index in tantivy: load, write, read, search."""

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final, NamedTuple, cast

import tantivy

from assets.catalog import Catalog
from denormalizer.view import View
from indexers import cursors
from indexers.documents import document_id
from indexers.engine import fields, typed
from indexers.engine.fields import Fields
from indexers.engine.searching import Search
from indexers.engine.writing import MARK_ID, Maker
from indexers.errors import CorruptIndex, EngineFailed, InvalidRecord
from indexers.limits import (
    LOAD_HEAP_BYTES,
    LOAD_THREADS_MAX,
    OPEN_ATTEMPTS_MAX,
    SCAN_DOCUMENTS,
    WRITE_HEAP_BYTES,
)
from indexers.port import IndexInfo, Query, Results
from indexers.records import read_content, read_lines, read_record

_META_FILE: Final = "meta.json"
_FACET_SIZE_ALL: Final = 60_000
"""What the engine gives at most of one aggregation is 65,000."""

_Commit = tuple[int, int, int]


class _State(NamedTuple):
    """The index as of one commit."""

    searcher: tantivy.Searcher
    applied_through: int


class Engine:
    """One tantivy index and the catalog it was made by. Threads may share it; one writes at a time."""

    def __init__(self, index: tantivy.Index, folder: Path | None, catalog: Catalog, generation: str, url: str) -> None:
        """Use `create` or `open`."""
        self._index = index
        self._folder = folder
        self._catalog = catalog
        self._generation = generation
        self._url = url
        self._fields = Fields(catalog)
        self._schema = index.schema
        self._maker = Maker(catalog, self._fields, self._schema)
        index.register_tokenizer(fields.ANALYZER, fields.news_analyzer())
        index.config_reader("manual")
        self._writer: tantivy.IndexWriter | None = None
        self._writing = Lock()
        self._reloading = Lock()
        self._commit: _Commit | None = None
        self._state: _State | None = None

    @classmethod
    def create(cls, folder: Path | None, catalog: Catalog, generation: str, url: str) -> "Engine":
        """A new, empty one in an empty folder, or in memory."""
        schema = Fields(catalog).schema()
        index = tantivy.Index(schema) if folder is None else tantivy.Index(schema, path=str(folder), reuse=False)
        return cls(index, folder, catalog, generation, url)

    @classmethod
    def open(cls, folder: Path, catalog: Catalog, generation: str, url: str) -> "Engine":
        """The one in a folder; makes no file.

        Raises:
            EngineFailed: it can't be read.
        """
        with _failures(url):
            return cls(tantivy.Index.open(str(folder)), folder, catalog, generation, url)

    # ------------------------------------------------------------------------------------------------------- writing

    def load(self, parts: Iterable[tuple[BinaryIO, str]], applied_through: int) -> None:
        """Fill an empty one with the records in these files; each has a name to speak of it.

        Raises:
            InvalidRecord: what stands in a part is no view record of the catalog, or a view stands there twice.
            EngineFailed: it can't be written.
        """
        with _failures(self._url):
            writer = self._index.writer(LOAD_HEAP_BYTES, min(os.cpu_count() or 1, LOAD_THREADS_MAX))
        try:
            count = self._add_all(writer, parts)
            with _failures(self._url):
                writer.add_document(self._maker.mark(applied_through))
                writer.commit()
                writer.wait_merging_threads()
        except BaseException:
            _is_rolled_back(writer)
            raise
        state = self._reload()
        twice = [id_ for id_, times in state.searcher.terms_with_prefix(fields.ID, "", limit=1) if times > 1]
        if twice:
            raise InvalidRecord(twice[0], "it stands in the parts more than once")
        assert state.searcher.num_docs == count + 1, "every record became a document"

    def write(self, views: Iterable[View], applied_through: int, *, repair: bool) -> None:
        """Bring views up to date, in one commit with the watermark.

        Raises:
            InvalidRecord: a view is not of the catalog; nothing is written.
            EngineFailed: it can't be written; nothing is.
        """
        with self._writing:
            state = self._present()
            with _failures(self._url):
                writer = self._writer = self._writer or self._open_writer()
            try:
                self._upsert(writer, state, views, repair=repair)
                with _failures(self._url):
                    writer.delete_documents_by_term(fields.ID, MARK_ID)
                    writer.add_document(self._maker.mark(max(applied_through, state.applied_through)))
                    writer.commit()
            except BaseException:
                if not _is_rolled_back(writer):
                    self._writer = None
                raise
            self._reload()

    def _open_writer(self) -> tantivy.IndexWriter:
        writer = self._index.writer(WRITE_HEAP_BYTES, 1)
        # A writer killed in a commit leaves files with the number of that commit, and the next one takes it again.
        writer.garbage_collect_files()
        return writer

    def _add_all(self, writer: tantivy.IndexWriter, parts: Iterable[tuple[BinaryIO, str]]) -> int:
        count = 0
        for file, name in parts:
            for line, place in read_lines(file, name):
                document = self._maker.document(read_record(line, place), line, place)
                try:
                    writer.add_document(document)
                except ValueError as error:
                    raise EngineFailed(self._url, str(error)) from None
                count += 1
        return count

    def _upsert(self, writer: tantivy.IndexWriter, state: _State, views: Iterable[View], *, repair: bool) -> None:
        versions: dict[str, int] = {}
        for view in views:
            id_ = document_id(view.view, view.uri)
            present = versions[id_] if id_ in versions else self._version(state, id_)
            if present is not None and (view.version < present or (view.version == present and not repair)):
                continue
            versions[id_] = view.version
            document = self._maker.document(view, view.to_line(), id_)
            with _failures(self._url):
                writer.delete_documents_by_term(fields.ID, id_)
                writer.add_document(document)

    def _version(self, state: _State, id_: str) -> int | None:
        query = tantivy.Query.term_query(self._schema, fields.ID, id_, "basic")
        hits = state.searcher.search(query, limit=1, count=False, order_by_field=fields.VERSION).hits
        return hits[0][0] if hits else None

    # ------------------------------------------------------------------------------------------------------- reading

    def info(self) -> IndexInfo:
        """What it says about itself."""
        state = self._present()
        request = {"shelves": {"terms": {"field": fields.SHELF, "size": _FACET_SIZE_ALL}}}
        found = typed.aggregate(state.searcher, tantivy.Query.all_query(), request)["shelves"]["buckets"]
        counts = {"live": dict.fromkeys(self._fields.views, 0), "gone": dict.fromkeys(self._fields.views, 0)}
        for bucket in found:
            word, _, view = cast("str", bucket["key"]).partition(" ")
            counts[word][view] = bucket["doc_count"]
        return IndexInfo(state.applied_through, self._catalog.digest, self._generation, counts["live"], counts["gone"])

    def get(self, view: str, uri: str) -> View | None:
        """One record, live or gone."""
        state = self._present()
        query = tantivy.Query.term_query(self._schema, fields.ID, document_id(view, uri), "basic")
        hits = state.searcher.search(query, limit=1, count=False).hits
        return self._read(state, hits[0][1]) if hits else None

    def scan(self, view: str | None) -> Iterator[View]:
        """Every record, in the order in which they lie on the disk, as of one commit."""
        self._fields.check_view(view)
        views = self._fields.views if view is None else [view]
        return self._scan(self._present(), [fields.shelf(word, name) for name in views for word in ("live", "gone")])

    def _scan(self, state: _State, shelves: Sequence[str]) -> Iterator[View]:
        # With equal scores the engine's order is the documents' own, so pages of it neither overlap nor leave gaps.
        any_of = tantivy.Query.term_set_query(self._schema, fields.SHELF, shelves)
        query = tantivy.Query.const_score_query(any_of, 1.0)
        total = typed.count(state.searcher, query)
        before = (-1, -1)
        for start in range(0, total, SCAN_DOCUMENTS):
            for _, address in state.searcher.search(query, SCAN_DOCUMENTS, count=False, offset=start).hits:
                place = (address.segment_ord, address.doc)
                assert place > before, "the engine gives equal scores in the documents' order"
                before = place
                yield self._read(state, address)

    def search(self, query: Query) -> Results:
        """A page of what the query finds."""
        state = self._present()
        search = Search(query, state.searcher, self._schema, self._fields)
        with _failures(self._url):
            page = search.page(lambda address: self._read(state, address))
            return Results(
                page.total,
                [search.hit(found, self._texts) for found in page.hits],
                search.facets(),
                cursors.encode(query, page.hits[-1].position) if page.has_next else None,
                state.applied_through,
                self._generation,
            )

    def close(self) -> None:
        """Stop writing; what is not committed is not written."""
        with self._writing:
            self._writer = None

    def _texts(self, view: View) -> Mapping[str, Sequence[str]]:
        return self._maker.text(view.view, read_content(view, self._url))

    def _read(self, state: _State, address: tantivy.DocAddress) -> View:
        line = cast("bytes", state.searcher.doc(address).get_first(fields.RECORD))
        return read_record(line, self._url)

    def _present(self) -> _State:
        """The latest commit; in a folder it may be another process's."""
        state = self._state
        if state is not None and self._latest_commit() == self._commit:
            return state
        return self._reload()

    def _reload(self) -> _State:
        with self._reloading:
            self._commit, self._state = self._open_latest()
            return self._state

    def _open_latest(self) -> tuple[_Commit | None, _State]:
        commit = self._latest_commit()
        for _ in range(OPEN_ATTEMPTS_MAX):
            try:
                self._index.reload()
                break
            except ValueError as error:
                # Another process may have committed meanwhile and removed files of the commit before, or replaced all.
                if self._state is not None and self._folder is not None and not self._folder.exists():
                    return self._commit, self._state
                before, commit = commit, self._latest_commit()
                if commit == before:
                    raise EngineFailed(self._url, str(error)) from None
        searcher = self._index.searcher()
        mark = tantivy.Query.term_query(self._schema, fields.ID, MARK_ID, "basic")
        hits = searcher.search(mark, limit=1, count=False).hits
        if not hits:
            raise CorruptIndex(self._url, "it does not say what it reflects")
        applied_through = int(cast("bytes", searcher.doc(hits[0][1]).get_first(fields.RECORD)))
        return commit, _State(searcher, applied_through)

    def _latest_commit(self) -> _Commit | None:
        """Which file tells of the latest commit: a commit replaces it."""
        if self._folder is None:
            return None
        try:
            status = (self._folder / _META_FILE).stat()
        except FileNotFoundError:
            # The whole generation was replaced; what is open of it can still be read.
            return self._commit
        return status.st_ino, status.st_mtime_ns, status.st_size


def _is_rolled_back(writer: tantivy.IndexWriter) -> bool:
    """Undo what is not committed. A writer that can't is of no more use, and is made to give up its lock."""
    try:
        writer.rollback()
        # A full disk stays full until what was written of the failed commit is gone.
        writer.garbage_collect_files()
    except ValueError:
        with suppress(ValueError):
            writer.wait_merging_threads()
        return False
    return True


@contextmanager
def _failures(url: str) -> Generator[None]:
    """The engine raises ValueError for all that goes wrong in it, a full disk included."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise EngineFailed(url, str(error)) from error

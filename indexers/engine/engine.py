"""One generation of an index in tantivy: load, write, read, search."""

import os
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final, NamedTuple, cast

import tantivy

from assets.catalog import Catalog
from assets.model import NEVER
from denormalizer.view import View
from indexers import cursors
from indexers.documents import document_id
from indexers.engine import fields, typed
from indexers.engine.changing import Changing
from indexers.engine.fields import Fields, make_analyzers
from indexers.engine.matching import is_encodable
from indexers.engine.ordering import Ordering
from indexers.engine.relating import like
from indexers.engine.searching import Search, check_size, make_hit
from indexers.engine.suggesting import Suggesting
from indexers.engine.writing import MARK_ID, Maker
from indexers.errors import CorruptIndex, EngineFailed, InvalidRecord
from indexers.limits import (
    LOAD_HEAP_BYTES,
    LOAD_THREADS_MAX,
    OPEN_ATTEMPTS_MAX,
    RELATED_MAX,
    SCAN_DOCUMENTS,
    WRITE_HEAP_BYTES,
)
from indexers.port import Changes, Dependents, Hit, IndexInfo, Place, Query, Related, Results, Suggestions, Typed
from indexers.records import read_content, read_lines, read_record

_META_FILE: Final = "meta.json"
_FACET_SIZE_ALL: Final = 60_000
"""What the engine gives at most of one aggregation is 65,000."""

_CommitFile = tuple[int, int, int]


class _Mark(NamedTuple):
    """What a commit says of itself."""

    applied_through: int
    loaded: int = 0
    """What `extend` said last."""


class _State(NamedTuple):
    """The index as of one commit."""

    searcher: tantivy.Searcher
    mark: _Mark


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
        index.register_tokenizer(fields.WORD_ANALYZER, fields.word_analyzer())
        index.config_reader("manual")
        self._writer: tantivy.IndexWriter | None = None
        self._writing = Lock()
        self._reloading = Lock()
        self._seen: _CommitFile | None = None
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
        with self._writing:
            writer = self._bulk_writer()
            with self._undoing(writer):
                count = self._add_all(writer, parts)
                self._commit(writer, _Mark(applied_through, 0))
            self._end_bulk(writer)
            assert self._reload().searcher.num_docs == count + 1, "every record became a document"

    def begin(self) -> None:
        """Make an empty one that `extend` and `finish` can fill.

        Raises:
            EngineFailed: it can't be written.
        """
        self.load([], NEVER)

    def extend(self, parts: Iterable[tuple[BinaryIO, str]], loaded: int) -> None:
        """Add the records in these files and the number, in one commit. The writer stays open for more.

        Raises:
            InvalidRecord: what stands in a part is no view record of the catalog; nothing of it stays.
            EngineFailed: it can't be written; nothing is.
        """
        with self._writing:
            applied_through = self._present().mark.applied_through
            writer = self._bulk_writer()
            with self._undoing(writer):
                self._add_all(writer, parts)
                self._commit(writer, _Mark(applied_through, loaded))
            self._reload()

    def finish(self, applied_through: int) -> None:
        """End what `extend` did: say what it reflects.

        Raises:
            InvalidRecord: a view stands there twice.
            EngineFailed: it can't be written.
        """
        with self._writing:
            loaded = self._present().mark.loaded
            writer = self._bulk_writer()
            with self._undoing(writer):
                self._commit(writer, _Mark(applied_through, loaded))
            self._end_bulk(writer)

    def write(
        self, views: Iterable[View], applied_through: int, *, repair: bool, remove: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Remove documents and bring views up to date, in one commit with the watermark.

        Raises:
            InvalidRecord: a view is not of the catalog; nothing is written.
            EngineFailed: it can't be written; nothing is.
        """
        with self._writing:
            state = self._present()
            writer = self._writer = self._writer or self._open_writer(WRITE_HEAP_BYTES, 1)
            with self._undoing(writer):
                versions = self._removed(writer, remove)
                self._upsert(writer, state, views, versions, repair=repair)
                mark = state.mark
                self._commit(writer, mark._replace(applied_through=max(applied_through, mark.applied_through)))
            self._reload()

    def _bulk_writer(self) -> tantivy.IndexWriter:
        threads = min(os.cpu_count() or 1, LOAD_THREADS_MAX)
        self._writer = self._writer or self._open_writer(LOAD_HEAP_BYTES, threads)
        return self._writer

    def _open_writer(self, heap_bytes: int, threads: int) -> tantivy.IndexWriter:
        with _failures(self._url):
            writer = self._index.writer(heap_bytes, threads)
            # A writer killed in a commit leaves files with the number of that commit, and the next one takes it again.
            writer.garbage_collect_files()
            return writer

    @contextmanager
    def _undoing(self, writer: tantivy.IndexWriter) -> Generator[None]:
        """Whatever fails, nothing of it stays."""
        try:
            yield
        except BaseException:
            if not _is_rolled_back(writer):
                self._writer = None
            raise

    def _commit(self, writer: tantivy.IndexWriter, mark: "_Mark") -> None:
        with _failures(self._url):
            writer.delete_documents_by_term(fields.ID, MARK_ID)
            writer.add_document(self._maker.mark(*mark))
            writer.commit()

    def _end_bulk(self, writer: tantivy.IndexWriter) -> None:
        """Let the segments be merged, and see that no view stands in them twice."""
        self._writer = None
        with _failures(self._url):
            writer.wait_merging_threads()
        # The most frequent come first. Deleted marks may count.
        often = self._reload().searcher.terms_with_prefix(fields.ID, "", limit=2)
        twice = [id_ for id_, times in often if times > 1 and id_ != MARK_ID]
        if twice:
            raise InvalidRecord(twice[0], "it stands in the parts more than once")

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

    def _removed(self, writer: tantivy.IndexWriter, remove: Iterable[tuple[str, str]]) -> dict[str, int | None]:
        """Remove documents; gives their ids, and that they have no version any more."""
        versions: dict[str, int | None] = {}
        for view, uri in remove:
            id_ = document_id(view, uri)
            versions[id_] = None
            with _failures(self._url):
                writer.delete_documents_by_term(fields.ID, id_)
        return versions

    def _upsert(
        self,
        writer: tantivy.IndexWriter,
        state: _State,
        views: Iterable[View],
        versions: dict[str, int | None],
        *,
        repair: bool,
    ) -> None:
        """Bring views up to date; `versions` are of documents that were changed since the last commit."""
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
        live, gone = self._shelves(state, tantivy.Query.all_query())
        return IndexInfo(state.mark.applied_through, self._catalog.digest, self._generation, live, gone)

    def _shelves(self, state: _State, query: tantivy.Query) -> tuple[dict[str, int], dict[str, int]]:
        """Live and gone documents by view."""
        request = {"shelves": {"terms": {"field": fields.SHELF, "size": _FACET_SIZE_ALL}}}
        found = typed.aggregate(state.searcher, query, request)["shelves"]["buckets"]
        counts = {"live": dict.fromkeys(self._fields.views, 0), "gone": dict.fromkeys(self._fields.views, 0)}
        for bucket in found:
            word, _, view = cast("str", bucket["key"]).partition(" ")
            counts[word][view] = bucket["doc_count"]
        return counts["live"], counts["gone"]

    @property
    def applied_through(self) -> int:
        """The watermark that all its documents reflect."""
        return self._present().mark.applied_through

    @property
    def loaded(self) -> int:
        """What `extend` said last."""
        return self._present().mark.loaded

    def get(self, view: str, uri: str) -> View | None:
        """One record, live or gone."""
        return self._find(self._present(), document_id(view, uri))

    def _find(self, state: _State, id_: str) -> View | None:
        if not is_encodable(id_):
            return None
        query = tantivy.Query.term_query(self._schema, fields.ID, id_, "basic")
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
        analyzers = make_analyzers()
        search = Search(query, state.searcher, self._schema, self._fields, analyzers)

        def read(address: tantivy.DocAddress) -> View:
            return self._read(state, address)

        with _failures(self._url):
            page = search.page(read)
            corrected = query.correct and page.total == 0
            return Results(
                page.total,
                [search.hit(found, self._texts) for found in page.hits],
                search.facets(),
                cursors.encode(query, page.hits[-1].position) if page.has_next else None,
                state.mark.applied_through,
                self._generation,
                search.corrections(read, self._texts) if corrected else (),
            )

    def dependents(self, uris: Collection[str], limit: int) -> Dependents:
        """The live views with any of these assets in their closure."""
        state = self._present()
        query = tantivy.Query.term_set_query(self._schema, fields.SOURCES, list(uris))
        with _failures(self._url):
            counts, _ = self._shelves(state, query)
            hits = typed.search(state.searcher, query, limit, by=fields.NEWEST)[0] if limit else []
        views = [self._read(state, address) for _, address in hits]
        return Dependents({view: count for view, count in counts.items() if count}, [view[:2] for view in views])

    def changes(self, place: Place, view: str | None, limit: int, bytes_max: int) -> Changes:
        """The records behind a place, as of one commit."""
        self._fields.check_view(view)
        state = self._present()
        through = state.mark.applied_through
        changing = Changing(state.searcher, self._schema, view, lambda address: self._read(state, address))
        views: list[View] = []
        has_more = False
        left = bytes_max
        with _failures(self._url):
            for record in changing.behind(place, through, limit + 1):
                left -= len(record.content) + len(record.sources)
                has_more = len(views) == limit or (left < 0 and bool(views))
                if has_more:
                    break
                views.append(record)
        if has_more:
            last = views[-1]
            place = Place(last.version, document_id(last.view, last.uri))
        else:
            place = max(place, Place(through + 1))
        return Changes(views, place, has_more, through, self._generation, self._catalog.digest)

    def suggest(self, typed: Typed) -> Suggestions:
        """How what was typed may go on, and what begins so."""
        state = self._present()
        suggesting = Suggesting(typed, state.searcher, self._schema, self._fields, make_analyzers())
        with _failures(self._url):
            hits = suggesting.hits(lambda address: self._read(state, address), self._texts)
            return Suggestions(suggesting.completions(), hits, state.mark.applied_through, self._generation)

    def related(self, view: str, uri: str, limit: int) -> Related | None:
        """Documents that are like one; None if it is not live."""
        self._fields.check_view(view)
        check_size(limit, RELATED_MAX, "related documents")
        state = self._present()
        with _failures(self._url):
            asked = self._find(state, document_id(view, uri))
            if asked is None or asked.state != "live":
                return None
            hits: list[Hit] = []
            query = like(self._maker.values(asked, self._url), document_id(view, uri), view, self._schema)
            if query is not None:
                ordering = Ordering(state.searcher, self._schema, query, lambda address: self._read(state, address))
                hits = [make_hit(found, "newest", {}) for found in ordering.first_by_score(limit)]
            return Related(hits, state.mark.applied_through, self._generation)

    def close(self) -> None:
        """Stop writing; what is not committed is not written."""
        with self._writing:
            self._writer = None

    def _texts(self, view: View) -> Mapping[str, Sequence[str]]:
        return self._maker.text(view.view, read_content(view, self._url))

    def _read(self, state: _State, address: tantivy.DocAddress) -> View:
        try:
            document = state.searcher.doc(address)
        except ValueError as error:
            raise EngineFailed(self._url, str(error)) from error
        return read_record(cast("bytes", document.get_first(fields.RECORD)), self._url)

    def _present(self) -> _State:
        """The latest commit; in a folder it may be another process's."""
        state = self._state
        if state is not None and self._latest_commit() == self._seen:
            return state
        return self._reload()

    def _reload(self) -> _State:
        with self._reloading:
            self._seen, self._state = self._open_latest()
            return self._state

    def _open_latest(self) -> tuple[_CommitFile | None, _State]:
        commit = self._latest_commit()
        for _ in range(OPEN_ATTEMPTS_MAX):
            try:
                self._index.reload()
                break
            except ValueError as error:
                # Another process may have committed meanwhile and removed files of the commit before, or replaced all.
                if self._state is not None and self._folder is not None and not self._folder.exists():
                    return self._seen, self._state
                before, commit = commit, self._latest_commit()
                if commit == before:
                    raise EngineFailed(self._url, str(error)) from None
        searcher = self._index.searcher()
        mark = tantivy.Query.term_query(self._schema, fields.ID, MARK_ID, "basic")
        hits = searcher.search(mark, limit=1, count=False).hits
        if not hits:
            raise CorruptIndex(self._url, "it does not say what it reflects")
        numbers = cast("bytes", searcher.doc(hits[0][1]).get_first(fields.RECORD)).split()
        return commit, _State(searcher, _Mark(*map(int, numbers)))

    def _latest_commit(self) -> _CommitFile | None:
        """Which file tells of the latest commit: a commit replaces it."""
        if self._folder is None:
            return None
        try:
            status = (self._folder / _META_FILE).stat()
        except FileNotFoundError:
            # The whole generation was replaced; what is open of it can still be read.
            return self._seen
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

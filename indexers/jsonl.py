"""`jsonl:PATH`: views to a file, one record per line, gone ones included.

A write makes the whole file again: this index is for taking views out, not for following a log. The first search builds
an index of it in memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import BinaryIO, get_args

from assets.catalog import Catalog
from denormalizer.view import State, View
from indexers import files
from indexers.described_file import DescribedFile, Meta, beside
from indexers.documents import document_id
from indexers.engine import Engine
from indexers.errors import EngineFailed, InvalidRecord, NoIndex, UnknownView, UnusableIndex
from indexers.generations import NEVER_LOADED, Description, describe
from indexers.port import Counts, IndexInfo, Query, Results
from indexers.records import check_end, open_part, read_content, read_lines, read_record

_Counts = tuple[dict[str, int], dict[str, int]]


class JsonlIndex:
    """A file of view records."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._file = DescribedFile(self._path, self.url)
        self._lock = files.WriterLock(beside(self._path, ".lock"), self.url)
        self._writing = Lock()
        self._building = Lock()
        self._counted: tuple[Meta, _Counts] | None = None
        self._built: tuple[Meta, Engine] | None = None

    @property
    def url(self) -> str:
        return f"jsonl:{self._path}"

    def info(self) -> IndexInfo:
        try:
            meta, file = self._file.open()
        except NoIndex:
            return NEVER_LOADED
        with file:
            counted = self._counted
            if counted is None or counted[0] != meta:
                catalog = meta.description.catalog(self.url)
                counted = self._counted = meta, _count(file, str(self._path), catalog)
        live, gone = counted[1]
        description = meta.description
        return IndexInfo(meta.applied_through, description.catalog_digest, description.generation, live, gone)

    def load(
        self, parts: Sequence[Path], *, catalog: Catalog, applied_through: int, counted: Counts | None = None
    ) -> IndexInfo:
        with self._writing:
            self._take_lock()
            self._replace(lambda path: _join(parts, path), describe(catalog), catalog, applied_through, counted)
        return self.info()

    def write(self, views: Iterable[View], *, applied_through: int, repair: bool = False) -> None:
        with self._writing:
            meta, file = self._file.open()
            with file:
                self._take_lock()
                catalog = meta.description.catalog(self.url)
                changes = _latest(views, catalog, repair=repair)

                def write(path: Path) -> None:
                    lines = _changed(file, str(self._path), changes, repair=repair)
                    with path.open("wb") as target:
                        target.writelines(line + b"\n" for line in lines)

                self._replace(write, meta.description, catalog, max(applied_through, meta.applied_through))

    def get(self, view: str, uri: str) -> View | None:
        return self._engine().get(view, uri)

    def scan(self, view: str | None = None) -> Iterator[View]:
        meta, file = self._file.open()
        known = meta.description.catalog(self.url).views
        if view is not None and view not in known:
            file.close()
            raise UnknownView(view, known)
        return _scan(file, str(self._path), view)

    def search(self, query: Query) -> Results:
        return self._engine().search(query)

    def close(self) -> None:
        with self._writing:
            self._lock.release()

    def _take_lock(self) -> None:
        try:
            self._lock.take()
        except OSError as error:
            raise UnusableIndex(
                self.url, f"nothing can be written there ({error.strerror})", "Name a file in a folder that exists"
            ) from None

    def _engine(self) -> Engine:
        """An index in memory of the present file."""
        with self._building:
            meta, file = self._file.open()
            with file:
                if self._built is None or self._built[0] != meta:
                    description = meta.description
                    engine = Engine.create(None, description.catalog(self.url), description.generation, self.url)
                    engine.load([(file, str(self._path))], meta.applied_through)
                    self._built = meta, engine
            return self._built[1]

    def _replace(
        self,
        write: Callable[[Path], None],
        description: Description,
        catalog: Catalog,
        applied_through: int,
        known: Counts | None = None,
    ) -> None:
        """Put what `write` makes in place of the file, once it is known or seen to be records of the catalog."""
        counted: list[_Counts] = []

        def write_and_count(path: Path) -> None:
            write(path)
            if known is not None:
                none: Mapping[State, int] = {"live": 0, "gone": 0}
                live, gone = (
                    {view: known.get(view, none)[state] for view in catalog.views} for state in get_args(State)
                )
                counted.append((live, gone))
                return
            with path.open("rb") as file:
                counted.append(_count(file, str(path), catalog))

        try:
            meta = self._file.replace(write_and_count, description, applied_through)
        except OSError as error:
            raise EngineFailed(self.url, str(error)) from error
        self._counted = meta, counted[0]


def _count(file: BinaryIO, name: str, catalog: Catalog) -> _Counts:
    """Live and gone records by view.

    Raises:
        InvalidRecord: a line is none of a view of the catalog, or a view stands there twice.
    """
    counts = {state: dict.fromkeys(catalog.views, 0) for state in ("live", "gone")}
    # Hashes of ids: two that are equal are looked into.
    seen: set[int] = set()
    number = 0
    for line, place in read_lines(file, name):
        record = read_record(line, place)
        if record.view not in catalog.views:
            raise InvalidRecord(place, f"{record.view!r} is no view of this catalog")
        counts[record.state][record.view] += 1
        seen.add(hash((record.view, record.uri)))
        number += 1
    if len(seen) < number:
        _check_once(file, name)
    return counts["live"], counts["gone"]


def _check_once(file: BinaryIO, name: str) -> None:
    file.seek(0)
    seen: set[tuple[str, str]] = set()
    for line, place in read_lines(file, name):
        record = read_record(line, place)
        if (record.view, record.uri) in seen:
            raise InvalidRecord(place, f"{record.view} {record.uri} stands in the parts more than once")
        seen.add((record.view, record.uri))


def _join(parts: Sequence[Path], path: Path) -> None:
    """Make one file of the parts, behind the first of them, which is moved where it lies on the same file system."""
    with ExitStack() as stack:
        opened = [stack.enter_context(open_part(part)) for part in parts]
        for part, file in zip(parts, opened, strict=True):
            check_end(file, str(part))
        path.unlink(missing_ok=True)
        if parts and parts[0].stat().st_dev == path.parent.stat().st_dev:
            parts[0].replace(path)
            opened = opened[1:]
        files.append(opened, path)


def _scan(file: BinaryIO, name: str, view: str | None) -> Iterator[View]:
    with file:
        for line, place in read_lines(file, name):
            record = read_record(line, place)
            if view is None or record.view == view:
                yield record


def _latest(views: Iterable[View], catalog: Catalog, *, repair: bool) -> dict[str, View]:
    """The last word on each view, by document id, in the order they came."""
    latest: dict[str, View] = {}
    for view in views:
        id_ = document_id(view.view, view.uri)
        if view.view not in catalog.views:
            raise InvalidRecord(id_, f"{view.view!r} is no view of this catalog")
        read_content(view, id_)
        if _wins(view, latest.get(id_), repair=repair):
            latest[id_] = view
    return latest


def _changed(file: BinaryIO, name: str, changes: dict[str, View], *, repair: bool) -> Iterator[bytes]:
    """The file's lines with the changes in place, and what is new behind them."""
    new = dict(changes)
    for line, place in read_lines(file, name):
        present = read_record(line, place)
        change = new.pop(document_id(present.view, present.uri), None)
        yield change.to_line() if change is not None and _wins(change, present, repair=repair) else line
    for view in new.values():
        yield view.to_line()


def _wins(view: View, present: View | None, *, repair: bool) -> bool:
    return present is None or view.version > present.version or (repair and view.version == present.version)

"""`jsonl:PATH`: views to a file, one record per line, gone ones included.

A write makes the whole file again: this index is for taking views out, not for following a log. The first search builds
an index of it in memory.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from threading import Lock
from typing import BinaryIO, get_args

from assets.catalog import Catalog
from assets.model import NEVER
from denormalizer.view import State, View
from indexers import files
from indexers.described_file import DescribedFile, Meta
from indexers.documents import document_id
from indexers.engine import Engine
from indexers.engine.reading import Reading
from indexers.errors import CorruptIndex, InvalidRecord, NoGeneration, NoIndex, OneWriter, UnknownView, UnusableIndex
from indexers.generation_files import GenerationFiles
from indexers.generations import (
    FORMAT,
    NEVER_LOADED,
    Description,
    check_complete,
    check_expected,
    check_retired,
    check_unfinished,
    created,
    describe,
)
from indexers.leases import FileLease
from indexers.port import (
    Counts,
    GenerationInfo,
    IndexInfo,
    Lease,
    Share,
)
from indexers.records import check_end, open_part, open_parts, read_content, read_lines, read_record

_Counts = tuple[dict[str, int], dict[str, int]]


class JsonlGeneration(Reading):
    """One generation, wherever its file lies; without a name the one that is current at the moment."""

    def __init__(self, store: GenerationFiles, name: str | None) -> None:
        self._store = store
        self._name = name
        self._building = Lock()
        self._counted: tuple[Meta, _Counts] | None = None
        self._built: tuple[Meta, Engine] | None = None

    @property
    def url(self) -> str:
        return self._store.url

    def info(self) -> IndexInfo:
        try:
            place, meta, file = self._store.open(self._name)
        except NoIndex:
            return NEVER_LOADED
        with file:
            counted = self._counted
            if counted is None or counted[0] != meta:
                catalog = meta.description.catalog(self.url)
                counted = self._counted = meta, _count(file, str(place.path), catalog)
        live, gone = counted[1]
        description = meta.description
        return IndexInfo(meta.applied_through, description.catalog_digest, description.generation, live, gone)

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        if self._name is None and self._store.current is None:
            raise NoIndex(self.url)
        with self._store.changing():
            place, meta, file = self._store.open(self._name)
            with file:
                self._store.take_writer(meta.description.generation)
                catalog = meta.description.catalog(self.url)
                removed = {document_id(*pair) for pair in remove}
                changes = _latest(views, catalog, repair=repair)

                def write(path: Path) -> None:
                    lines = _changed(file, str(place.path), changes, removed, repair=repair)
                    with path.open("wb") as target:
                        target.writelines(line + b"\n" for line in lines)

                self._replace(place, write, meta.description, catalog, max(applied_through, meta.applied_through))

    def scan(self, view: str | None = None) -> Iterator[View]:
        place, meta, file = self._store.open(self._name)
        known = meta.description.catalog(self.url).views
        if view is not None and view not in known:
            file.close()
            raise UnknownView(view, known)
        return _scan(file, str(place.path), view)

    def applied_through(self) -> int:
        try:
            _, meta, file = self._store.open(self._name)
        except NoIndex:
            return NEVER
        file.close()
        return meta.applied_through

    def close(self) -> None:
        self._store.release_writers(self._name)

    def _reader(self) -> Engine:
        """An index in memory of the present file."""
        with self._building:
            place, meta, file = self._store.open(self._name)
            with file:
                if self._built is None or self._built[0] != meta:
                    description = meta.description
                    engine = Engine.create(None, description.catalog(self.url), description.generation, self.url)
                    engine.load([(file, str(place.path))], meta.applied_through)
                    self._built = meta, engine
            return self._built[1]

    def _replace(
        self,
        place: DescribedFile,
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

        meta = place.replace(write_and_count, description, applied_through)
        self._counted = meta, counted[0]


class JsonlIndex(JsonlGeneration):
    """A file of view records, and the generations beside it."""

    def __init__(self, path: Path) -> None:
        path = path.absolute()
        super().__init__(GenerationFiles(path, f"jsonl:{path}"), None)
        self._lease = FileLease(path.with_name(f"{path.name}.lease"), self.url)

    def load(
        self, parts: Sequence[Path], *, catalog: Catalog, applied_through: int, counted: Counts | None = None
    ) -> IndexInfo:
        with self._store.changing(), self._store.replacing():
            place = self._store.in_place
            self._replace(place, lambda path: _join(parts, path), describe(catalog), catalog, applied_through, counted)
        return self.info()

    def generations(self) -> Sequence[GenerationInfo]:
        current = self._store.current
        return [info for name in self._store.names() if (info := self._about(name, current or "")) is not None]

    def generation(self, name: str) -> JsonlGeneration:
        _, meta, file = self._store.open(name)
        file.close()
        check_complete(self.url, meta.description)
        return JsonlGeneration(self._store, name)

    def share(self, name: str, writer: int, writers: int) -> Share:  # noqa: ARG002 - it has one writer
        raise OneWriter(self.url)

    def catalog(self, name: str | None = None) -> Catalog:
        _, meta, file = self._store.open(name)
        file.close()
        return meta.description.catalog(self.url)

    def begin(self, catalog: Catalog) -> str:
        description = describe(catalog, complete=False)
        with self._store.changing():
            self._store.make_folder()
            self._store.beside(description.generation).begin(description)
        return description.generation

    def extend(self, name: str, parts: Sequence[Path], *, loaded: int) -> None:
        with self._store.building(name):
            place, meta = self._unfinished(name, loaded)
            catalog = meta.description.catalog(self.url)
            for file, part in open_parts(parts):
                _count(file, part, catalog)
            place.extend(lambda path, start: _append(parts, path, start), loaded)

    def finish(self, name: str, *, applied_through: int) -> None:
        with self._store.building(name):
            place, meta = self._unfinished(name)
            # What a killed `extend` left behind the end is cut off.
            place.extend(os.truncate, meta.loaded)
            with place.path.open("rb") as file:
                _count(file, str(place.path), meta.description.catalog(self.url))
            place.finish(applied_through)
        self._store.release_writers(name)

    def switch(self, name: str, *, expected: str, token: int) -> None:
        with self._store.changing():
            self._lease.check(token)
            check_expected(self.url, expected, self._store.current or "")
            _, meta, file = self._store.open(name)
            file.close()
            check_complete(self.url, meta.description)
            self._store.switch(name)

    def remove(self, name: str) -> None:
        with self._store.changing():
            check_retired(self.url, name, self._store.current or "")
            self._store.remove(name)

    def lease(self, holder: str) -> AbstractContextManager[Lease]:
        self._store.check_folder()
        return self._lease.held(holder)

    def _unfinished(self, name: str, loaded: int | None = None) -> tuple[DescribedFile, Meta]:
        place, meta, file = self._store.open(name)
        file.close()
        if loaded is None:
            check_unfinished(self.url, meta.description)
        else:
            check_unfinished(self.url, meta.description, meta.loaded, loaded)
        return place, meta

    def _about(self, name: str, current: str) -> GenerationInfo | None:
        """What is to be said of a generation; nothing when it is not there any more."""
        try:
            place, meta, file = self._store.open(name)
        except NoGeneration:
            return None
        except (CorruptIndex, UnusableIndex):
            return GenerationInfo(name, "", NEVER, 0, name == current, False, created(name), 0)
        file.close()
        description = meta.description
        return GenerationInfo(
            name=name,
            catalog_digest=description.catalog_digest,
            applied_through=meta.applied_through,
            loaded=meta.loaded,
            current=place is self._store.in_place,
            complete=description.complete and description.format == FORMAT,
            created=created(name),
            bytes=meta.bytes,
        )


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
        start = 0
        if parts and parts[0].stat().st_dev == path.parent.stat().st_dev:
            parts[0].replace(path)
            start = path.stat().st_size
            opened = opened[1:]
        files.concatenate(opened, path, start)


def _append(parts: Sequence[Path], path: Path, start: int) -> None:
    """Put the parts behind what a file begins with."""
    with ExitStack() as stack:
        files.concatenate([stack.enter_context(open_part(part)) for part in parts], path, start)


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


def _changed(
    file: BinaryIO, name: str, changes: dict[str, View], removed: Collection[str], *, repair: bool
) -> Iterator[bytes]:
    """The file's lines with the changes in place and without what is removed, and what is new behind them."""
    new = dict(changes)
    for line, place in read_lines(file, name):
        present = read_record(line, place)
        id_ = document_id(present.view, present.uri)
        if id_ in removed:
            continue
        change = new.pop(id_, None)
        yield change.to_line() if change is not None and _wins(change, present, repair=repair) else line
    for view in new.values():
        yield view.to_line()


def _wins(view: View, present: View | None, *, repair: bool) -> bool:
    return present is None or view.version > present.version or (repair and view.version == present.version)

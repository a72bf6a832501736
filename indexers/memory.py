"""`memory:` and `memory:NAME`: an index that ends with the process."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from assets.catalog import Catalog
from assets.model import NEVER
from denormalizer.view import View
from indexers.engine import Engine
from indexers.engine.reading import Reading
from indexers.errors import LeaseHeld, NoGeneration, NoIndex
from indexers.following import Following
from indexers.generations import (
    Description,
    check_complete,
    check_expected,
    check_retired,
    check_unfinished,
    created,
    describe,
)
from indexers.leases import check_token, next_lease
from indexers.port import (
    Counts,
    GenerationInfo,
    IndexInfo,
    Lease,
)
from indexers.records import open_parts

_shared: dict[str, "MemoryIndex"] = {}


def shared(name: str) -> "MemoryIndex":
    """The one index of this name in this process."""
    return _shared.setdefault(name, MemoryIndex(f"memory:{name}"))


class MemoryGeneration(Reading):
    """A generation, and the embedded engine that holds it."""

    def __init__(self, description: Description, catalog: Catalog, url: str) -> None:
        self.description = description
        self.catalog = catalog
        self.engine = Engine.create(None, catalog, description.generation, url)
        self.is_removed = False
        self._url = url

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        if self.is_removed:
            raise NoGeneration(self._url, self.description.generation)
        self.engine.write(views, applied_through, repair=repair, remove=remove)

    def _reader(self) -> Engine:
        return self.engine

    def close(self) -> None:
        self.engine.close()


class MemoryIndex(Following):
    """Generations in memory. `load` makes another one and then takes it for the current one."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._generations: dict[str, MemoryGeneration] = {}
        self._current = ""
        self._leasing = Lock()
        self._lease: Lease | None = None

    @property
    def url(self) -> str:
        return self._url

    def load(
        self,
        parts: Sequence[Path],
        *,
        catalog: Catalog,
        applied_through: int,
        counted: Counts | None = None,  # noqa: ARG002 - each record is looked at anyway
    ) -> IndexInfo:
        with self._changes:
            made = MemoryGeneration(describe(catalog), catalog, self._url)
            made.engine.load(open_parts(parts), applied_through)
            former, name = self._current, made.description.generation
            self._generations[name] = made
            self._current = name
            if former:
                self._drop(former)
            return made.info()

    def generations(self) -> Sequence[GenerationInfo]:
        with self._changes:
            return [self._about(name) for name in sorted(self._generations)]

    def generation(self, name: str) -> MemoryGeneration:
        found = self._named(name)
        check_complete(self._url, found.description)
        return found

    def catalog(self, name: str | None = None) -> Catalog:
        return (self._present() if name is None else self._named(name)).catalog

    def begin(self, catalog: Catalog) -> str:
        begun = MemoryGeneration(describe(catalog, complete=False), catalog, self._url)
        begun.engine.begin()
        name = begun.description.generation
        with self._changes:
            self._generations[name] = begun
        return name

    def extend(self, name: str, parts: Sequence[Path], *, loaded: int) -> None:
        with self._changes:
            found = self._named(name)
            check_unfinished(self._url, found.description, found.engine.loaded, loaded)
            found.engine.extend(open_parts(parts), loaded)

    def finish(self, name: str, *, applied_through: int) -> None:
        with self._changes:
            found = self._named(name)
            check_unfinished(self._url, found.description)
            found.engine.finish(applied_through)
            found.description = found.description.finished()

    def switch(self, name: str, *, expected: str, token: int) -> None:
        with self._changes:
            check_token(self._url, self._lease, token)
            check_expected(self._url, expected, self._current)
            check_complete(self._url, self._named(name).description)
            self._current = name

    def remove(self, name: str) -> None:
        with self._changes:
            self._named(name)
            check_retired(self._url, name, self._current)
            self._drop(name)

    @contextmanager
    def lease(self, holder: str) -> Generator[Lease]:
        if not self._leasing.acquire(blocking=False):
            assert self._lease is not None
            raise LeaseHeld(self._url, self._lease.holder, self._lease.since)
        try:
            self._lease = lease = next_lease(self._lease, holder)
            yield lease
        finally:
            self._leasing.release()

    def close(self) -> None:
        """Nothing to release: a shared one stays for the others."""

    def _about(self, name: str) -> GenerationInfo:
        description, engine = self._generations[name].description, self._generations[name].engine
        return GenerationInfo(
            name=name,
            catalog_digest=description.catalog_digest,
            applied_through=engine.applied_through if description.complete else NEVER,
            loaded=engine.loaded,
            current=name == self._current,
            complete=description.complete,
            created=created(name),
            bytes=0,
        )

    def _drop(self, name: str) -> None:
        self._generations.pop(name).is_removed = True

    def _named(self, name: str) -> MemoryGeneration:
        found = self._generations.get(name)
        if found is None:
            raise NoGeneration(self._url, name)
        return found

    def _present(self) -> MemoryGeneration:
        # One look at which is current: another thread may replace it and remove the former one.
        while self._current:
            found = self._generations.get(self._current)
            if found is not None:
                return found
        raise NoIndex(self._url)

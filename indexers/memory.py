"""`memory:` and `memory:NAME`: an index that ends with the process."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from assets.catalog import Catalog
from denormalizer.view import View
from indexers.engine import Engine
from indexers.errors import NoIndex
from indexers.generations import NEVER_LOADED, describe
from indexers.port import Counts, IndexInfo, Query, Results
from indexers.records import open_parts

_shared: dict[str, "MemoryIndex"] = {}


def shared(name: str) -> "MemoryIndex":
    """The one index of this name in this process."""
    return _shared.setdefault(name, MemoryIndex(f"memory:{name}"))


class MemoryIndex:
    """The embedded engine in memory. `load` makes another one and then takes it for the present."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._loading = Lock()

    @property
    def url(self) -> str:
        return self._url

    def info(self) -> IndexInfo:
        return self._engine.info() if self._engine is not None else NEVER_LOADED

    def load(
        self,
        parts: Sequence[Path],
        *,
        catalog: Catalog,
        applied_through: int,
        counted: Counts | None = None,  # noqa: ARG002 - each record is looked at anyway
    ) -> IndexInfo:
        with self._loading:
            engine = Engine.create(None, catalog, describe(catalog).generation, self._url)
            engine.load(open_parts(parts), applied_through)
            self._engine = engine
            return engine.info()

    def write(self, views: Iterable[View], *, applied_through: int, repair: bool = False) -> None:
        with self._loading:
            self._present().write(views, applied_through, repair=repair)

    def get(self, view: str, uri: str) -> View | None:
        return self._present().get(view, uri)

    def scan(self, view: str | None = None) -> Iterator[View]:
        return self._present().scan(view)

    def search(self, query: Query) -> Results:
        return self._present().search(query)

    def close(self) -> None:
        """Nothing to release: a shared one stays for the others."""

    def _present(self) -> Engine:
        if self._engine is None:
            raise NoIndex(self._url)
        return self._engine

"""The half of a generation that reads: what the embedded engine answers, wherever that comes from."""

from collections.abc import Collection, Iterator

from denormalizer.view import View
from indexers.engine.engine import Engine
from indexers.port import (
    Changes,
    Dependents,
    IndexInfo,
    Place,
    Query,
    Related,
    Results,
    Suggestions,
    Typed,
)


class Reading:
    """Answers as the engine does that `_reader` gives."""

    def _reader(self) -> Engine:
        """The engine with what the generation holds now.

        Raises:
            NoIndex: nothing was ever loaded.
        """
        raise NotImplementedError

    def info(self) -> IndexInfo:
        return self._reader().info()

    def get(self, view: str, uri: str) -> View | None:
        return self._reader().get(view, uri)

    def scan(self, view: str | None = None) -> Iterator[View]:
        return self._reader().scan(view)

    def applied_through(self) -> int:
        return self._reader().applied_through

    def changes(self, place: Place, *, view: str | None = None, limit: int, bytes_max: int) -> Changes:
        return self._reader().changes(place, view, limit, bytes_max)

    def dependents(self, uris: Collection[str], *, limit: int) -> Dependents:
        return self._reader().dependents(uris, limit)

    def search(self, query: Query) -> Results:
        return self._reader().search(query)

    def suggest(self, typed: Typed) -> Suggestions:
        return self._reader().suggest(typed)

    def related(self, view: str, uri: str, limit: int = 10) -> Related | None:
        return self._reader().related(view, uri, limit)

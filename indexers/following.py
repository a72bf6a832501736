"""The half of an index that is its current generation's, whichever that is at the moment."""

from collections.abc import Collection, Iterable, Iterator
from threading import RLock

from denormalizer.view import View
from indexers.errors import EngineFailed, NoGeneration, NoIndex, OneWriter
from indexers.generations import NEVER_LOADED
from indexers.limits import OPEN_ATTEMPTS_MAX
from indexers.port import (
    Changes,
    Dependents,
    Generation,
    IndexInfo,
    Place,
    Query,
    Related,
    Results,
    Share,
    Suggestions,
    Typed,
)


class Following:
    """Reads and writes the generation that `_present` gives."""

    def __init__(self) -> None:
        self._changes = RLock()
        """Held by the thread that changes what is current, or writes to it."""

    @property
    def url(self) -> str:
        raise NotImplementedError

    def _present(self) -> Generation:
        """The current generation.

        Raises:
            NoIndex: nothing was ever loaded.
        """
        raise NotImplementedError

    def share(self, name: str, writer: int, writers: int) -> Share:  # noqa: ARG002 - of those that have one writer
        raise OneWriter(self.url)

    def info(self) -> IndexInfo:
        try:
            return self._present().info()
        except NoIndex:
            return NEVER_LOADED

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        with self._changes:
            for _ in range(OPEN_ATTEMPTS_MAX):
                present = self._present()
                try:
                    return present.write(views, applied_through=applied_through, repair=repair, remove=remove)
                except NoGeneration:
                    # It was replaced before anything was read of the views.
                    continue
            raise EngineFailed(self.url, "it was replaced again and again while it was to be written")

    def get(self, view: str, uri: str) -> View | None:
        return self._present().get(view, uri)

    def scan(self, view: str | None = None) -> Iterator[View]:
        return self._present().scan(view)

    def applied_through(self) -> int:
        try:
            return self._present().applied_through()
        except NoIndex:
            return NEVER_LOADED.applied_through

    def changes(self, place: Place, *, view: str | None = None, limit: int, bytes_max: int) -> Changes:
        return self._present().changes(place, view=view, limit=limit, bytes_max=bytes_max)

    def dependents(self, uris: Collection[str], *, limit: int) -> Dependents:
        return self._present().dependents(uris, limit=limit)

    def search(self, query: Query) -> Results:
        return self._present().search(query)

    def suggest(self, typed: Typed) -> Suggestions:
        return self._present().suggest(typed)

    def related(self, view: str, uri: str, limit: int = 10) -> Related | None:
        return self._present().related(view, uri, limit)

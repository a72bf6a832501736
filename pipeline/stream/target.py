"""The index that a stream fills: one generation of it, and whether that is still the one that is searched."""

from collections.abc import Sequence
from time import monotonic

from assets.catalog import Catalog
from assets.model import NEVER
from denormalizer.view import View
from indexers import Generation, OnUnfit, Share, open_index
from pipeline.errors import UnusableJob
from pipeline.limits import GENERATION_CHECK_SECONDS


class Target:
    """One generation of an index, for writing."""

    def __init__(
        self,
        url: str,
        catalog: Catalog,
        last_offset: int,
        generation: str | None = None,
        on_unfit: OnUnfit | None = None,
        share: tuple[int, int] | None = None,
    ) -> None:
        """That generation, or the one that is searched; with a share, for one of so many who write it.

        Raises:
            UnusableJob: it was made by another catalog, or from another log.
        """
        self._follows = generation is None
        self._index = open_index(url, on_unfit)
        try:
            # Searches may go to another generation at any time: what is written here must never go there.
            self._handle = self._index.generation(generation or self._index.info().generation)
            info = self._handle.info()
            if info.catalog_digest != catalog.digest:
                raise UnusableJob(
                    "the index was built with another catalog; build a new one beside it with publog backfill,"
                    " or name the catalog that it was built with (--catalog DIR)"
                )
            if info.applied_through > last_offset:
                raise UnusableJob(
                    f"the index reflects offset {info.applied_through}, and the log ends at {last_offset}:"
                    " it was built from another log; build it anew with publog backfill, or name its log (--log URL)"
                )
            self._writer: Generation | Share = self._handle
            self.applied_through = info.applied_through
            if share is not None:
                self._writer = self._index.share(info.generation, *share)
                self.applied_through = self._writer.applied_through()
            # Whoever else writes it is found out now, not at the first message.
            self._writer.write([], applied_through=self.applied_through)
        except BaseException:
            self._index.close()
            raise
        self.generation = info.generation
        self._checked = monotonic()

    def write(self, views: Sequence[View], applied_through: int) -> None:
        """Bring views and the watermark up to date, in one step."""
        self._writer.write(views, applied_through=applied_through)
        self.applied_through = max(self.applied_through, applied_through)

    def repair(self, views: Sequence[View]) -> None:
        """Write these again, whatever their versions: what was healed may keep one, and lower one."""
        again = [(view.view, view.uri) for view in views]
        self._writer.write(views, applied_through=self.applied_through, repair=True, remove=again)

    def is_present(self) -> bool:
        """Whether this generation is still the one to fill; looked up now and then."""
        now = monotonic()
        if not self._follows or now - self._checked < GENERATION_CHECK_SECONDS:
            return True
        self._checked = now
        return self._index.info().generation == self.generation

    def generations(self) -> list[str]:
        """The names of all there are."""
        return [about.name for about in self._index.generations()]

    def close(self) -> None:
        """Let others write."""
        self._handle.close()
        self._index.close()


def is_loaded(url: str) -> bool:
    """Whether there is anything in an index yet."""
    index = open_index(url)
    try:
        return index.info().applied_through > NEVER or index.info().generation != ""
    finally:
        index.close()

"""The parts that the server works with: opened once, and lent to one thread at a time."""

from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from anyio.to_thread import run_sync

from assets.catalog import Catalog
from assets.fixing import fix_catalog
from assets.gateway import Gateway
from assets.holding import HELD_FILE, Holding
from assets.log.port import Log
from indexers import open_index
from indexers.port import Index
from pipeline.as_of import LogViews
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from publog.keys import KEYS_FILE, Keys
from publog.server.backfill_work import BackfillWork
from publog.server.limits import CATCH_UP_SECONDS_MAX
from publog.server.published import PublishMetrics
from publog.server.session import Sessions
from publog.server.timeline import Timeline
from publog.server.watch import Watch
from publog.settings import Settings

if TYPE_CHECKING:
    from publog.telemetry.spans import Tracing


class Standing(NamedTuple):
    """How the newsroom is."""

    last_offset: int
    applied_through: int
    """-1 for an index that was never loaded."""
    generation: str
    """Empty for an index that was never loaded."""
    dead_letters_by_code: Mapping[str, int]
    held: int
    lag: int
    """Messages that the index does not reflect yet."""

    @property
    def dead_letters(self) -> int:
        return sum(self.dead_letters_by_code.values())

    @property
    def is_loaded(self) -> bool:
        return self.generation != ""


class Reader:
    """A log to read, with its catalog; for one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self.log: Log = settings.open_log()
        self.catalog: Catalog = settings.load_catalog(self.log)
        self.made_by = described_by(self.log)
        self.views = LogViews(self.log, self.catalog)


class Newsroom:
    """One home's log, index and holding."""

    def __init__(self, settings: Settings, tracing: "Tracing | None" = None) -> None:
        """A home that has no log yet gets one, with the catalog that is given or the built-in one.

        Raises:
            InvalidCatalog, IncompatibleSchema, UnusableLog, UnusableIndex.
        """
        self.settings = settings
        self.tracing = tracing
        settings.home.mkdir(parents=True, exist_ok=True)
        with closing(settings.open_log(create=True)) as log:
            catalog = settings.load_catalog(log)
            Gateway(log, catalog)
            fix_catalog(log, catalog)
        self._letters = DeadLetters(settings.home / DEAD_LETTERS_FILE)
        self.index: Index = open_index(settings.index, self._letters.add_unfit)
        self.keys = Keys(settings.home / KEYS_FILE)
        self._holding = Holding(settings.home / HELD_FILE)
        # To count what is held without waiting for who publishes.
        self._held = Holding(settings.home / HELD_FILE)
        self.published = PublishMetrics()
        self.timeline = Timeline(self.index.applied_through, self.published.found)
        self.watch = Watch(self.index.applied_through)
        self.backfill = BackfillWork(settings)
        self.sessions = Sessions()
        self._idle: list[Reader] = []
        self._lending = Lock()
        self._looking = Lock()
        self._publishing = Lock()
        self._publisher: tuple[Reader, Gateway] | None = None

    @contextmanager
    def reading(self) -> Generator[Reader]:
        """A reader that nobody else has meanwhile."""
        with self._lending:
            reader = self._idle.pop() if self._idle else None
        try:
            if reader is not None and reader.made_by != described_by(reader.log):
                # A backfill brought another catalog, or a publisher another version of a schema.
                reader.log.close()
                reader = None
            if reader is None:
                reader = Reader(self.settings)
            yield reader
        finally:
            # Also one whose log doesn't answer now.
            if reader is not None:
                with self._lending:
                    self._idle.append(reader)

    @contextmanager
    def publishing(self) -> Generator[Gateway]:
        """The gateway, which one publishes through at a time."""
        with self._publishing:
            if self._publisher is not None and self._publisher[0].made_by != described_by(self._publisher[0].log):
                self._publisher[0].log.close()
                self._publisher = None
            if self._publisher is None:
                reader = Reader(self.settings)
                gateway = Gateway(reader.log, reader.catalog, self._holding)
                reader.made_by = described_by(reader.log)
                self._publisher = reader, gateway
            yield self._publisher[1]

    async def caught_up(self) -> None:
        """Give the index a moment to reflect what the log holds now."""
        await self.watch.past(await run_sync(self.last_offset), CATCH_UP_SECONDS_MAX)

    def last_offset(self) -> int:
        """The log's; -1 for an empty one."""
        with self.reading() as reader:
            return reader.log.last_offset()

    def standing(self) -> Standing:
        """How it is now."""
        info = self.index.info()
        with self.reading() as reader:
            last = reader.log.last_offset()
            lag = reader.log.count(info.applied_through + 1, last)
        letters, held = self.kept()
        return Standing(last, info.applied_through, info.generation, letters, held, lag)

    def kept(self) -> tuple[Mapping[str, int], int]:
        """Dead letters by code, and how many messages are held: what is in the home, whoever answers."""
        with self._looking:
            return self._letters.counts(), self._held.count()

    def held(self, id_: str) -> str | None:
        """The URI of a held message, None where none has this id."""
        with self._looking:
            found = self._held.all()
        return next((held.messages[id_] for held in found if id_ in held.messages), None)

    def close(self) -> None:
        """Release what is open. Nothing may be lent any more."""
        self.backfill.close()
        self.timeline.close()
        lent = [] if self._publisher is None else [self._publisher[0]]
        for reader in (*self._idle, *lent):
            reader.log.close()
        self._idle.clear()
        self._publisher = None
        self._holding.close()
        self._held.close()
        self._letters.close()
        self.keys.close()
        self.index.close()


def described_by(log: Log) -> tuple[Mapping[str, str] | None, int]:
    """What a log is read with: its own catalog and how many schemas it has."""
    return log.catalog_files(), len(log.schemas())

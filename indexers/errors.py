"""The error tree of the indexers package.

IndexersError
+- TerminalError            trying again gives the same answer
|  +- InvalidQuery          a search that means nothing: where, and what to write instead
|  |  +- UnknownField       a field that the index has not
|  |  +- UnknownView        a view that the index has not
|  |  +- InvalidCursor      a cursor that is damaged or belongs to another search
|  +- InvalidRecord         something given to be indexed that is no view record of this catalog
|  +- NoIndex               nothing was ever loaded there
|  +- UnusableIndex         an index URL that names nothing we can open
|  |  +- OneWriter          an index that several processes can't write
|  +- CorruptIndex          an index whose parts disagree with each other
|  +- NoGeneration          a generation that is not, or no longer, there
|  +- GenerationUnfit       a generation that can't be used this way as it is
|  +- GenerationMoved       the current generation is not the one that was expected
|  +- LeaseLost             a lease that was granted to another one since
+- TransientError           trying again may work
   +- IndexBehind           the index did not come as far as was waited for
   +- IndexBusy             another process writes this index
   +- LeaseHeld             another one holds the lease
   +- EngineFailed          the engine could not read or write
"""

from collections.abc import Iterable
from datetime import UTC, datetime


class IndexersError(Exception):
    """Root of everything the indexers package raises."""


class TerminalError(IndexersError):
    """Trying again gives the same answer."""


class TransientError(IndexersError):
    """Trying again may work."""


class InvalidQuery(TerminalError):
    """A search that means nothing. `position` counts characters of the query's text from 0, None outside of it."""

    def __init__(self, problem: str, remedy: str, position: int | None = None) -> None:
        place = "" if position is None else f" (at character {position + 1})"
        super().__init__(f"{problem}{place}. {remedy}.")
        self.problem = problem
        self.remedy = remedy
        self.position = position


class UnknownField(InvalidQuery):
    """A field that is not among those that can be used this way."""

    def __init__(self, field: str, known: Iterable[str], use: str, position: int | None = None) -> None:
        self.field = field
        self.known = tuple(sorted(known))
        remedy = f"Use one of {', '.join(self.known)}" if self.known else "The catalog declares none"
        if position is not None:
            remedy += ", or put the text into quotes to look for its words"
        super().__init__(f"There is no field {field[:100]!r} to {use}", remedy, position)


class UnknownView(InvalidQuery):
    """A view that is not in the index's catalog."""

    def __init__(self, view: str, known: Iterable[str]) -> None:
        self.view = view
        self.known = tuple(sorted(known))
        super().__init__(f"There is no view {view[:100]!r}", f"Use one of {', '.join(self.known)}")


class InvalidCursor(InvalidQuery):
    """A cursor that is damaged or belongs to another search."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            problem, "Use a cursor as it was given, with the same search, or start at the first page again"
        )


class InvalidRecord(TerminalError):
    """Something given to be indexed that is no view record of this index's catalog."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}. Make the view records again from the log.")
        self.place = place
        self.reason = reason


class NoIndex(TerminalError):
    """Nothing was ever loaded there."""

    def __init__(self, url: str) -> None:
        super().__init__(f"There is no index at {url} yet. Load one first: publog run --batch.")
        self.url = url


class UnusableIndex(TerminalError):
    """An index URL that names nothing we can open."""

    def __init__(self, url: str, reason: str, remedy: str) -> None:
        super().__init__(f"{url}: {reason}. {remedy}.")
        self.url = url
        self.reason = reason
        self.remedy = remedy


class OneWriter(UnusableIndex):
    """An index that several processes can't write."""

    def __init__(self, url: str) -> None:
        super().__init__(
            url,
            "one process at a time writes it",
            "Several need an index on Elasticsearch (http://HOST:9200/NAME); in one process: --shards N",
        )


class CorruptIndex(TerminalError):
    """An index whose parts disagree with each other."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"The index at {url} is damaged: {reason}. Load it again from the log.")
        self.url = url
        self.reason = reason


class NoGeneration(TerminalError):
    """A generation that is not, or no longer, there."""

    def __init__(self, url: str, generation: str) -> None:
        super().__init__(f"{url} has no generation {generation!r}. See which there are: publog backfill generations.")
        self.url = url
        self.generation = generation


class GenerationUnfit(TerminalError):
    """A generation that can't be used this way as it is: an unfinished one, for example."""

    def __init__(self, url: str, generation: str, reason: str, remedy: str) -> None:
        super().__init__(f"Generation {generation} of {url} {reason}. {remedy}.")
        self.url = url
        self.generation = generation
        self.reason = reason
        self.remedy = remedy


class GenerationMoved(TerminalError):
    """The current generation is not the one that was expected: somebody else made another one current."""

    def __init__(self, url: str, expected: str, current: str) -> None:
        super().__init__(
            f"The current generation of {url} is {current or 'none'}, not {expected or 'none'} as expected. "
            "Look at what made it current, then decide again."
        )
        self.url = url
        self.expected = expected
        self.current = current


class LeaseLost(TerminalError):
    """The lease that this was to be done under was granted to another one since."""

    def __init__(self, url: str, token: int, latest: int) -> None:
        super().__init__(
            f"The lease of {url} was granted anew since (token {latest}, this one is {token}). "
            "See what its new holder does before you begin again."
        )
        self.url = url
        self.token = token
        self.latest = latest


class IndexBehind(TransientError):
    """The index did not come as far as was waited for."""

    def __init__(self, url: str, wanted: int, applied_through: int, waited_seconds: float) -> None:
        lag = wanted - applied_through
        has = f"reflects offset {applied_through}" if applied_through >= 0 else "was never loaded"
        super().__init__(
            f"{url} {has}, {lag:,} behind the {wanted} that was asked for, after {waited_seconds:g} s of waiting. "
            "Is the stream running (publog run --stream)? Wait longer, or ask for less."
        )
        self.url = url
        self.wanted = wanted
        self.applied_through = applied_through
        self.lag = lag


class IndexBusy(TransientError):
    """Another process writes this index."""

    def __init__(self, url: str) -> None:
        super().__init__(f"Another process is writing to {url}. One writes at a time: wait for it, or stop it.")
        self.url = url


class LeaseHeld(TransientError):
    """Another one holds the lease; `since` is the second (since 1970-01-01T00:00:00Z) at which it was granted."""

    def __init__(self, url: str, holder: str, since: int) -> None:
        when = datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        super().__init__(f"{holder} holds the lease of {url} since {when}. Wait for it, or stop it.")
        self.url = url
        self.holder = holder
        self.since = since


class EngineFailed(TransientError):
    """The engine could not read or write: a full disk, for example. What was there before is still there."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} could not be used: {reason}. See to the disk, then try again.")
        self.url = url
        self.reason = reason

"""What every index must do; the contract suite in tests/contract says it as tests."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from assets.catalog import Catalog
from denormalizer.view import State, View
from indexers.query import Expression, Match

Sort = Literal["relevance", "newest", "oldest"]


Counts = Mapping[str, Mapping[State, int]]
"""View name to its records by state."""


class IndexInfo(NamedTuple):
    """What an index says about itself."""

    applied_through: int
    """The watermark that all its documents reflect; -1 for an index that was never loaded."""
    catalog_digest: str
    generation: str
    """Names this one build of the index; empty for an index that was never loaded."""
    live: Mapping[str, int]
    """View name to its documents that searches find."""
    gone: Mapping[str, int]
    """View name to its tombstones."""


class Facet(NamedTuple):
    """A field whose values are to be counted, and how many of them to give."""

    field: str
    size: int = 10


@dataclass(frozen=True, kw_only=True)
class Query:
    """A search. With nothing set it finds every live document."""

    text: Expression | None = None
    view: str | None = None
    """One view's documents, None: every view's."""
    filters: Sequence[tuple[str, str]] = ()
    """Facet fields and exact values. Values of one field are alternatives, different fields must all hold."""
    since: int | None = None
    """The first second (since 1970-01-01T00:00:00Z) of the document's date; undated ones are then left out."""
    until: int | None = None
    """The second that the document's date must lie before."""
    facets: Sequence[Facet] = ()
    sort: Sort = "relevance"
    """Undated documents come last in `newest` and in `oldest`. `relevance` without words to look for is `newest`."""
    date: str | None = None
    """A facet of times that `newest` and `oldest` mean, of one view; None: its documents' date."""
    limit: int = 10
    cursor: str | None = None
    """Where the page begins: `Results.cursor` of the page before, of the same search."""
    after: str | None = None
    """Instead of a cursor: the URI of a hit of the same search, of one view, behind which the page begins."""
    offset: int = 0
    """Hits to leave out before the page begins, behind the cursor if there is one."""
    highlight: bool = False
    fuzzy: bool = False
    """Put up with slips of the keyboard: a word of 4 to 7 letters is also found with one letter wrong, missing, too
    many or changed with its neighbour, a longer one with two; the first letter is one like the others. What is in
    quotes, in a field, to be left out, or has a digit in it is found as it is. Hits with the word itself come first.
    """
    correct: bool = False
    """Where nothing is found, say which words could have been meant; of a search with few enough words."""


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What somebody has typed into a search box so far: words, of which the last may not be whole yet.

    Nothing in it is syntax: all that is neither letter nor digit separates words. Behind a separator the last is whole.
    """

    text: str
    view: str | None = None
    filters: Sequence[tuple[str, str]] = ()
    """As a `Query` has them."""
    limit: int = 10
    """Of completions, and of hits."""


class Highlight(NamedTuple):
    """A piece of a document's text with its hits marked."""

    fragment: str
    marks: tuple[tuple[int, int], ...]
    """Begin and end of each hit in the fragment, in characters."""


class Hit(NamedTuple):
    """A document that a search found."""

    view: str
    uri: str
    version: int
    score: float | None
    """How relevant it is; None where no words were looked for or the order is another."""
    date: int | None
    """Seconds since 1970-01-01T00:00:00Z; where the order is by another date, that one."""
    content: bytes
    """The view's content, exactly as it was written: a JSON object."""
    highlights: Mapping[str, Highlight]
    """Text path to its best fragment, for paths in which something was found."""


class Correction(NamedTuple):
    """A word that was looked for in vain, and one that could have been meant."""

    match: Match
    word: str
    """A word that live documents have, in lower case and without accents."""


class Results(NamedTuple):
    """A page of what a search found, and what it found as a whole."""

    total: int
    """How many documents the whole search finds."""
    hits: Sequence[Hit]
    facets: Mapping[str, Sequence[tuple[str, int]]]
    """Field to values and their documents, most frequent first, then by value. A facet leaves out the filters on its
    own field, so that it shows what the alternatives would bring."""
    cursor: str | None
    """Where the next page begins; None on the last."""
    applied_through: int
    generation: str
    corrections: Sequence[Correction] = ()
    """Asked for, where nothing was found: with these words in place of those typed, at least one document is."""


@dataclass(frozen=True)
class Completion:
    """How what was typed may go on."""

    text: str
    """What was typed with its last word made whole; that word is in lower case and without accents."""
    count: int
    """Live documents that have this word as it is, and the words before it as a search finds them."""


class Suggestions(NamedTuple):
    """What somebody may be about to type, and to find."""

    completions: Sequence[Completion]
    """Most frequent first, then by word; none that was typed already."""
    hits: Sequence[Hit]
    """Live documents whose title begins so; then those whose title goes on so somewhere; then those that have the words
    anywhere. The title is the text path that counts most. The newest come first in each. What was typed is marked."""
    applied_through: int
    generation: str


class Related(NamedTuple):
    """Documents that are like one."""

    hits: Sequence[Hit]
    """Of the same view, live, most like it first; never itself."""
    applied_through: int
    generation: str


class Place(NamedTuple):
    """A place in the order of changes, which is by version and then by document id: what comes behind it is new."""

    version: int
    id: str = ""
    """Of the last document of this version that is known; empty for none of them."""


class Changes(NamedTuple):
    """A page of view records in the order in which they changed."""

    views: Sequence[View]
    place: Place
    """Where the next page begins."""
    has_more: bool
    """Whether there is one already."""
    applied_through: int
    generation: str
    catalog_digest: str


class Dependents(NamedTuple):
    """Live views that some assets are part of."""

    counts: Mapping[str, int]
    """View name to how many there are, for views with any."""
    first: Sequence[tuple[str, str]]
    """View and URI of some of them, newest first."""


class Unfit(NamedTuple):
    """A view whose text or facets a search server could not index. It is stored, and read like any other."""

    view: View
    reason: str


OnUnfit = Callable[[Unfit], None]
"""Told of each, before the watermark that passes it is written. Embedded engines index every view record."""


class GenerationInfo(NamedTuple):
    """What an index says about one of its generations."""

    name: str
    catalog_digest: str
    applied_through: int
    """The watermark that all its documents reflect; -1 until it is finished."""
    loaded: int
    """What the last `extend` said it had loaded; 0 where there was none."""
    current: bool
    complete: bool
    """It can be read, written and made current. An unfinished one can't, nor can one that is damaged or that another
    version of publog made.
    """
    created: int
    """The second (since 1970-01-01T00:00:00Z) at which it was begun."""
    bytes: int
    """What it takes of the disk; 0 in memory."""


class Lease(NamedTuple):
    """The right to change what is current, which one at a time has."""

    token: int
    """Rises with every lease granted."""
    holder: str
    since: int
    """The second (since 1970-01-01T00:00:00Z) at which it was granted."""


class Generation(Protocol):
    """The view records of one complete generation: read, brought up to date, searched.

    Several instances, in several processes, may read it while one writes it; readers see what was committed, without
    being told.
    """

    def info(self) -> IndexInfo:
        """What it says about itself."""
        ...

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Bring these views up to date and `applied_through` up to (never down to) that offset, in one step.

        A view whose version is not above the one that is there is ignored: equal version means equal bytes. With
        `repair` an equal version is written again.

        `remove` (view and URI) is for repairs: documents that should never have been there. They go before the views
        come, without a tombstone. What the log unpublished is written as a view that is gone.

        Raises:
            NoIndex: nothing was ever loaded, so there is no catalog to index by.
            NoGeneration: it was removed.
            InvalidRecord: a view is not of the generation's catalog; nothing is written.
            IndexBusy: another process writes this generation.
            EngineFailed: the disk is full or failing; nothing is written.
        """
        ...

    def get(self, view: str, uri: str) -> View | None:
        """One view record, gone or live, byte for byte as it was written.

        Raises:
            NoIndex: nothing was ever loaded.
        """
        ...

    def scan(self, view: str | None = None) -> Iterator[View]:
        """Every record (of one view), gone ones included, byte for byte as written, in no certain order.

        All as of one moment: what is written or made current meanwhile is not seen.

        Raises:
            NoIndex: nothing was ever loaded.
            NoGeneration: it was removed meanwhile, on a server that keeps nothing of it.
        """
        ...

    def search(self, query: Query) -> Results:
        """A page of what the query finds.

        Raises:
            InvalidQuery: with what to do about it: an unknown view or field, a bound passed, another search's cursor.
            NoIndex: nothing was ever loaded.
        """
        ...

    def applied_through(self) -> int:
        """The watermark that all its documents reflect; -1 for an index that was never loaded. Cheaper than `info`."""
        ...

    def changes(self, place: Place, *, view: str | None = None, limit: int, bytes_max: int) -> Changes:
        """The records (of one view) behind a place, gone ones included, up to the watermark, each with its last version.

        Who starts at version 0 and goes on from page to page misses no record, and has none of a version twice. A
        version that another one replaced before it was read is not to be had.

        Args:
            place: where to begin.
            view: its name, None for all.
            limit: records on a page, at least 1.
            bytes_max: of the records' lines; one of them is given in any case.

        Raises:
            UnknownView: the catalog has none of this name.
            NoIndex: nothing was ever loaded.
        """
        ...

    def suggest(self, typed: Typed) -> Suggestions:
        """How what was typed may go on, and what begins so. Nothing for what has no letter or digit.

        Raises:
            InvalidQuery: an unknown view or field, or a bound passed.
            NoIndex: nothing was ever loaded.
        """
        ...

    def dependents(self, uris: Collection[str], *, limit: int) -> Dependents:
        """The live views with any of these assets in their closure: those that a change of them would touch.

        Args:
            uris: of assets, published or not.
            limit: how many are named; all are counted.

        Raises:
            NoIndex: nothing was ever loaded.
        """
        ...

    def related(self, view: str, uri: str, limit: int = 10) -> Related | None:
        """Documents that share words and facet values with this one, the rarer the better; None if it is not live.

        Raises:
            InvalidQuery: an unknown view, or a bound passed.
            NoIndex: nothing was ever loaded.
        """
        ...

    def close(self) -> None:
        """Release what is open, the right to write included; what is stored stays."""
        ...


class Share(Protocol):
    """One of several writers of a generation, each of which brings documents of its own up to date."""

    def applied_through(self) -> int:
        """What this writer's documents reflect."""
        ...

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        """As a `Generation` does. Its `applied_through` rises to the least that any of the writers has said."""
        ...


class Index(Generation, Protocol):
    """View records in, search out.

    An index has any number of generations, of which one is current. What it does as a `Generation` it does with the one
    that is current at that moment, and it follows when another one becomes current, in other processes too. A writer
    that goes on for longer must not: it computes views by one generation's catalog. It writes through `generation`.

    An instance may be used by several threads. In files, one process writes a generation at a time, and different ones may
    write different generations; on a server several may write one, and versions decide.
    """

    @property
    def url(self) -> str:
        """The URL that opens this index again, in any working directory (and process, unless it is in memory)."""
        ...

    def load(
        self, parts: Sequence[Path], *, catalog: Catalog, applied_through: int, counted: Counts | None = None
    ) -> IndexInfo:
        """Replace the current generation by the view records in these files (JSON lines, each view of a URI at most
        once). Other generations stay.

        At once: whoever reads sees all of the old or all of the new, also when this process is killed on the way;
        the next load clears away what was left behind. The parts are the index's from here on: it may move them.

        `counted` is from whoever made the parts and knows what is in them: an index that need not look at each record
        then takes them as they are.

        Raises:
            InvalidRecord: what stands in a part is no view record of the catalog; the old content stays.
            IndexBusy: another process writes the current generation, or changes which there are.
            EngineFailed: the disk is full or failing; the old content stays.
        """
        ...

    def generations(self) -> Sequence[GenerationInfo]:
        """Every generation, unfinished ones included, oldest first."""
        ...

    def generation(self, name: str) -> Generation:
        """One complete generation, whichever is or becomes current. It is closed with the index.

        Raises:
            NoGeneration: there is none of this name.
            GenerationUnfit: it is not finished.
        """
        ...

    def share(self, name: str, writer: int, writers: int) -> Share:
        """A complete generation for one of so many writers, numbered from 0.

        Raises:
            UnusableIndex: it takes one writer at a time.
            NoGeneration, GenerationUnfit: as `generation`.
        """
        ...

    def catalog(self, name: str | None = None) -> Catalog:
        """The catalog that a generation, or the current one, was made by.

        Raises:
            NoIndex: the current one is wanted, and nothing was ever loaded.
            NoGeneration: there is none of this name.
        """
        ...

    def begin(self, catalog: Catalog) -> str:
        """A new, empty, unfinished generation beside the others; gives its name.

        Raises:
            IndexBusy: another process changes which generations there are.
            EngineFailed: the disk is full or failing.
        """
        ...

    def extend(self, name: str, parts: Sequence[Path], *, loaded: int) -> None:
        """Add the view records in these files to an unfinished generation, and have it say that `loaded` is there.

        In one step: however this process ends, either all of the parts and the number are there or none. So whoever
        begins again behind `GenerationInfo.loaded` neither loses nor doubles a record. What the number counts is the
        caller's; it must rise.

        Raises:
            NoGeneration: there is none of this name.
            GenerationUnfit: it is complete already, or so much was loaded before.
            InvalidRecord: what stands in a part is no view record of the catalog; nothing of the parts is added. A server may
                have some of it by then: unless it is written again, `finish` refuses.
            IndexBusy: another process writes this generation.
            EngineFailed: the disk is full or failing; nothing of the parts is added.
        """
        ...

    def finish(self, name: str, *, applied_through: int) -> None:
        """Make an unfinished generation complete: its documents are all there are at this watermark.

        Raises:
            NoGeneration: there is none of this name.
            GenerationUnfit: it is complete already.
            InvalidRecord: a view stands there more than once; the generation is of no use.
            IndexBusy: another process writes this generation.
            EngineFailed: the disk is full or failing; it stays unfinished.
        """
        ...

    def switch(self, name: str, *, expected: str, token: int) -> None:
        """Make another generation the current one, in one step; the former one stays.

        Args:
            name: a complete generation.
            expected: the one that is believed to be current; empty for none.
            token: of the lease under which this is done.

        Raises:
            LeaseLost: the token is not the latest granted.
            GenerationMoved: another one is current.
            NoGeneration: there is none of this name.
            GenerationUnfit: it is not finished.
            IndexBusy: another process changes which generations there are.
            EngineFailed: the disk is full or failing; the former one stays current.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a generation, finished or not, that is not current.

        Whoever reads it in another process may fail from here on.

        Raises:
            NoGeneration: there is none of this name.
            GenerationUnfit: it is the current one.
            IndexBusy: another process writes it, or changes which generations there are.
            EngineFailed: the disk is failing.
        """
        ...

    def lease(self, holder: str) -> AbstractContextManager[Lease]:
        """The right to change what is current, for as long as the block lasts, or until the process ends.

        Args:
            holder: what to tell the others who it is.

        Raises:
            LeaseHeld: another one has it; says who and since when.
        """
        ...

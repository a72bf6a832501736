"""What every index must do; the contract suite in tests/contract says it as tests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from assets.catalog import Catalog
from denormalizer.view import State, View
from indexers.query import Expression

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
    limit: int = 10
    cursor: str | None = None
    """Where the page begins: `Results.cursor` of the page before, of the same search."""
    highlight: bool = False


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
    """Seconds since 1970-01-01T00:00:00Z."""
    content: bytes
    """The view's content, exactly as it was written: a JSON object."""
    highlights: Mapping[str, Highlight]
    """Text path to its best fragment, for paths in which something was found."""


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


class Index(Protocol):
    """View records in, search out.

    An instance may be used by several threads. Several instances, in several processes, may read one index while one
    writes it; readers see what was committed, without being told.
    """

    @property
    def url(self) -> str:
        """The URL that opens this index again, in any working directory (and process, unless it is in memory)."""
        ...

    def info(self) -> IndexInfo:
        """What the index says about itself."""
        ...

    def load(
        self, parts: Sequence[Path], *, catalog: Catalog, applied_through: int, counted: Counts | None = None
    ) -> IndexInfo:
        """Replace everything by the view records in these files (JSON lines, each view of a URI at most once).

        At once: whoever reads sees all of the old or all of the new, also when this process is killed on the way;
        the next load clears away what was left behind. The parts are the index's from here on: it may move them.

        `counted` is from whoever made the parts and knows what is in them: an index that need not look at each record
        then takes them as they are.

        Raises:
            InvalidRecord: what stands in a part is no view record of the catalog; the old content stays.
            IndexBusy: another process writes this index.
            EngineFailed: the disk is full or failing; the old content stays.
        """
        ...

    def write(self, views: Iterable[View], *, applied_through: int, repair: bool = False) -> None:
        """Bring these views up to date and `applied_through` up to (never down to) that offset, in one step.

        A view whose version is not above the one that is there is ignored: equal version means equal bytes. With
        `repair` an equal version is written again.

        Raises:
            NoIndex: nothing was ever loaded, so there is no catalog to index by.
            InvalidRecord: a view is not of the index's catalog; nothing is written.
            IndexBusy: another process writes this index.
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

        All as of one moment: what is written meanwhile is not seen.

        Raises:
            NoIndex: nothing was ever loaded.
        """
        ...

    def search(self, query: Query) -> Results:
        """A page of what the query finds.

        Raises:
            InvalidQuery: with what to do about it: an unknown view or field, a bound passed, another search's cursor.
            NoIndex: nothing was ever loaded.
        """
        ...

    def close(self) -> None:
        """Release what is open; the index itself stays."""
        ...

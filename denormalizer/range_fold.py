"""The fold over a closed range of a log, from its first message on, for who wants every view once: a batch, a backfill.

It gives what `Fold.emit(last=True)` gives, as lines. The compiled one (native.pyx) does only what that takes: it keeps
the latest of every asset, and expands each root once. Where it is not there, `Fold` does it.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from tempfile import TemporaryFile
from typing import IO, Any, Final, Protocol
from weakref import proxy

from assets.errors import InvalidUri, Undecodable
from assets.limits import URI_ID_CHARACTERS_MAX
from assets.model import Entry, Message, check_uri
from denormalizer.expansion import Asset, Bounds, expand_bounded
from denormalizer.fold import WHOLE, DeadLetter, Fold, Shard, dead_letter
from denormalizer.fragments import Fragments, Payloads, Rendered, Renderer
from denormalizer.limits import EMITTED_BYTES_MAX, KEPT_BYTES_MAX, PAYLOAD_CHUNK_BYTES
from denormalizer.plan import Plan, Position
from denormalizer.view import State, View

try:
    import denormalizer.native as _native
except ImportError:
    _native: Any = None

COMPILED: Final = _native is not None
"""Whether the compiled fold is there."""

UNBOUNDED: Final = 1 << 62
"""Bytes of memory that are never reached."""


class RangeFold(Protocol):
    """Takes all messages in, then gives all views."""

    @property
    def watermark(self) -> int:
        """The offset of the last message applied."""
        ...

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """What this shard's own messages could not be read, all of it once `emit` gave None; to be taken from here."""
        ...

    @property
    def behind(self) -> str | None:
        """The root whose views were emitted last."""
        ...

    @property
    def bounded(self) -> int:
        """Views that were cut short at a bound."""
        ...

    def apply(self, messages: Iterable[Message | Entry]) -> None:
        """Take messages in. Those already applied are dropped.

        Raises:
            OutOfOrder: when one was skipped; nothing behind the gap is applied.
        """
        ...

    def skip(self, behind: str) -> None:
        """Before the first emission: give only the views of the roots that come behind this one."""
        ...

    def emit(self, views_max: int) -> bytes | memoryview | None:
        """The lines of the views of the next roots, about so many; None at the end.

        A memoryview is to be used before this is called again.
        """
        ...

    def counts(self) -> dict[str, dict[State, int]]:
        """How many views were emitted, of those of which any was."""
        ...

    def close(self) -> None:
        """Nothing more is asked of it."""
        ...


def range_fold(
    plan: Plan,
    payloads: Payloads,
    *,
    shard: Shard = WHOLE,
    contiguous: bool = True,
    bounds: Bounds = Bounds(),
    memory_max: int = UNBOUNDED,
) -> RangeFold:
    """The quickest that is there.

    Args:
        memory_max: Bytes that it may take, as far as payloads can be put into a temporary file instead.
    """
    if COMPILED:
        return CompiledFold(plan, payloads, shard, bounds, contiguous=contiguous, memory_max=memory_max)
    return PlainFold(plan, payloads, shard, bounds, contiguous=contiguous)


class PlainFold:
    """`Fold`, to its end. It has no setting for memory."""

    def __init__(self, plan: Plan, payloads: Payloads, shard: Shard, bounds: Bounds, *, contiguous: bool) -> None:
        self._fold = Fold(plan, payloads, shard=shard, bounds=bounds, contiguous=contiguous)
        self._roots: Iterator[list[View]] | None = None
        self._counts: dict[str, dict[State, int]] = {}
        self.behind: str | None = None
        self.bounded = 0

    @property
    def watermark(self) -> int:
        return self._fold.watermark

    @property
    def dead_letters(self) -> list[DeadLetter]:
        return self._fold.dead_letters

    def apply(self, messages: Iterable[Message | Entry]) -> None:
        self._fold.apply(messages)

    def skip(self, behind: str) -> None:
        self.behind = behind

    def emit(self, views_max: int) -> bytes | None:
        if self._roots is None:
            views = self._fold.emit(last=True, behind=self.behind)
            self._roots = (list(group) for _, group in groupby(views, attrgetter("uri")))
        lines: list[bytes] = []
        size = 0
        for root in self._roots:
            self.behind = root[0].uri
            for view in root:
                lines.append(view.to_line() + b"\n")
                size += len(lines[-1])
                self._counts.setdefault(view.view, {"live": 0, "gone": 0})[view.state] += 1
                self.bounded += bool(view.bounds)
            if len(lines) >= views_max or size >= EMITTED_BYTES_MAX:
                break
        return b"".join(lines) or None

    def counts(self) -> dict[str, dict[State, int]]:
        return self._counts

    def close(self) -> None:
        pass


class CompiledFold:
    """The compiled one; here it asks for what it does not do itself."""

    def __init__(
        self, plan: Plan, payloads: Payloads, shard: Shard, bounds: Bounds, *, contiguous: bool, memory_max: int
    ) -> None:
        self._plan = plan
        self._bounds = bounds
        self._renderer = Renderer(plan, payloads)
        self._kinds = list(plan.shapes)
        # Those that may stand side by side come as `roots` has them, of kinds in any order: only the order in one kind counts.
        self._views = plan.views
        self.dead_letters: list[DeadLetter] = []
        self.bounded = 0
        self._file: IO[bytes] | None = None
        positions: dict[int, tuple[int, Position]] = {}
        for view in plan.views:
            for position in view.positions:
                positions[id(position)] = len(positions), position
        places = [
            [
                (place.shape, [positions[id(target)][0] for target in place.targets])
                if (place := position.places.get(kind))
                else None
                for kind in self._kinds
            ]
            for _, position in positions.values()
        ]
        views = [
            (
                view.definition.name,
                self._kinds.index(view.definition.root),
                positions[id(view.root)][0],
                view.definition.depth,
            )
            for view in plan.views
        ]
        # It asks us, and we have it: without a cycle its memory goes when we go, not when Python next looks for cycles.
        self._core = _native.Core(
            proxy(self),
            self._kinds,
            [payloads.cutter(kind, plan.shapes[kind], Fragments) for kind in self._kinds],
            [kind in plan.dependencies for kind in self._kinds],
            places,
            views,
            (shard.number, shard.count),
            contiguous,
            URI_ID_CHARACTERS_MAX,
            bounds,
            memory_max,
            min(KEPT_BYTES_MAX, memory_max // 4),
            PAYLOAD_CHUNK_BYTES,
        )

    @property
    def watermark(self) -> int:
        return self._core.watermark

    @property
    def behind(self) -> str | None:
        return self._core.behind

    def apply(self, messages: Iterable[Message | Entry]) -> None:
        self._core.apply(messages)

    def skip(self, behind: str) -> None:
        self._core.skip(behind)

    def emit(self, views_max: int) -> memoryview | None:
        return self._core.emit(views_max, EMITTED_BYTES_MAX)

    def counts(self) -> dict[str, dict[State, int]]:
        counts: Iterable[tuple[int, int]] = self._core.counts()
        return {
            view.definition.name: {"live": live, "gone": gone}
            for view, (live, gone) in zip(self._views, counts, strict=True)
            if live or gone
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    # What native.pyx asks for.

    def is_uri(self, offset: int, uri: str, value: bytes | None, owned: bool) -> bool:  # noqa: FBT001
        """Whether a message's key is an asset's URI; the shard that owns it reports one that is not."""
        try:
            check_uri(uri)
        except InvalidUri as error:
            if owned:
                self.dead_letters.append(DeadLetter(offset, uri, "bad-uri", error.rule, value or b""))
            return False
        return True

    def render(self, kind: int, offset: int, uri: str, value: bytes, owned: bool) -> list[Rendered] | None:  # noqa: FBT001
        """A payload in each of its kind's shapes; the shard that owns it reports one that can't be read."""
        try:
            return self._renderer.render(self._kinds[kind], uri, value)
        except (Undecodable, TypeError, ValueError) as error:
            if owned:
                self.dead_letters.append(dead_letter(uri, offset, value, error))
            return None

    def bounded_view(self, view: int, uri: str) -> bytes:
        """The line of a view that goes beyond its bounds."""
        root = self._lookup(uri)
        assert root is not None
        found = expand_bounded(self._lookup, self._bounds, self._views[view], uri, root)
        self.bounded += bool(found.bounds)
        return found.to_line()

    def file(self) -> IO[bytes]:
        """Where payloads go that are not to stay in memory."""
        self._file = TemporaryFile(prefix="publog-payloads-")  # noqa: SIM115 - `close` closes it
        return self._file

    def _lookup(self, uri: str) -> Asset | None:
        found: tuple[int, int, bytes | None] | None = self._core.asset(uri)
        if found is None:
            return None
        kind, offset, value = found
        name = self._kinds[kind]
        return Asset(name, offset, None if value is None else self._renderer.render(name, uri, value))

"""The fold: messages in log order become content views. The one state transition that everything else drives.

Batch applies a range and emits once; stream emits at each micro-batch; as-of stops early; verification does it again.
How the messages are cut into emissions never changes a byte of a view.

A stream emits in two lanes (docs/adr/0010): first the views rooted at what changed, then, some at a time, the views that
depend on it. Each is computed from the assets as they are when it is emitted, so the order never matters.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

import orjson

from assets.errors import InvalidUri, Undecodable
from assets.model import NEVER, Entry, Message, check_uri, kind_of
from denormalizer.backlog import Backlog, Due
from denormalizer.dependencies import Referrers, dependents
from denormalizer.errors import OutOfOrder
from denormalizer.expansion import Asset, Bounds, Expander
from denormalizer.fragments import Payloads, Renderer
from denormalizer.limits import PENDING_VERSIONS_MAX
from denormalizer.plan import Plan
from denormalizer.view import View


@dataclass(frozen=True)
class Shard:
    """The part of the root URIs that one fold emits views of."""

    number: int = 0
    count: int = 1

    def owns(self, uri: str) -> bool:
        """Whether this shard emits the views rooted at a URI; every URI is owned by exactly one shard."""
        return self.count == 1 or crc32(uri.encode()) % self.count == self.number


WHOLE: Final = Shard()


class DeadLetter(NamedTuple):
    """A message that could not be processed, as the fold met it."""

    offset: int
    uri: str
    code: str
    reason: str
    value: bytes


class StoredAsset(NamedTuple):
    """An asset as a fold can be resumed with it."""

    uri: str
    offset: int
    """Of its latest version that can be read."""
    value: bytes | None
    """Its payload; None while it is unpublished."""
    references: tuple[str, ...]
    """What some view expands of it, each once."""


class _Pending(Asset):
    """An asset that no view has asked for yet: not decoded."""

    __slots__ = ("owned", "previous", "value", "versions")

    def __init__(self, kind: str, offset: int, value: bytes, previous: Asset | None, *, owned: bool) -> None:
        # Not as an asset is made: nothing asks a pending one for its content or source.
        self.kind = kind
        self.offset = offset
        self.value = value
        self.previous = previous
        """What stands if this one turns out not to decode."""
        self.versions: int = previous.versions + 1 if isinstance(previous, _Pending) else 1
        """How many are pending, this one included."""
        self.owned = owned
        """Whether this shard reports it when it turns out not to decode."""


class Fold:
    """Applies messages and emits the views they change.

    It holds the latest version of every asset its views may need, and from the second emission on who refers to whom.
    """

    def __init__(
        self,
        plan: Plan,
        payloads: Payloads,
        *,
        shard: Shard = WHOLE,
        contiguous: bool = True,
        bounds: Bounds = Bounds(),
    ) -> None:
        self._plan = plan
        self._shard = shard
        self._contiguous = contiguous
        self._renderer = Renderer(plan, payloads)
        self._assets: dict[str, Asset] = {}
        self._expander = Expander(self._lookup, bounds)
        self._changed: dict[str, None] = {}
        """Applied since the last emission: their references are not indexed yet."""
        self._backlog = Backlog()
        self._referrers: Referrers | None = None
        self._emitted_through: int | None = None
        self.watermark = NEVER
        """The offset of the last message applied."""
        self.dead_letters: list[DeadLetter] = []
        """What this shard's own messages could not be read; the driver takes them from here."""

    def resume(self, assets: Iterable[StoredAsset], watermark: int, emitted_through: int) -> None:
        """Go on from stored assets, before anything is applied.

        Args:
            assets: All that a fold of this plan and shard had settled at the watermark.
            watermark: `NEVER` with no assets, to begin with the first message.
            emitted_through: Every view as of this offset has been emitted. It may lie on either side of the watermark.
        """
        assert self.watermark == NEVER, "a fold is resumed before anything is applied"
        self._referrers = Referrers()
        for uri, offset, value, references in assets:
            kind = kind_of(uri)
            if value is None:
                self._assets[uri] = Asset(kind, offset, None)
            else:
                self._assets[uri] = _Pending(kind, offset, value, None, owned=self._shard.owns(uri))
            self._referrers.replace(uri, references)
            if offset > emitted_through:
                self._changed[uri] = None
        self.watermark = watermark
        self._emitted_through = emitted_through

    def apply(self, messages: Iterable[Message | Entry]) -> None:
        """Take messages in. Those already applied are dropped.

        Raises:
            OutOfOrder: when one was skipped; nothing behind the gap is applied.
        """
        kinds = self._plan.shapes
        dependencies = self._plan.dependencies
        owns = self._shard.owns
        contiguous = self._contiguous
        assets = self._assets
        # Before the first emission every view is due: which assets changed need not be known, but to the referrers.
        changed = None if self._emitted_through is None and self._referrers is None else self._changed
        watermark = self.watermark
        try:
            for message in messages:
                offset = message.offset
                if offset <= watermark:
                    continue
                if contiguous and offset != watermark + 1:
                    raise OutOfOrder(offset, watermark + 1)
                watermark = offset
                uri = message.uri
                try:
                    kind = kind_of(uri)
                except IndexError:
                    kind = ""
                if kind and kind not in kinds:
                    continue
                owned = owns(uri)
                if not owned and kind not in dependencies:
                    continue
                before = assets.get(uri)
                if before is None and not self._is_uri(message, owned=owned):
                    continue
                if isinstance(before, _Pending) and (owned or before.versions == PENDING_VERSIONS_MAX):
                    # This shard must say of each of its own messages whether it can be read.
                    before = self._settle(uri, before)
                value = message.value
                if value is None:
                    assets[uri] = Asset(kind, offset, None)
                else:
                    assets[uri] = _Pending(kind, offset, value, before, owned=owned)
                if changed is not None:
                    changed[uri] = None
        finally:
            self.watermark = watermark

    def emit(self, *, last: bool = False, behind: str | None = None) -> Iterator[View]:
        """The views that changed since the last emission, at the present watermark.

        To be taken to its end before more is applied; one given up half-way is emitted again, whole. Of the messages
        emitted, those that can't be read are among the dead letters by its end.

        Args:
            last: Nothing will be applied any more. Then what has been emitted need not be kept.
            behind: Of the first emission, only the views of the roots that come behind this one.
        """
        self._expander.forget()
        if self._emitted_through is None:
            yield from self._emit_all(keep_all=not last, behind=behind)
        else:
            due = {one.key: one for one in self._backlog}
            for one in self._dependents(self._due(self._emitted_through), self._emitted_through):
                due.setdefault(one.key, one)
            yield from self._expand_due(due.values())
        self._backlog = Backlog()
        self._end_emission()

    def emit_fresh(self) -> Iterator[View]:
        """The views rooted at what changed since the last emission; those that depend on it go to the backlog.

        To be taken to its end like `emit`, and after it, or after `resume`: a fold that never emitted owes every view.
        """
        since = self._emitted_through
        assert since is not None, "emit() or resume() comes first"
        self._expander.forget()
        changed = self._due(since)
        fresh = [
            Due(view, uri, since)
            for uri in changed
            if self._shard.owns(uri)
            for view in self._plan.roots.get(kind_of(uri), ())
        ]
        yield from self._expand_due(fresh)
        emitted = {due.key for due in fresh}
        for key in emitted:
            self._backlog.remove(key)
        for due in self._dependents(changed, since):
            if due.key not in emitted:
                self._backlog.add(due)
        self._end_emission()

    def emit_backlog(self, count: int) -> Iterator[View]:
        """So many of the views that wait longest, or fewer: one that came to be up to date is not emitted again.

        To be taken to its end like `emit`.
        """
        self._expander.forget()
        taken = self._backlog.first(count)
        yield from self._expand_due(taken)
        for due in taken:
            self._backlog.remove(due.key)

    @property
    def backlog(self) -> int:
        """How many views wait behind fresh edits."""
        return len(self._backlog)

    @property
    def emitted_through(self) -> int:
        """Every view as of this offset has been emitted."""
        since = self._backlog.since()
        if since is not None:
            return since
        return NEVER if self._emitted_through is None else self._emitted_through

    def stored(self, uri: str) -> tuple[int, tuple[str, ...]] | None:
        """The offset and the references of an asset as `resume` takes them; None where nothing of it can be read.

        To be asked behind an emission.
        """
        asset = self._lookup(uri)
        if asset is None:
            return None
        assert self._referrers is not None, "emit() twice, or resume(), comes first"
        return asset.offset, self._referrers.by(uri)

    def heal(self, message: Message) -> bool:
        """Try a message again that was applied but could not be read; whether it can be now.

        What it changes is not emitted: a version may stay the same. `dependents` gives the views.
        """
        assert message.offset <= self.watermark
        if message.value is None:
            return False
        try:
            kind = check_uri(message.uri)
            if kind not in self._plan.shapes:
                return False
            rendered = self._renderer.render(kind, message.uri, message.value)
        except (InvalidUri, Undecodable, TypeError, ValueError):
            return False
        if not self._shard.owns(message.uri) and kind not in self._plan.dependencies:
            return True
        before = self._lookup(message.uri)
        if before is None or before.offset < message.offset:
            self._assets[message.uri] = Asset(kind, message.offset, rendered)
            self._changed[message.uri] = None
            self._indexed_referrers()
        return True

    def dependents(self, uri: str) -> Iterator[View]:
        """The views that a change of one asset would touch, as they are now."""
        self._expander.forget()
        for view, root_uri in dependents(self._plan, self._indexed_referrers(), [uri]):
            root = self._lookup(root_uri)
            if root is not None and self._shard.owns(root_uri):
                found = self._expander.expand(view, root_uri, root)
                if uri in orjson.loads(found.sources):
                    yield found

    def _emit_all(self, *, keep_all: bool, behind: str | None) -> Iterator[View]:
        """Every view of this shard, by when its root was first applied. Who refers to whom need not be known."""
        if self._referrers is not None:
            self._indexed_referrers()
        roots = self._plan.roots
        for uri, asset in list(self._assets.items()):
            if asset.kind in roots and self._shard.owns(uri):
                if behind is not None:
                    behind = None if uri == behind else behind
                    continue
                # A root that no view refers to is used here and nowhere else.
                keep = keep_all or asset.kind in self._plan.dependencies
                root = self._lookup(uri) if keep else self._settle(uri, asset, keep=False)
                if root is not None:
                    for view in roots[asset.kind]:
                        yield self._expander.expand(view, uri, root)
        assert behind is None, "it was emitted from these messages"
        for uri, asset in list(self._assets.items()):
            if isinstance(asset, _Pending) and asset.owned and asset.kind not in roots:
                self._settle(uri, asset)

    def _due(self, since: int) -> list[str]:
        """What changed after an offset, of what was applied since the last emission; not what can't be read."""
        self._indexed_referrers()
        assets = ((uri, self._lookup(uri)) for uri in self._changed)
        return [uri for uri, asset in assets if asset is not None and asset.offset > since]

    def _dependents(self, changed: Iterable[str], since: int) -> Iterator[Due]:
        assert self._referrers is not None
        for view, uri in dependents(self._plan, self._referrers, changed):
            if self._shard.owns(uri):
                yield Due(view, uri, since)

    def _expand_due(self, due: Iterable[Due]) -> Iterator[View]:
        for view, uri, since in due:
            root = self._lookup(uri)
            if root is not None:
                emitted = self._expander.expand(view, uri, root)
                if emitted.version > since:
                    yield emitted

    def _end_emission(self) -> None:
        # What was resumed may have to come as far as what was emitted before.
        before = NEVER if self._emitted_through is None else self._emitted_through
        self._emitted_through = max(before, self.watermark)
        self._changed.clear()

    def _indexed_referrers(self) -> Referrers:
        changed: Iterable[str] = self._changed
        if self._referrers is None:
            self._referrers = Referrers()
            changed = list(self._assets)
        referrers = self._referrers
        for uri in changed:
            asset = self._lookup(uri)
            referrers.update(uri, asset.rendered if asset is not None else None)
        return referrers

    def _lookup(self, uri: str) -> Asset | None:
        asset = self._assets.get(uri)
        return self._settle(uri, asset) if type(asset) is _Pending else asset

    def _settle(self, uri: str, pending: Asset | None, *, keep: bool = True) -> Asset | None:
        """Decode and render an asset, now that it is asked for; what can't be read, its own shard reports."""
        asset = pending
        while isinstance(asset, _Pending):
            try:
                rendered = self._renderer.render(asset.kind, uri, asset.value)
            except (Undecodable, TypeError, ValueError) as error:
                if asset.owned:
                    self.dead_letters.append(dead_letter(uri, asset.offset, asset.value, error))
                asset = asset.previous
            else:
                asset = Asset(asset.kind, asset.offset, rendered)
        if asset is None:
            del self._assets[uri]
        elif keep:
            self._assets[uri] = asset
        return asset

    def _is_uri(self, message: Message | Entry, *, owned: bool) -> bool:
        """Whether a message's key is an asset's URI; the shard that owns it reports one that is not."""
        try:
            check_uri(message.uri)
        except InvalidUri as error:
            if owned:
                letter = DeadLetter(message.offset, message.uri, "bad-uri", error.rule, message.value or b"")
                self.dead_letters.append(letter)
            return False
        return True


def dead_letter(uri: str, offset: int, value: bytes, error: Exception) -> DeadLetter:
    """A message whose payload could not be read."""
    if isinstance(error, Undecodable):
        return DeadLetter(offset, uri, error.code, error.reason, value)
    return DeadLetter(offset, uri, "unrenderable", str(error), value)

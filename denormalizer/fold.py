"""The fold: messages in log order become content views. The one state transition that everything else drives.

Batch applies a range and emits once; stream emits at each micro-batch; as-of stops early; verification does it again.
How the messages are cut into emissions never changes a byte of a view.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

import orjson

from assets.errors import InvalidUri, Undecodable
from assets.model import NEVER, Message, check_uri, kind_of
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
        self._referrers: Referrers | None = None
        self._emitted_through: int | None = None
        self.watermark = NEVER
        """The offset of the last message applied."""
        self.dead_letters: list[DeadLetter] = []
        """What this shard's own messages could not be read; the driver takes them from here."""

    def apply(self, messages: Iterable[Message]) -> None:
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
            yield from self._emit_changed(self._emitted_through)
        self._emitted_through = self.watermark
        self._changed.clear()

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

    def _emit_changed(self, emitted_through: int) -> Iterator[View]:
        for view, uri in dependents(self._plan, self._indexed_referrers(), self._changed):
            root = self._lookup(uri) if self._shard.owns(uri) else None
            if root is not None:
                emitted = self._expander.expand(view, uri, root)
                if emitted.version > emitted_through:
                    yield emitted

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
                    self.dead_letters.append(_letter(uri, asset, error))
                asset = asset.previous
            else:
                asset = Asset(asset.kind, asset.offset, rendered)
        if asset is None:
            del self._assets[uri]
        elif keep:
            self._assets[uri] = asset
        return asset

    def _is_uri(self, message: Message, *, owned: bool) -> bool:
        """Whether a message's key is an asset's URI; the shard that owns it reports one that is not."""
        try:
            check_uri(message.uri)
        except InvalidUri as error:
            if owned:
                letter = DeadLetter(message.offset, message.uri, "bad-uri", error.rule, message.value or b"")
                self.dead_letters.append(letter)
            return False
        return True


def _letter(uri: str, asset: _Pending, error: Exception) -> DeadLetter:
    if isinstance(error, Undecodable):
        return DeadLetter(asset.offset, uri, error.code, error.reason, asset.value)
    return DeadLetter(asset.offset, uri, "unrenderable", str(error), asset.value)

"""Link expansion: from a root asset, its stored references to nested content.

A subtree that other views share (a tag with its parents, an image with its credit) is joined once per emission and
reused where it would come out the same: where no asset on the way down from the root stands in it, and where it ends
above the depth limit.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from assets.errors import InvalidUri
from assets.model import NEVER, check_uri
from denormalizer.fragments import Fragments, Rendered, uris
from denormalizer.limits import SUBTREES_KEPT_BYTES_MAX, SUBTREES_KEPT_MAX, VIEW_BYTES_MAX, VIEW_NODES_MAX
from denormalizer.plan import Position, ViewPlan
from denormalizer.view import EMPTY_CONTENT, View


class Asset:
    """The latest version of an asset, rendered."""

    __slots__ = ("kind", "offset", "rendered")

    def __init__(self, kind: str, offset: int, rendered: list[Rendered] | None) -> None:
        self.kind = kind
        self.offset = offset
        self.rendered = rendered
        """In each shape of its kind; None while it is unpublished."""


Lookup = Callable[[str], Asset | None]
"""The latest version of an asset, None where it was never published."""


class Bounds(NamedTuple):
    """How large one view may become."""

    nodes_max: int = VIEW_NODES_MAX
    bytes_max: int = VIEW_BYTES_MAX


class _Subtree(NamedTuple):
    """An expanded reference that comes out the same wherever `height` and the ancestors allow it."""

    content: bytes
    closure: dict[str, Asset | None]
    height: int
    """How many references deep it goes below its top."""
    nodes: int


class _BeyondBounds(Exception):
    """The view is larger than its bounds: expand it again, counting."""


_BARE: Final = b'{"uri":%b}'
_BARE_BYTES: Final = len(b'[{"uri":""}]')
_CUT_FOR_GOOD: Final = -1
"""Above every ancestor: what is below is not to be shared."""
_NOTHING_CUT: Final = 1 << 30
_PIECES_FEW: Final = 32
"""So many need not be measured before they are joined: each is within the bound on a view's bytes."""


_Subtrees = dict[Position, dict[str, _Subtree]]
"""By where they may stand, and the URI at their top."""


class Expander:
    """Expands views over the assets that `lookup` knows now."""

    def __init__(self, lookup: Lookup, bounds: Bounds = Bounds()) -> None:
        self._lookup = lookup
        self._bounds = bounds
        self._subtrees: _Subtrees = {}
        self._walk = _Walk(lookup, bounds, self._subtrees)

    def forget(self) -> None:
        """Drop what is shared between views: the assets have changed."""
        self._subtrees.clear()
        self._walk.kept_count = self._walk.kept_bytes = 0

    def expand(self, view: ViewPlan, uri: str, root: Asset) -> View:
        """The view rooted at an asset."""
        name = view.definition.name
        closure: dict[str, Asset | None] = {uri: root}
        if root.rendered is None:
            return View(name, uri, root.offset, "gone", EMPTY_CONTENT, _sources(closure)[0])
        place = view.root.places[root.kind]
        rendered = root.rendered[place.shape]
        if isinstance(rendered, bytes):
            content = rendered
        else:
            walk = self._walk
            try:
                content = walk.content(rendered, place.targets, uri, view.definition.depth, closure)
            except _BeyondBounds:
                return expand_bounded(self._lookup, self._bounds, view, uri, root)
            if walk.kept_count > SUBTREES_KEPT_MAX or walk.kept_bytes > SUBTREES_KEPT_BYTES_MAX:
                self.forget()
        sources, version = _sources(closure)
        return View(name, uri, version, "live", content, sources)


def expand_bounded(lookup: Lookup, bounds: Bounds, view: ViewPlan, uri: str, root: Asset) -> View:
    """A view that goes beyond its bounds, cut short there."""
    assert root.rendered is not None
    place = view.root.places[root.kind]
    rendered = root.rendered[place.shape]
    closure: dict[str, Asset | None] = {uri: root}
    walk = _BoundedWalk(lookup, bounds)
    assert isinstance(rendered, Fragments), "without references it is within every bound"
    content = walk.content(rendered, place.targets, uri, view.definition.depth, closure)
    sources, version = _sources(closure)
    return View(view.definition.name, uri, version, "live", content, sources, tuple(sorted(walk.reached)))


class _Walk:
    """The fast way: raises `_BeyondBounds` when the view grows too large."""

    def __init__(self, lookup: Lookup, bounds: Bounds, subtrees: _Subtrees) -> None:
        self._lookup = lookup
        self._depth = 0
        self._nodes_max, self._bytes_max = bounds
        self._subtrees = subtrees
        self.kept_count = self.kept_bytes = 0
        self._nodes = 1
        self._height = 0
        """The depth of the deepest asset looked up since it was last reset."""
        self._cut_at = _NOTHING_CUT
        """The depth of the highest ancestor at which a cycle was cut since it was last reset."""

    def content(
        self,
        fragments: Fragments,
        targets: tuple[Position, ...],
        root: str,
        depth: int,
        closure: dict[str, Asset | None],
    ) -> bytes:
        """A root's fragments with their holes filled, `depth` references deep; what was looked up is put into `closure`."""
        self._depth = depth
        self._nodes = 1
        self._height = 0
        self._cut_at = _NOTHING_CUT
        return self.join(fragments, targets, 1, {root: 0}, closure)

    def join(
        self,
        fragments: Fragments,
        targets: tuple[Position, ...],
        depth: int,
        ancestors: dict[str, int],
        closure: dict[str, Asset | None],
    ) -> bytes:
        """The fragments with their holes filled; `depth` is that of what stands in the holes."""
        pieces, holes = fragments
        out = [pieces[0]]
        number = 1
        for hole, value in holes:
            if type(value) is str:
                out.append(self._one(value, targets[hole], depth, ancestors, closure) or b"null")
            else:
                out.append(self._many(value, targets[hole], depth, ancestors, closure))
            out.append(pieces[number])
            number += 1
        if len(out) > _PIECES_FEW and sum(map(len, out)) > self._bytes_max:
            raise _BeyondBounds
        content = b"".join(out)
        if len(content) > self._bytes_max:
            raise _BeyondBounds
        return content

    def _many(
        self,
        uris: list[Any],
        target: Position,
        depth: int,
        ancestors: dict[str, int],
        closure: dict[str, Asset | None],
    ) -> bytes:
        items: list[bytes] = []
        for uri in uris:
            if type(uri) is str:
                item = self._one(uri, target, depth, ancestors, closure)
                if item is not None:
                    items.append(item)
            else:
                items.append(b"null" if uri is None else self._many(uri, target, depth, ancestors, closure))
        if len(items) > _PIECES_FEW and sum(map(len, items)) > self._bytes_max:
            raise _BeyondBounds
        return b"[%b]" % b",".join(items)

    def _one(
        self, uri: str, target: Position, depth: int, ancestors: dict[str, int], closure: dict[str, Asset | None]
    ) -> bytes | None:
        """What stands for one reference; None where its target is missing or unpublished."""
        shared = self._subtrees.get(target)
        kept = shared.get(uri) if shared is not None else None
        if kept is not None:
            content, below, height, nodes = kept
            if depth + height <= self._depth and ancestors.keys().isdisjoint(below):
                self._nodes += nodes
                if self._nodes > self._nodes_max:
                    raise _BeyondBounds
                if depth + height > self._height:  # noqa: PLR1730 - as below
                    self._height = depth + height
                closure.update(below)
                return content
        if uri in ancestors:
            self._cut_at = min(self._cut_at, ancestors[uri])
            return _bare(uri)
        if depth > self._depth:
            self._cut_at = _CUT_FOR_GOOD
            return _bare(uri)
        if depth > self._height:  # noqa: PLR1730 - a call of max takes longer, and this is done for every reference
            self._height = depth
        self._nodes += 1
        if self._nodes > self._nodes_max:
            raise _BeyondBounds
        asset = self._lookup(uri)
        if asset is None:
            if _may_stand(uri, target):
                closure[uri] = None
            return None
        place = target.places.get(asset.kind)
        if place is None:
            # It is not in the closure, by which a subtree is known not to hold an ancestor: let nobody share this one.
            self._cut_at = _CUT_FOR_GOOD
            return None
        closure[uri] = asset
        if asset.rendered is None:
            return None
        rendered = asset.rendered[place.shape]
        if isinstance(rendered, bytes):
            return rendered
        return self._joined(uri, target, rendered, place.targets, depth, ancestors, closure)

    def _joined(
        self,
        uri: str,
        target: Position,
        fragments: Fragments,
        targets: tuple[Position, ...],
        depth: int,
        ancestors: dict[str, int],
        closure: dict[str, Asset | None],
    ) -> bytes:
        """A subtree with more below it, kept where nothing above shaped it."""
        height, cut_at, nodes = self._height, self._cut_at, self._nodes
        self._height, self._cut_at = depth, _NOTHING_CUT
        below: dict[str, Asset | None] = {uri: closure[uri]}
        ancestors[uri] = depth
        content = self.join(fragments, targets, depth + 1, ancestors, below)
        del ancestors[uri]
        if self._cut_at >= depth:
            kept = _Subtree(content, below, self._height - depth, self._nodes - nodes + 1)
            self._subtrees.setdefault(target, {})[uri] = kept
            self.kept_count += 1
            self.kept_bytes += len(content)
            self._cut_at = cut_at
        else:
            self._cut_at = min(cut_at, self._cut_at)
        self._height = max(height, self._height)
        closure.update(below)
        return content


class _BoundedWalk(_Walk):
    """The slow way, in the order of the text: what would go beyond a bound stays a bare object."""

    def __init__(self, lookup: Lookup, bounds: Bounds) -> None:
        super().__init__(lookup, bounds._replace(bytes_max=1 << 62), {})
        self._nodes_left = bounds.nodes_max - 1
        self._bytes_left = bounds.bytes_max
        self.reached: set[str] = set()

    def join(
        self,
        fragments: Fragments,
        targets: tuple[Position, ...],
        depth: int,
        ancestors: dict[str, int],
        closure: dict[str, Asset | None],
    ) -> bytes:
        self._bytes_left -= _least_bytes(fragments)
        return super().join(fragments, targets, depth, ancestors, closure)

    def _one(
        self, uri: str, target: Position, depth: int, ancestors: dict[str, int], closure: dict[str, Asset | None]
    ) -> bytes | None:
        if uri in ancestors or depth > self._depth:
            return _bare(uri)
        if self._nodes_left <= 0:
            self.reached.add("nodes")
            return _bare(uri)
        self._nodes_left -= 1
        asset = self._lookup(uri)
        if asset is None:
            if _may_stand(uri, target):
                closure[uri] = None
            return None
        place = target.places.get(asset.kind)
        if place is None:
            return None
        closure[uri] = asset
        if asset.rendered is None:
            return None
        rendered = asset.rendered[place.shape]
        size = len(rendered) if isinstance(rendered, bytes) else _least_bytes(rendered)
        if size > self._bytes_left:
            self.reached.add("bytes")
            return _bare(uri)
        if isinstance(rendered, bytes):
            self._bytes_left -= size
            return rendered
        ancestors[uri] = depth
        content = self.join(rendered, place.targets, depth + 1, ancestors, closure)
        del ancestors[uri]
        return content


def _least_bytes(fragments: Fragments) -> int:
    """What the fragments take with bare objects in all their holes."""
    bare = sum(_BARE_BYTES + len(uri) for _, value in fragments.holes for uri in uris(value))
    return bare + sum(map(len, fragments.pieces))


def _sources(closure: dict[str, Asset | None]) -> tuple[bytes, int]:
    """A closure as a view shows it, and the version that it makes."""
    version = NEVER
    sources: list[bytes] = []
    for uri, asset in closure.items():
        if asset is None:
            sources.append(b"%b:null" % orjson.dumps(uri))
        else:
            # A URI holds no character that JSON escapes.
            sources.append(b'"%b":%d' % (uri.encode(), asset.offset))
            version = max(version, asset.offset)
    return b"{%b}" % b",".join(sources), version


def _may_stand(uri: str, target: Position) -> bool:
    """Whether it belongs into the closure: it does unless it is of a kind that can't stand here, published or not.

    Real archives refer to what is no URI at all: a hole for ever.
    """
    try:
        return check_uri(uri) in target.places
    except InvalidUri:
        return True


def _bare(uri: str) -> bytes:
    # It was not looked up, so it may be any text.
    return _BARE % orjson.dumps(uri)

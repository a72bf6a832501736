"""Link expansion: from a root asset, its stored references to nested content.

A subtree that other views share (a tag with its parents, an image with its credit) is joined once per emission and
reused where it would come out the same: where no asset on the way down from the root stands in it, and where it ends
above the depth limit.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from assets.errors import InvalidUri
from assets.model import check_uri
from denormalizer.fragments import Fragments, Rendered, uris
from denormalizer.limits import SUBTREES_KEPT_BYTES_MAX, SUBTREES_KEPT_MAX, VIEW_BYTES_MAX, VIEW_NODES_MAX
from denormalizer.plan import Position, ViewPlan
from denormalizer.view import EMPTY_CONTENT, View


class Asset:
    """The latest version of an asset, rendered."""

    __slots__ = ("kind", "offset", "rendered", "source")

    def __init__(self, uri: str, kind: str, offset: int, rendered: list[Rendered] | None) -> None:
        self.kind = kind
        self.offset = offset
        self.rendered = rendered
        """In each shape of its kind; None while it is unpublished."""
        self.source = f'"{uri}":{offset}'.encode()


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


class Expander:
    """Expands views over the assets that `lookup` knows now."""

    def __init__(self, lookup: Lookup, bounds: Bounds = Bounds()) -> None:
        self._lookup = lookup
        self._bounds = bounds
        self._subtrees: dict[tuple[int, str], _Subtree] = {}
        self._subtrees_bytes = 0

    def forget(self) -> None:
        """Drop what is shared between views: the assets have changed."""
        self._subtrees.clear()
        self._subtrees_bytes = 0

    def expand(self, view: ViewPlan, uri: str, root: Asset) -> View:
        """The view rooted at an asset."""
        name = view.definition.name
        closure: dict[str, Asset | None] = {uri: root}
        if root.rendered is None:
            return View(name, uri, root.offset, "gone", EMPTY_CONTENT, b"{%b}" % root.source)
        place = view.root.places[root.kind]
        rendered = root.rendered[place.shape]
        cut: tuple[str, ...] = ()
        if isinstance(rendered, bytes):
            content = rendered
        else:
            walk = _Walk(self._lookup, view.definition.depth, self._bounds, self._subtrees)
            try:
                content = walk.join(rendered, place.targets, 1, {uri: 0}, closure)
            except _BeyondBounds:
                closure = {uri: root}
                bounded = _BoundedWalk(self._lookup, view.definition.depth, self._bounds)
                content = bounded.join(rendered, place.targets, 1, {uri: 0}, closure)
                cut = tuple(sorted(bounded.reached))
            self._subtrees_bytes += walk.kept_bytes
            if len(self._subtrees) > SUBTREES_KEPT_MAX or self._subtrees_bytes > SUBTREES_KEPT_BYTES_MAX:
                self.forget()
        version = root.offset
        sources: list[bytes] = []
        for source, asset in closure.items():
            if asset is None:
                sources.append(b"%b:null" % orjson.dumps(source))
            else:
                sources.append(asset.source)
                version = max(version, asset.offset)
        return View(name, uri, version, "live", content, b"{%b}" % b",".join(sources), cut)


class _Walk:
    """The fast way: raises `_BeyondBounds` when the view grows too large."""

    def __init__(self, lookup: Lookup, depth: int, bounds: Bounds, subtrees: dict[tuple[int, str], _Subtree]) -> None:
        self._lookup = lookup
        self._depth = depth
        self._bounds = bounds
        self._subtrees = subtrees
        self.kept_bytes = 0
        self._nodes = 1
        self._height = 0
        """The depth of the deepest asset looked up since it was last reset."""
        self._cut_at = _NOTHING_CUT
        """The depth of the highest ancestor at which a cycle was cut since it was last reset."""

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
        for number, (hole, value) in enumerate(holes, 1):
            if type(value) is str:
                out.append(self._one(value, targets[hole], depth, ancestors, closure) or b"null")
            else:
                out.append(self._many(value, targets[hole], depth, ancestors, closure))
            out.append(pieces[number])
        if sum(map(len, out)) > self._bounds.bytes_max:
            raise _BeyondBounds
        return b"".join(out)

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
        if sum(map(len, items)) > self._bounds.bytes_max:
            raise _BeyondBounds
        return b"[%b]" % b",".join(items)

    def _one(
        self, uri: str, target: Position, depth: int, ancestors: dict[str, int], closure: dict[str, Asset | None]
    ) -> bytes | None:
        """What stands for one reference; None where its target is missing or unpublished."""
        if uri in ancestors:
            self._cut_at = min(self._cut_at, ancestors[uri])
            return _bare(uri)
        if depth > self._depth:
            self._cut_at = _CUT_FOR_GOOD
            return _bare(uri)
        if depth > self._height:  # noqa: PLR1730 - a call of max takes longer, and this is done for every reference
            self._height = depth
        self._nodes += 1
        if self._nodes > self._bounds.nodes_max:
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
        return self._shared(uri, id(target), rendered, place.targets, depth, ancestors, closure)

    def _shared(
        self,
        uri: str,
        position: int,
        fragments: Fragments,
        targets: tuple[Position, ...],
        depth: int,
        ancestors: dict[str, int],
        closure: dict[str, Asset | None],
    ) -> bytes:
        """A subtree with more below it: from what is kept, or joined and kept where nothing above shaped it."""
        kept = self._subtrees.get((position, uri))
        if kept is not None and depth + kept.height <= self._depth and ancestors.keys().isdisjoint(kept.closure):
            self._nodes += kept.nodes
            if self._nodes > self._bounds.nodes_max:
                raise _BeyondBounds
            self._height = max(self._height, depth + kept.height)
            closure.update(kept.closure)
            return kept.content
        height, cut_at, nodes = self._height, self._cut_at, self._nodes
        self._height, self._cut_at = depth, _NOTHING_CUT
        below: dict[str, Asset | None] = {}
        ancestors[uri] = depth
        content = self.join(fragments, targets, depth + 1, ancestors, below)
        del ancestors[uri]
        if self._cut_at >= depth:
            self._subtrees[position, uri] = _Subtree(content, below, self._height - depth, self._nodes - nodes)
            self.kept_bytes += len(content)
            self._cut_at = cut_at
        else:
            self._cut_at = min(cut_at, self._cut_at)
        self._height = max(height, self._height)
        closure.update(below)
        return content


class _BoundedWalk(_Walk):
    """The slow way, in the order of the text: what would go beyond a bound stays a bare object."""

    def __init__(self, lookup: Lookup, depth: int, bounds: Bounds) -> None:
        super().__init__(lookup, depth, bounds._replace(bytes_max=1 << 62), {})
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

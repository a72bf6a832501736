"""Why a view says what it says: its closure as a tree, and the way to the asset that made its last version."""

# networkx has types in part only.
# pyright: reportUnknownMemberType=false

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import networkx as nx

from denormalizer.as_of import AsOf
from denormalizer.fragments import Fragments, uris
from denormalizer.plan import Place, ViewPlan

Standing = Literal["live", "unpublished", "missing", "cycle", "beyond depth"]


@dataclass(eq=False)
class Part:
    """One asset where it stands in a view."""

    path: str
    """The reference it stands in, from its parent; empty for the root."""
    uri: str
    standing: Standing
    offset: int | None
    """Of its last message; None where there is none, or where it is not looked up."""
    parts: list["Part"] = field(default_factory=list["Part"])


@dataclass(frozen=True)
class Explanation:
    """A view taken apart."""

    root: Part
    version: int
    cause: tuple[Part, ...]
    """From the root down to the asset whose message is the version."""


def explain(as_of: AsOf, view: ViewPlan, uri: str) -> Explanation | None:
    """The explanation of a view at a watermark, None where its root was never published."""
    asset = as_of.asset(uri)
    if asset is None or asset.kind != view.definition.root:
        return None
    root = Part("", uri, "live" if asset.rendered is not None else "unpublished", asset.offset)
    if asset.rendered is not None:
        root.parts = list(_parts(as_of, view, uri, view.root.places[asset.kind], (uri,)))
    tree = _tree(root)
    version = max(part.offset for part in tree.nodes if part.offset is not None)
    made = next(part for part in tree.nodes if part.offset == version)
    return Explanation(root, version, tuple(nx.shortest_path(tree, root, made)))


def _parts(as_of: AsOf, view: ViewPlan, uri: str, place: Place, way: tuple[str, ...]) -> Iterator[Part]:
    """What stands in an asset's references; it mirrors link expansion and shares nothing between places."""
    asset = as_of.asset(uri)
    rendered = asset.rendered[place.shape] if asset is not None and asset.rendered is not None else b""
    if not isinstance(rendered, Fragments):
        return
    for hole, value in rendered.holes:
        for target in uris(value):
            path = place.holes[hole]
            if target in way:
                yield Part(path, target, "cycle", None)
            elif len(way) > view.definition.depth:
                yield Part(path, target, "beyond depth", None)
            else:
                found = as_of.asset(target)
                below = place.targets[hole].places.get(found.kind) if found is not None else None
                if found is None or below is None:
                    yield Part(path, target, "missing", None)
                elif found.rendered is None:
                    yield Part(path, target, "unpublished", found.offset)
                else:
                    part = Part(path, target, "live", found.offset)
                    part.parts = list(_parts(as_of, view, target, below, (*way, target)))
                    yield part


def _tree(root: Part) -> "nx.DiGraph[Part]":
    tree: nx.DiGraph[Part] = nx.DiGraph()
    tree.add_node(root)
    pending = [root]
    while pending:
        parent = pending.pop()
        for part in parent.parts:
            tree.add_edge(parent, part)
            pending.append(part)
    return tree

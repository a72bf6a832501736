"""The kinds and their references as a graph: what may point at what, in which order, and which kinds reach which views."""

from dataclasses import dataclass

import networkx as nx

from assets.catalog import Catalog
from denormalizer.plan import compile_catalog


@dataclass(frozen=True)
class KindGraph:
    """What `publog catalog check` draws."""

    references: tuple[tuple[str, str, str], ...]
    """(kind, dotted path, kind it may point at), in the catalog's order."""
    order: tuple[tuple[str, ...], ...]
    """Kinds by how far they are from the ends: each group refers only to groups before it, but inside a cycle."""
    cycles: tuple[tuple[str, ...], ...]
    """Groups of kinds that can reach themselves."""
    views: dict[str, tuple[str, ...]]
    """By view, the kinds whose change may touch it, its root first."""


def kind_graph(catalog: Catalog) -> KindGraph:
    """The graph of a catalog's kinds."""
    references = [
        (kind.name, reference.path, target)
        for kind in catalog.kinds.values()
        for reference in kind.references
        for target in reference.kinds
    ]
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(catalog.kinds)
    graph.add_edges_from((kind, target) for kind, _, target in references)
    # A cycle's kinds are one node of the condensation, which then has a topological order.
    condensed = nx.condensation(graph)
    order = [
        tuple(sorted(kind for node in generation for kind in condensed.nodes[node]["members"]))
        for generation in nx.topological_generations(condensed.reverse())
    ]
    cycles = [
        tuple(sorted(group))
        for group in nx.strongly_connected_components(graph)
        if len(group) > 1 or any(graph.has_edge(kind, kind) for kind in group)
    ]
    views = {
        view.definition.name: tuple(dict.fromkeys(kind for position in view.positions for kind in position.places))
        for view in compile_catalog(catalog).views
    }
    return KindGraph(tuple(references), tuple(order), tuple(sorted(cycles)), views)

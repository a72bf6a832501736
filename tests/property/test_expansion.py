"""Link expansion shares subtrees between views and stops at bounds; neither may change what a view is."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denormalizer import expansion
from denormalizer.expansion import Asset, Bounds, Expander
from denormalizer.view import View
from tests.support.building import Publication, assert_same, by_key, record
from tests.support.strategies import publication, publications

Json = Any
Edges = Mapping[str, Sequence[str]]

KIND = json.dumps(
    {
        "type": "record",
        "name": "a",
        "fields": [
            {"name": "key", "type": "string"},
            {
                "name": "r",
                "type": {"type": "array", "items": {"type": "string", "logicalType": "asset-ref", "kinds": ["a"]}},
                "default": [],
            },
            {
                "name": "p",
                "type": ["null", {"type": "string", "logicalType": "asset-ref", "kinds": ["a"]}],
                "default": None,
            },
        ],
    }
)


def views(*expand: str, depths: Iterable[int]) -> dict[str, str]:
    """One view of these paths for each depth, and the kind."""
    toml = "\n".join(
        f'[views.d{depth}]\nroot = "a"\nexpand = {json.dumps(expand)}\ndepth = {depth}' for depth in depths
    )
    return {"kinds/a.avsc": KIND, "views.toml": toml}


def publish(name: str, *r: str, p: str | None = None) -> Json:
    data = {"key": name, "r": [f"x://a/{target}" for target in r], "p": p and f"x://a/{p}"}
    return {"uri": f"x://a/{name}", "kind": "a", "op": "publish", "data": data}


def unpublish(name: str) -> Json:
    return {"uri": f"x://a/{name}", "kind": "a", "op": "unpublish"}


def emitted_once(publication: Publication, shards: int = 1) -> dict[tuple[str, str], View]:
    for fold in (folds := publication.folds(shards)):
        fold.apply(publication.messages)
    return by_key(view for fold in folds for view in fold.emit())


def assert_agrees(publication: Publication, shards: int = 1) -> None:
    found = emitted_once(publication, shards)
    expected = publication.expected(len(publication.messages) - 1)
    assert found.keys() == expected.keys()
    for key, view in found.items():
        assert_same(view, expected[key])


# ---------------------------------------------------------------------------------------------------- shared subtrees


def test_every_graph_of_three_assets_agrees_at_every_depth() -> None:
    # Up to two references from each asset to any of the three, itself included, or to nobody: 1,331 graphs. They
    # hold every order in which roots can find each other's subtrees kept, since every renaming of a graph is one too.
    empty = Publication(views("r*", depths=range(5)), [])
    names = "123"
    targets = [choice for size in range(3) for choice in combinations("123n", size)]
    for edges in product(targets, repeat=3):
        assert_agrees(empty.with_messages([publish(name, *r) for name, r in zip(names, edges, strict=True)]))


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]))
def test_dense_graphs_with_holes_agree_at_every_depth(seed: int, shards: int) -> None:
    random = Random(seed)
    names = "12345"[: random.randint(2, 5)]
    paths = random.choice([["r*"], ["r.r.r"], ["p.r*"], ["r.p*", "p"], ["r.p", "p.r"], ["r*", "p*"], ["p.p.r.r", "r*"]])
    messages = [
        unpublish(name)
        if random.random() < 0.1
        else publish(
            name,
            *(random.choice([*names, "n"]) for _ in range(random.choice([0, 1, 1, 2, 2, 3]))),
            p=random.choice([None, *names]),
        )
        for name in random.sample(names, len(names))
    ]
    assert_agrees(Publication(views(*paths, depths=[1, 2, 3, 5]), messages), shards)


@pytest.mark.parametrize(
    ("why", "depth", "messages"),
    [
        (
            # 3 below 2 is whole; below 1 and 2 it would go one deeper than the view does.
            "a subtree kept near its own root does not fit deeper down",
            2,
            [publish("3", "4"), publish("4", "5"), publish("5"), publish("2", "3"), publish("1", "2")],
        ),
        (
            "a subtree cut by depth is not kept for where it would be whole",
            2,
            [publish("1", "2"), publish("2", "3"), publish("3", "4"), publish("4", "5"), publish("5")],
        ),
        (
            # 4 is kept below 3, then 3 with it below 2: below 1 and 2, 5 would be one too deep.
            "a subtree is as high as what it shares in turn",
            3,
            [publish("5"), publish("4", "5"), publish("3", "4"), publish("2", "3"), publish("1", "2")],
        ),
        (
            "a subtree that holds the root is not reused below it",
            5,
            [publish("2", "3"), publish("3", "1"), publish("1", "2")],
        ),
        (
            "a subtree cut at an ancestor is not kept for where that is none",
            5,
            [publish("1", "2"), publish("2", "1", "3"), publish("3"), publish("4", "2")],
        ),
        (
            "a cycle inside a subtree does not keep it from being shared, and stays cut at the same place",
            5,
            [publish("2", "3"), publish("3", "2"), publish("1", "2"), publish("4", "3", "2")],
        ),
        (
            "a self reference is cut wherever its asset stands",
            5,
            [publish("2", "2"), publish("1", "2", "2"), publish("3", "1", "3")],
        ),
        (
            # On the way down 2 is cut at 1; it must not count as whole because the last thing below it was.
            "a cut in a first reference is not forgotten behind a whole second one",
            5,
            [publish("1", "2"), publish("2", "1", "3"), publish("3", "4"), publish("4"), publish("5", "2")],
        ),
        (
            "a missing target stays in the closure of every view that shares the subtree",
            5,
            [publish("2", "n"), publish("1", "2"), publish("3", "2", "1")],
        ),
        (
            "the same asset twice on one level is whole twice",
            2,
            [publish("3", "4"), publish("4"), publish("2", "3", "3"), publish("1", "2", "2", p="3")],
        ),
    ],
)
def test_sharing_does_not_change_a_view(why: str, depth: int, messages: list[Json]) -> None:
    assert_agrees(Publication(views("r*", "p.r", depths=[depth]), messages))
    assert_agrees(Publication(views("r*", "p.r", depths=[depth]), list(reversed(messages))))


def test_a_subtree_with_a_reference_of_a_wrong_kind_is_not_shared() -> None:
    # Such a reference is no part of the closure, and yet what it points at may be an ancestor in the next view.
    one = {"type": "string", "logicalType": "asset-ref", "kinds": ["a"]}
    fields = [{"name": "q", "type": ["null", one], "default": None}]
    files = {
        f"kinds/{kind}.avsc": json.dumps({"type": "record", "name": kind, "fields": fields}) for kind in ("a", "b")
    }
    files["views.toml"] = '[views.v]\nroot = "b"\nexpand = ["q*"]'
    messages = [
        {"uri": "x://b/2", "kind": "b", "op": "publish", "data": {"q": "x://a/3"}},
        {"uri": "x://b/1", "kind": "b", "op": "publish", "data": {"q": "x://a/3"}},
        {"uri": "x://a/3", "kind": "a", "op": "publish", "data": {"q": "x://b/1"}},
    ]
    assert_agrees(Publication(files, messages))
    assert_agrees(Publication(files, messages), 5)


def test_what_many_views_share_is_looked_up_once() -> None:
    chain = [publish(f"c{n}", f"c{n + 1}") for n in range(4)]
    hub = Publication(views("r*", depths=[8]), [*chain, *(publish(f"{n}", "c0") for n in range(100))])
    lookups = Lookups(hub)
    expand_all(hub, lookups)
    assert lookups.count < 250


@pytest.mark.parametrize("limit", ["SUBTREES_KEPT_MAX", "SUBTREES_KEPT_BYTES_MAX"])
def test_subtrees_may_be_forgotten_at_any_time(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, limit, 1)
    for seed in range(30):
        assert_agrees(publication(seed, 0, poison=False))


# ------------------------------------------------------------------------------------------------------------- bounds


class Lookups:
    """Assets by URI, and how often one was asked for."""

    def __init__(self, publication: Publication) -> None:
        fold = publication.fold(bounds=Bounds(nodes_max=10, bytes_max=1_000))
        fold.apply(publication.messages)
        # Emitted, so that none is pending.
        assert list(fold.emit())
        found = {message["uri"]: fold._lookup(message["uri"]) for message in publication.plain}
        self.assets: dict[str, Asset] = {uri: asset for uri, asset in found.items() if asset is not None}
        self.count = 0

    def __call__(self, uri: str) -> Asset | None:
        self.count += 1
        return self.assets.get(uri)


def expand_all(publication: Publication, lookups: Lookups, bounds: Bounds = Bounds()) -> list[View]:
    expander = Expander(lookups, bounds)
    (view,) = publication.plan.views
    return [expander.expand(view, uri, asset) for uri, asset in lookups.assets.items()]


def expand_first(publication: Publication, lookups: Lookups, bounds: Bounds = Bounds()) -> View:
    (view,) = publication.plan.views
    uri, asset = next(iter(lookups.assets.items()))
    return Expander(lookups, bounds).expand(view, uri, asset)


def diamonds(levels: int) -> list[Json]:
    """Each level's two assets refer to both of the next: two ways more to the bottom with each."""
    below = [f"{level + 1}{side}" for level in range(levels) for side in "lr"]
    return [publish("0", *below[:2])] + [
        publish(name, *below[2 * (n // 2 + 1) : 2 * (n // 2 + 1) + 2]) for n, name in enumerate(below)
    ]


def complete(count: int) -> list[Json]:
    """Each asset refers to all: nearly every way ends in a cycle somewhere else."""
    names = [str(n) for n in range(count)]
    return [publish(name, *names) for name in names]


@pytest.mark.parametrize("messages", [diamonds(60), complete(40), complete(8)])
def test_work_is_bounded_where_the_ways_are_exponentially_many(messages: list[Json]) -> None:
    publication = Publication(views("r*", depths=[64]), messages)
    lookups = Lookups(publication)
    bounds = Bounds(nodes_max=2_000)
    view = expand_first(publication, lookups, bounds)
    assert view.bounds == ("nodes",)
    assert lookups.count <= 2 * bounds.nodes_max
    assert nodes(json.loads(view.content)) <= bounds.nodes_max
    assert view == expand_first(publication, Lookups(publication), bounds)


def test_a_large_view_is_cut_at_its_bytes_and_says_so() -> None:
    publication = Publication(
        views("r*", depths=[8]),
        [
            publish("0", *(f"{n}" + "x" * 400 for n in range(1, 200))),
            *(publish(f"{n}" + "x" * 400) for n in range(1, 200)),
        ],
    )
    whole = expand_first(publication, Lookups(publication))
    assert whole.bounds == ()
    assert len(whole.content) > 150_000
    cut = expand_first(publication, Lookups(publication), Bounds(bytes_max=120_000))
    assert cut.bounds == ("bytes",)
    # What would stand there bare is counted too, so that it ends somewhat below.
    assert 90_000 < len(cut.content) <= 120_000
    expanded, bare = json.loads(cut.content)["r"][:20], json.loads(cut.content)["r"][-20:]
    assert all("key" in item for item in expanded)
    assert all(item.keys() == {"uri"} for item in bare)
    # Their size decided that, so that a new version of one may bring it in.
    assert all(item["uri"] in record(cut)["sources"] for item in bare)


def test_a_bound_that_is_just_met_cuts_nothing() -> None:
    publication = Publication(views("r*", depths=[8]), diamonds(3))
    whole = expand_first(publication, Lookups(publication))
    needed = Bounds(nodes(json.loads(whole.content)), len(whole.content))
    assert expand_first(publication, Lookups(publication), needed) == whole
    for less in (needed._replace(nodes_max=needed.nodes_max - 1), needed._replace(bytes_max=needed.bytes_max - 1)):
        assert expand_first(publication, Lookups(publication), less).bounds != ()


@st.composite
def bounded(draw: Callable[..., Any]) -> tuple[Publication, Bounds, list[int]]:
    publication: Publication = draw(publications(poison=False))
    last = len(publication.messages) - 1
    bounds = Bounds(draw(st.integers(1, 12)), draw(st.integers(40, 1_000)))
    return publication, bounds, sorted({*draw(st.sets(st.integers(0, last))), last})


@given(bounded(), st.sampled_from([1, 2, 5]))
def test_bounded_views_are_the_same_however_they_are_made(
    made: tuple[Publication, Bounds, list[int]], shards: int
) -> None:
    publication, bounds, cuts = made
    folds = publication.folds(shards, bounds)
    previous = -1
    for cut in cuts:
        fresh = publication.fold(bounds=bounds)
        fresh.apply(publication.messages[: cut + 1])
        expected = by_key(fresh.emit())
        for fold in folds:
            fold.apply(publication.messages[previous + 1 : cut + 1])
        emitted = by_key(view for fold in folds for view in fold.emit())
        assert emitted == {key: view for key, view in expected.items() if view.version > previous}
        previous = cut


@given(bounded())
def test_a_bounded_view_is_whole_or_says_what_cut_it(made: tuple[Publication, Bounds, list[int]]) -> None:
    publication, bounds, _ = made
    whole = emitted_once(publication)
    (fold,) = publication.folds(1, bounds)
    fold.apply(publication.messages)
    expected = publication.expected(len(publication.messages) - 1)
    for view in fold.emit():
        key = view.view, view.uri
        too_large = {
            "nodes": expected[key]["nodes"] > bounds.nodes_max,
            "bytes": len(whole[key].content) > bounds.bytes_max,
        }
        if view.bounds:
            assert any(too_large.values())
            assert set(view.bounds) <= {"nodes", "bytes"}
            assert record(view)["content"].keys() == expected[key]["content"].keys()
            assert record(view)["sources"].items() <= expected[key]["sources"].items()
        else:
            assert_same(view, expected[key])
            assert not too_large["nodes"]


def nodes(content: Json) -> int:
    """Expanded assets in a view's content."""
    if isinstance(content, dict):
        return (content.keys() > {"uri"}) + sum(map(nodes, content.values()))
    return sum(map(nodes, content)) if isinstance(content, list) else 0

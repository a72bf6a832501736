"""A fold that emits in two lanes, and is resumed from what was stored of it, ends in what the oracle says."""

from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.model import NEVER
from denormalizer.fold import Fold, Shard, StoredAsset
from denormalizer.view import View
from tests.support.building import Publication, assert_same
from tests.support.strategies import publications

Views = dict[tuple[str, str], View]


class Kept(NamedTuple):
    """What is left of a stream that was killed: a state and an index, not always of one moment."""

    watermark: int
    assets: dict[str, StoredAsset]
    views: Views
    applied_through: int


class Stream:
    """One shard in two lanes, and an index that takes a view when its version is above the one that it has."""

    def __init__(self, publication: Publication, shard: Shard, kept: Kept | None = None) -> None:
        self.publication = publication
        self.fold: Fold = publication.fold(shard)
        kept = kept or Kept(NEVER, {}, {}, NEVER)
        self.assets = dict(kept.assets)
        self.views = dict(kept.views)
        self.applied_through = kept.applied_through
        self.emitted: dict[tuple[str, str], int] = {}
        self.fold.resume(self.assets.values(), kept.watermark, kept.applied_through)

    def apply(self, upto: int) -> None:
        applied = [m for m in self.publication.messages if self.fold.watermark < m.offset <= upto]
        self.fold.apply(applied)
        self._write(self.fold.emit_fresh())
        for message in applied:
            stored = (
                self.fold.stored(message.uri) if message.uri.split("/")[2] in self.publication.plan.shapes else None
            )
            if stored is not None and stored[0] == message.offset:
                self.assets[message.uri] = StoredAsset(message.uri, message.offset, message.value, stored[1])

    def work_off(self, count: int) -> None:
        before = self.fold.backlog
        self._write(self.fold.emit_backlog(count))
        assert self.fold.backlog == max(before - count, 0)

    def keep(self) -> Kept:
        return Kept(self.fold.watermark, dict(self.assets), dict(self.views), self.applied_through)

    def _write(self, emission: Any) -> None:
        for view in emission:
            key = view.view, view.uri
            assert_same(view, self.publication.expected(self.fold.watermark)[key])
            assert view.version > self.emitted.get(key, NEVER), "nothing is emitted again that did not change"
            self.emitted[key] = view.version
            present = self.views.get(key)
            if present is None or present.version < view.version:
                self.views[key] = view
            else:
                assert present.version > view.version or present == view
        self.applied_through = max(self.applied_through, self.fold.emitted_through)
        self._check()

    def _check(self) -> None:
        """The index has all that it says it has, and never what is not so."""
        for key, expected in self.publication.expected(self.applied_through).items():
            if self.fold._shard.owns(key[1]):
                assert self.views[key].version >= expected["version"]


def drain(stream: Stream, count: int) -> None:
    while stream.fold.backlog:
        stream.work_off(count)


def assert_current(streams: list[Stream], publication: Publication) -> None:
    last = len(publication.messages) - 1
    views: Views = {}
    for stream in streams:
        assert stream.applied_through == stream.fold.emitted_through == last
        assert views.keys().isdisjoint(stream.views)
        views.update(stream.views)
    expected = publication.expected(last)
    assert views.keys() == expected.keys()
    for key, view in views.items():
        assert_same(view, expected[key])


def run(publication: Publication, shard: Shard, size: int, random: Random) -> Stream:
    """A stream cut, worked off and killed at random, to the end of its log."""
    last = len(publication.messages) - 1
    stream = Stream(publication, shard)
    history = [stream.keep()]
    while stream.fold.watermark < last:
        stream.apply(min(stream.fold.watermark + size, last))
        history.append(stream.keep())
        for _ in range(random.randrange(3)):
            stream.work_off(random.randrange(1, 5))
            history.append(stream.keep())
        if random.random() < 0.15:
            state, index = random.choice(history), random.choice(history)
            stream = Stream(publication, shard, Kept(state.watermark, state.assets, index.views, index.applied_through))
    # What was restored at the end of the log has its emission before it.
    stream.apply(last)
    drain(stream, 3)
    return stream


@settings(max_examples=100)
@given(publications(), st.sampled_from([1, 2, 5]), st.sampled_from([1, 7, 1000]), st.integers(0, 1 << 32))
def test_lanes_and_restarts_end_in_the_views_of_the_log(
    publication: Publication, shards: int, size: int, seed: int
) -> None:
    random = Random(seed)
    streams = [run(publication, Shard(number, shards), size, random) for number in range(shards)]
    assert_current(streams, publication)


@given(publications(), st.data())
def test_emit_takes_what_waits_in_the_backlog_with_it(publication: Publication, data: st.DataObject) -> None:
    last = len(publication.messages) - 1
    half = data.draw(st.integers(0, last))
    stream = Stream(publication, Shard())
    stream.apply(half)
    stream.fold.apply(publication.messages)
    stream._write(stream.fold.emit())
    assert_current([stream], publication)


HUBS = {
    "kinds/a.avsc": '{"type": "record", "name": "a", "fields": [{"name": "r", "type": {"type": "string", "logicalType":'
    ' "asset-ref", "kinds": ["b"]}}]}',
    "kinds/b.avsc": '{"type": "record", "name": "b", "fields": [{"name": "key", "type": "string"}]}',
    "views.toml": '[views.v]\nroot = "a"\nexpand = ["r"]',
}


def hub(number: int, key: str) -> dict[str, Any]:
    return {"uri": f"x://b/{number}", "kind": "b", "op": "publish", "data": {"key": key}}


def spoke(number: int, of: int) -> dict[str, Any]:
    return {"uri": f"x://a/{number}", "kind": "a", "op": "publish", "data": {"r": f"x://b/{of}"}}


def test_a_hub_that_is_edited_all_the_time_holds_up_nobody() -> None:
    edits = [hub(1, f"{n}") for n in range(40)]
    plain = [hub(1, ""), hub(2, ""), *(spoke(n, 1) for n in range(30)), *(spoke(n, 2) for n in range(30, 35))]
    made = Publication(HUBS, [*plain, hub(1, "now"), hub(2, "once"), *edits])
    stream = Stream(made, Shard())
    stream.apply(len(plain) - 1)
    drain(stream, 100)
    emitted_before = len(stream.emitted)
    assert emitted_before == 35
    for offset in range(len(plain), len(made.messages)):
        stream.apply(offset)
        stream.work_off(2)
    assert all(stream.views["v", f"x://a/{n}"].version == len(plain) + 1 for n in range(30, 35))
    # Every spoke of the busy one came at least twice meanwhile: nothing goes to the end of the line again and again.
    assert stream.applied_through > len(plain) + 10
    drain(stream, 2)
    assert_current([stream], made)


def test_a_hub_edited_often_is_resolved_once_for_each_view(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [hub(1, ""), *(spoke(n, 1) for n in range(20))]
    made = Publication(HUBS, [*plain, *(hub(1, f"{n}") for n in range(10))])
    stream = Stream(made, Shard())
    stream.apply(len(plain) - 1)
    drain(stream, 100)
    expanded: list[str] = []
    expand = stream.fold._expander.expand
    monkeypatch.setattr(
        stream.fold._expander, "expand", lambda view, uri, root: (expanded.append(uri), expand(view, uri, root))[1]
    )
    for offset in range(len(plain), len(made.messages)):
        stream.apply(offset)
    assert expanded == []
    drain(stream, 7)
    assert sorted(expanded) == sorted(f"x://a/{n}" for n in range(20))
    assert_current([stream], made)


def test_a_lane_given_up_half_way_comes_again_whole() -> None:
    plain = [hub(1, ""), *(spoke(n, 1) for n in range(20))]
    made = Publication(HUBS, [*plain, hub(1, "now")])
    fold = made.fold()
    fold.resume((), NEVER, NEVER)
    fold.apply(made.messages)
    next(fold.emit_fresh())
    assert len(list(fold.emit_fresh())) == 20
    fold = made.fold()
    fold.resume((), NEVER, NEVER)
    fold.apply(made.messages[: len(plain)])
    assert len(list(fold.emit_fresh())) == 20
    fold.apply(made.messages)
    assert list(fold.emit_fresh()) == []
    next(fold.emit_backlog(5))
    assert fold.backlog == 20
    assert fold.emitted_through == len(plain) - 1
    assert len(list(fold.emit_backlog(20))) == 20
    assert fold.emitted_through == len(plain)


@given(publications(), st.data())
def test_a_message_healed_later_stands_as_if_it_had_always_been_read(
    publication: Publication, data: st.DataObject
) -> None:
    """Every unreadable message becomes readable at some time; those that depend on it are brought up to date."""
    count = data.draw(st.sampled_from([1, 2]), label="shards")
    streams = [Stream(publication, Shard(number, count)) for number in range(count)]
    last = len(publication.messages) - 1
    for stream in streams:
        stream.apply(last)
        drain(stream, 10)
    letters = sorted(letter for stream in streams for letter in stream.fold.dead_letters)
    mended = [{**message, "op": "publish"} if message["op"] == "poison" else message for message in publication.plain]
    whole = publication.with_messages(mended)
    for letter in letters:
        message = whole.messages[letter.offset]
        for stream in streams:
            assert stream.fold.heal(message)
    for stream in streams:
        for letter in letters:
            for view in stream.fold.dependents(letter.uri):
                stream.views[view.view, view.uri] = view
    expected = whole.expected(last)
    views = {key: view for stream in streams for key, view in stream.views.items()}
    assert views.keys() == expected.keys()
    for key, view in views.items():
        assert_same(view, expected[key])

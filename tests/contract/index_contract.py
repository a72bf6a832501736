"""What every index must do. An adapter's tests subclass these and say how to make an empty index's URL."""

import base64
import json
import random
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.catalog import Catalog
from denormalizer.view import View
from indexers import Facet, Index, Query, Results, Typed, cursors, open_index, parse
from indexers.documents import ranks
from indexers.errors import (
    GenerationMoved,
    GenerationUnfit,
    IndexBusy,
    InvalidCursor,
    InvalidQuery,
    InvalidRecord,
    LeaseHeld,
    LeaseLost,
    NoGeneration,
    NoIndex,
    UnknownField,
    UnknownView,
)
from indexers.limits import FRAGMENT_CHARACTERS_MAX, OFFSET_MAX, PAGE_SIZE_MAX, QUERY_CHARACTERS_MAX
from indexers.port import Place
from indexers.query import Between, Exact, Exists, Expression
from tests.contract import index_oracle as oracle
from tests.contract.index_child import Seen, seen
from tests.contract.index_newsroom import (
    CATALOG,
    DATES,
    OTHER_CATALOG,
    TIMED_CATALOG,
    WORDS,
    gone,
    newsrooms,
    noisy_stories,
    story,
    texts,
    topic,
    write_part,
)
from tests.contract.index_typing_contract import TypingContract

REPOSITORY = Path(__file__).parents[2]
FACETS = ("section", "priority", "breaking", "tags.name", "name")
SUITE = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
"""One index may serve all of a test's examples, and each adapter's class runs the same test."""

HOSTILE = (
    '"', "'", "(", ")", "((", "a)", "OR", "AND", "NOT", "a OR", "- -", "--", "*", "*:*", "{}", "[* TO *]", "a~2", "a^9",
    "/.*/", "fox*", "f?x", "\\", '\\"', "'; DROP TABLE story; --", "<script>alert(1)</script>", "javascript:alert(1)",
    "headline:", "headline:(", "headline:/.*/", "_exists_:x", "id:x", "t0:fox", "shelf:live", "record:x", "a:b:c",
    "\x00", "\x00fox\x1b[31m", "\ud800", "fox\udfff", "🦊", "🦊 fox", "\u202efox\u202c", "مرحبا", "北京 奥运", "ﬀ ﬁ",
    "a" * QUERY_CHARACTERS_MAX, "a " * (QUERY_CHARACTERS_MAX // 2), "." * QUERY_CHARACTERS_MAX,
    "a." * (QUERY_CHARACTERS_MAX // 2), "(" * 10_000, "(" * 20 + "a" + ")" * 20, "-" * 1_000 + "a", "a" * 10_000,
    "date:", "date:9999..0001", "date:2021..2020", "date:>=9999-12-31", "date:NaN", "date:1e9", "date:-1", "date:0000",
)  # fmt: skip


class IndexContract(TypingContract):
    """For every index. `make_url` gives the URL of a new, never loaded one."""

    make_url: Callable[[], str]
    many = 10_000
    """Documents of the tests that need many."""
    _shared: Index

    @pytest.fixture(autouse=True)
    def _opened(self, tmp_path: Path) -> Iterator[None]:
        self.tmp_path = tmp_path
        self.indexes: list[Index] = []
        yield
        for index in self.indexes:
            index.close()

    def new(self, views: Sequence[View] | None = None, applied_through: int = 0) -> Index:
        """A new index, loaded with these views if there are any."""
        index = open_index(self.make_url())
        self.indexes.append(index)
        if views is not None:
            self.load(index, views, applied_through)
        return index

    def load(self, index: Index, views: Sequence[View], applied_through: int = 0, parts: int = 2) -> None:
        paths = [write_part(self.tmp_path / f"part-{random.random()}", views[number::parts]) for number in range(parts)]
        info = index.load(paths, catalog=CATALOG, applied_through=applied_through)
        assert info == index.info()

    # -------------------------------------------------------------------------------------------- what it holds

    def test_an_index_that_was_never_loaded_says_so(self) -> None:
        index = self.new()
        info = index.info()
        assert (info.applied_through, info.catalog_digest, info.generation) == (-1, "", "")
        with pytest.raises(NoIndex, match="Load one first"):
            index.search(Query())
        with pytest.raises(NoIndex):
            index.get("story", "nyt://article/1")
        with pytest.raises(NoIndex):
            index.scan()
        with pytest.raises(NoIndex):
            index.write([story(1)], applied_through=1)
        assert index.info().applied_through == -1

    def test_it_says_what_it_reflects_and_counts_live_and_gone(self) -> None:
        index = self.new([story(1), gone(story(2)), story(3), topic(1, "Dogs")], applied_through=17)
        info = index.info()
        assert (info.applied_through, info.catalog_digest) == (17, CATALOG.digest)
        assert (dict(info.live), dict(info.gone)) == ({"story": 2, "topic": 1}, {"story": 1, "topic": 0})
        assert info.generation

    def test_an_empty_load_is_an_index_of_nothing(self) -> None:
        index = self.new()
        index.load([], catalog=CATALOG, applied_through=-1)
        assert dict(index.info().live) == {"story": 0, "topic": 0}
        assert index.search(Query(text=parse("fox"), facets=[Facet("section")])).total == 0
        assert list(index.scan()) == []

    @given(newsrooms())
    @settings(max_examples=15, suppress_health_check=SUITE)
    def test_what_is_scanned_is_what_was_loaded_byte_for_byte(self, views: list[View]) -> None:
        index = self.new(views)
        assert sorted(view.to_line() for view in index.scan()) == sorted(view.to_line() for view in views)
        assert sorted(index.scan("story")) == sorted(view for view in views if view.view == "story")
        for view in views:
            assert index.get(view.view, view.uri) == view
        assert index.get("story", "nyt://article/none") is None

    def test_awkward_content_comes_back_byte_for_byte(self) -> None:
        odd = {
            "uri": "x",
            "headline": '"},"sources":{}}',
            "sources": {"a": 1},
            "é\u2028": [1e300, -0.0, 2**63 - 1, "\n"],
        }
        awkward = story(1, bounds=("nodes", "bytes"))._replace(content=orjson.dumps(odd), sources=b'{"a":null,"b":3}')
        spaced = story(2)._replace(content=b'{ "headline" : "\\u0041" , "n": 1.50 }')
        index = self.new([awkward, spaced])
        assert sorted(index.scan()) == [awkward, spaced]
        assert index.get("story", awkward.uri) == awkward
        assert index.search(Query()).total == 2

    def test_a_load_replaces_everything(self) -> None:
        index = self.new([story(1, version=9), story(2)], applied_through=9)
        before = index.info().generation
        self.load(index, [story(1, version=3)], applied_through=3)
        assert list(index.scan()) == [story(1, version=3)]
        assert index.info().applied_through == 3
        assert index.info().generation != before

    def test_a_load_may_bring_another_catalog(self) -> None:
        index = self.new([story(1, headline="fox")])
        label = topic(1, "fox")._replace(view="label")
        index.load([write_part(self.tmp_path / "labels", [label])], catalog=OTHER_CATALOG, applied_through=1)
        assert index.info().catalog_digest == OTHER_CATALOG.digest
        assert [hit.view for hit in index.search(Query(text=parse("fox"))).hits] == ["label"]
        with pytest.raises(UnknownView, match="label"):
            index.search(Query(view="story"))

    @pytest.mark.parametrize(
        ("broken", "reason"),
        [
            (b"not a record\n", "no view record"),
            (b'{"view":"story"}\n', "no view record"),
            (b"[]\n", "no view record"),
            (b"\n", "no view record"),
            (story(7).to_line(), "no end"),
            (story(7).to_line()[:-1] + b"\n", "end"),
            (story(7).to_line()[:-1] + b',"more":1}\n', "end"),
            (story(7).to_line()[:-1] + b',"bounds":[}\n', "end"),
            (story(7)._replace(view="unknown").to_line() + b"\n", "no view of this catalog"),
            (story(1).to_line() + b"\n", "more than once"),
            (story(7, version=5).to_line() + b"\n" + gone(story(7)).to_line() + b"\n", "more than once"),
        ],
    )
    def test_a_bad_part_is_refused_and_the_old_content_stays(self, broken: bytes, reason: str) -> None:
        index = self.new([story(1)], applied_through=1)
        bad = self.tmp_path / "bad"
        bad.write_bytes(broken)
        good = write_part(self.tmp_path / "good", [story(1, version=2), story(3)])
        with pytest.raises(InvalidRecord, match=reason):
            index.load([good, bad], catalog=CATALOG, applied_through=2)
        assert list(index.scan()) == [story(1)]
        assert index.info().applied_through == 1
        self.load(index, [story(4)], applied_through=4)
        assert list(index.scan()) == [story(4)]

    def test_a_missing_part_is_refused(self) -> None:
        index = self.new([story(1)])
        with pytest.raises(InvalidRecord, match="can't be read"):
            index.load([self.tmp_path / "missing"], catalog=CATALOG, applied_through=2)
        assert list(index.scan()) == [story(1)]

    def test_possessives_accents_and_endings_hide_no_word(self) -> None:
        headlines = [
            "The fox's den",
            "the fox\u2019s café",
            "FOXES\u2019 dens",
            "Fox-hunting",
            "Foxtrot",
            "Müller's CAFÉS",
        ]
        index = self.new([story(number, headline=headline) for number, headline in enumerate(headlines)])

        def found(text: str) -> set[int]:
            hits = index.search(Query(text=parse(text), limit=50)).hits
            return {int(hit.uri.rpartition("/")[2]) for hit in hits}

        assert found("fox") == found("Foxes") == {0, 1, 2, 3}
        assert found("fox's") == found("fox\u2019s") == {0, 1}
        assert found("cafe") == found("CAFÉ") == {1, 5}
        assert found("muller") == found("Müllers") == {5}
        assert found("den") == {0, 2}
        assert found('"fox den"') == {2}, "an s of its own stands between"

    # ---------------------------------------------------------------------------------------------------- writes

    def test_a_newer_version_replaces_and_an_older_or_equal_one_is_ignored(self) -> None:
        index = self.new([story(1, version=5, headline="fox")], applied_through=5)
        index.write([story(1, version=4, headline="dog"), story(1, version=5, headline="lazy")], applied_through=6)
        assert list(index.scan()) == [story(1, version=5, headline="fox")]
        index.write([story(1, version=6, headline="dog")], applied_through=7)
        assert list(index.scan()) == [story(1, version=6, headline="dog")]
        assert index.search(Query(text=parse("fox"))).total == 0
        assert index.search(Query(text=parse("dog"))).total == 1
        assert index.info().applied_through == 7

    def test_repair_writes_an_equal_version_again_but_no_older_one(self) -> None:
        index = self.new([story(1, version=5, headline="fox"), story(2, version=5, headline="fox")])
        repairs = [story(1, version=5, headline="dog"), story(2, version=4, headline="dog")]
        index.write(repairs, applied_through=5, repair=True)
        assert [hit.uri for hit in index.search(Query(text=parse("dog"))).hits] == ["nyt://article/1"]
        assert index.get("story", "nyt://article/2") == story(2, version=5, headline="fox")

    def test_within_one_write_the_highest_version_wins(self) -> None:
        index = self.new([])
        versions = [story(1, version=3), story(1, version=8), story(1, version=5)]
        index.write(versions, applied_through=8)
        assert list(index.scan()) == [story(1, version=8)]
        assert index.info().live["story"] == 1

    def test_a_tombstone_is_kept_and_not_found(self) -> None:
        index = self.new([story(1, headline="fox", section="Arts", published="2020-01-01"), story(2, headline="fox")])
        index.write([gone(story(1), 4), gone(story(9), 4)], applied_through=4)
        for query in (Query(), Query(text=parse("fox")), Query(text=parse("-dog")), Query(sort="oldest")):
            assert [hit.uri for hit in index.search(query).hits] == ["nyt://article/2"]
        assert index.search(Query(text=parse("fox OR -fox"))).total == 1
        assert index.search(Query(facets=[Facet("section")])).facets == {"section": []}
        assert index.get("story", "nyt://article/1") == gone(story(1), 4)
        assert (index.info().live["story"], index.info().gone["story"]) == (1, 2)
        index.write([story(1, version=3, headline="fox")], applied_through=5)
        assert index.search(Query(text=parse("fox"))).total == 1
        index.write([story(1, version=6, headline="fox")], applied_through=6)
        assert index.search(Query(text=parse("fox"))).total == 2

    def test_the_watermark_rises_without_views_and_never_falls(self) -> None:
        index = self.new([story(1)], applied_through=5)
        index.write([], applied_through=9)
        assert index.info().applied_through == 9
        index.write([story(2, version=7)], applied_through=7)
        assert index.info().applied_through == 9
        assert index.search(Query()).applied_through == 9
        assert index.info().live["story"] == 2

    @pytest.mark.parametrize(
        "bad", [story(2)._replace(view="unknown"), story(2)._replace(content=b"[]"), story(2)._replace(content=b"{")]
    )
    def test_a_bad_view_is_refused_and_nothing_of_its_write_stays(self, bad: View) -> None:
        index = self.new([story(1)], applied_through=1)
        with pytest.raises(InvalidRecord):
            index.write([story(3, version=2), bad], applied_through=2)
        assert list(index.scan()) == [story(1)]
        assert index.info().applied_through == 1
        index.write([story(4, version=3)], applied_through=3)
        assert sorted(index.scan()) == [story(1), story(4, version=3)]

    def test_a_writer_of_views_that_fails_leaves_nothing(self) -> None:
        def views() -> Iterator[View]:
            yield story(2)
            raise ValueError("the pipeline broke")

        index = self.new([story(1)], applied_through=1)
        with pytest.raises(ValueError, match="the pipeline broke"):
            index.write(views(), applied_through=2)
        assert list(index.scan()) == [story(1)]

    @given(newsrooms(), st.lists(newsrooms(), max_size=3), st.booleans())
    @settings(max_examples=15, suppress_health_check=SUITE)
    def test_any_writes_leave_each_views_highest_version(
        self, first: list[View], batches: list[list[View]], repair: bool
    ) -> None:
        index = self.new(first)
        expected = {(view.view, view.uri): view for view in first}
        for number, batch in enumerate(batches):
            index.write(batch, applied_through=number, repair=repair)
            for view in batch:
                present = expected.get((view.view, view.uri))
                if present is None or view.version > present.version or (repair and view.version == present.version):
                    expected[view.view, view.uri] = view
        assert sorted(index.scan()) == sorted(expected.values())
        assert index.search(Query()).total == sum(view.state == "live" for view in expected.values())

    # ------------------------------------------------------------------------------------------------ dependents

    @given(newsrooms(), newsrooms(), st.data())
    @settings(max_examples=25, suppress_health_check=SUITE)
    def test_dependents_are_the_live_views_with_any_of_the_assets_in_them(
        self, first: list[View], second: list[View], data: st.DataObject
    ) -> None:
        index = self.new(first)
        index.write([view._replace(version=view.version + 100) for view in second], applied_through=1)
        present = list(index.scan())
        known = sorted({uri for view in present for uri in json.loads(view.sources)} | {"nyt://article/none"})
        wanted = data.draw(st.lists(st.sampled_from(known), max_size=5))
        found = index.dependents(wanted, limit=1_000)
        expected = [v for v in present if v.state == "live" and not set(wanted).isdisjoint(json.loads(v.sources))]
        assert sorted(found.first) == sorted((view.view, view.uri) for view in expected)
        assert found.counts == Counter(view.view for view in expected)
        few = index.dependents(wanted, limit=2)
        assert few.counts == found.counts
        assert few.first == found.first[:2]

    # --------------------------------------------------------------------------------------------------- changes

    @given(newsrooms(), st.lists(newsrooms(), max_size=4), st.sampled_from([None, "story", "topic"]), st.data())
    @settings(max_examples=20, suppress_health_check=SUITE)
    def test_who_follows_the_changes_has_each_view_and_no_version_twice(
        self, first: list[View], batches: list[list[View]], only: str | None, data: st.DataObject
    ) -> None:
        through = data.draw(st.integers(0, 10))
        index = self.new(first, applied_through=through)
        copy: dict[tuple[str, str], View] = {}
        place = Place(0)
        for batch in batches:
            # What is written has changed behind the watermark, as everything that a log brings.
            newer = [view._replace(version=through + 1 + view.version) for view in batch]
            through += data.draw(st.integers(0, 6))
            index.write(newer, applied_through=through)
            for _ in range(data.draw(st.integers(0, 3))):
                limit, bytes_max = data.draw(st.integers(1, 4)), data.draw(st.sampled_from([1, 10_000_000]))
                place = follow(index, place, copy, only, limit, bytes_max)
        index.write([], applied_through=1_000_000)
        while (moved := follow(index, place, copy, only, 3, 10_000_000)) != place:
            place = moved
        assert place == Place(1_000_001)
        assert sorted(copy.values()) == sorted(index.scan(only))

    def test_changes_beyond_the_watermark_are_not_told(self) -> None:
        index = self.new([story(1, version=3), story(2, version=9)], applied_through=5)
        told = index.changes(Place(0), limit=10, bytes_max=1_000_000)
        assert ([view.version for view in told.views], told.place, told.has_more) == ([3], Place(6), False)
        assert (told.applied_through, told.generation) == (5, index.info().generation)
        assert told.catalog_digest == CATALOG.digest
        later = index.changes(Place(8), limit=10, bytes_max=1_000_000)
        assert ([*later.views], later.place, later.has_more) == ([], Place(8), False)
        assert index.applied_through() == 5

    def test_many_changes_of_one_version_are_told_page_by_page(self) -> None:
        views = [story(number, version=7) for number in range(100)]
        index = self.new([story(200, version=6), *views, story(201, version=8)], applied_through=8)
        copy: dict[tuple[str, str], View] = {}
        place = Place(0)
        for pages in range(1, 12):
            place = follow(index, place, copy, None, 10, 10_000_000)
            assert len(copy) == min(pages * 10, 102)
        assert sorted(copy.values()) == sorted(index.scan())

    def test_changes_of_no_such_view_or_index_are_refused(self) -> None:
        with pytest.raises(UnknownView):
            self.new([]).changes(Place(0), view="nonsense", limit=1, bytes_max=1)
        empty = self.new()
        assert empty.applied_through() == -1
        with pytest.raises(NoIndex):
            empty.changes(Place(0), limit=1, bytes_max=1)

    # ----------------------------------------------------------------------------------------------- generations

    def again(self, index: Index) -> Index:
        """Another instance of the same index; what is in memory has one."""
        return index

    def part(self, views: Sequence[View]) -> Path:
        return write_part(self.tmp_path / f"part-{random.random()}", views)

    def build(self, index: Index, views: Sequence[View], applied_through: int, catalog: Catalog = CATALOG) -> str:
        """A complete generation with these views, beside the current one."""
        name = index.begin(catalog)
        for number in range(2):
            index.extend(name, [self.part(views[number::2])], loaded=number + 1)
        index.finish(name, applied_through=applied_through)
        return name

    def switch(self, index: Index, name: str) -> None:
        with index.lease("a test") as lease:
            index.switch(name, expected=index.info().generation, token=lease.token)

    def names(self, index: Index) -> list[tuple[str, int, bool, bool]]:
        return [(info.name, info.applied_through, info.current, info.complete) for info in index.generations()]

    def test_a_generation_is_built_beside_the_current_one_and_made_current(self) -> None:
        index = self.new([story(1, headline="fox")], applied_through=4)
        old = index.info().generation
        new = index.begin(CATALOG)
        assert {info.name: (info.current, info.complete, info.loaded) for info in index.generations()} == {
            old: (True, True, 0),
            new: (False, False, 0),
        }
        index.extend(new, [self.part([story(1, headline="dog")]), self.part([story(2)])], loaded=2)
        index.extend(new, [self.part([gone(story(3)), topic(1, "dog")])], loaded=7)
        assert [info.loaded for info in index.generations() if info.name == new] == [7]
        index.finish(new, applied_through=9)
        assert index.info().generation == old
        assert list(index.scan()) == [story(1, headline="fox")]
        assert sorted(self.names(index)) == sorted([(old, 4, True, True), (new, 9, False, True)])
        assert all(abs(info.created - time.time()) < 60 for info in index.generations())
        self.switch(index, new)
        info = index.info()
        assert (info.generation, info.applied_through, dict(info.live)) == (new, 9, {"story": 2, "topic": 1})
        assert sorted(index.scan()) == sorted([story(1, headline="dog"), story(2), gone(story(3)), topic(1, "dog")])
        assert index.search(Query(text=parse("dog"))).total == 2
        index.write([story(1, version=10, headline="lazy")], applied_through=10)
        self.switch(index, old)
        assert list(index.scan()) == [story(1, headline="fox")]
        index.remove(new)
        assert self.names(index) == [(old, 4, True, True)]
        assert self.names(self.again(index)) == [(old, 4, True, True)]

    def test_the_first_generation_may_be_built(self) -> None:
        index = self.new()
        assert list(index.generations()) == []
        with pytest.raises(NoIndex):
            index.catalog()
        name = self.build(index, [story(1), story(2)], 3)
        assert index.info().applied_through == -1
        with index.lease("a test") as lease:
            index.switch(name, expected="", token=lease.token)
        assert (index.info().generation, index.search(Query()).total) == (name, 2)

    def test_an_unfinished_generation_can_only_be_built_and_a_complete_one_not(self) -> None:
        index = self.new([story(1)])
        name = index.begin(CATALOG)
        with pytest.raises(GenerationUnfit, match="not finished"):
            index.generation(name)
        with pytest.raises(GenerationUnfit, match="not finished"):
            self.switch(index, name)
        index.finish(name, applied_through=0)
        assert list(index.generation(name).scan()) == []
        for complete in (name, index.info().generation):
            with pytest.raises(GenerationUnfit, match="complete"):
                index.extend(complete, [], loaded=1)
            with pytest.raises(GenerationUnfit, match="complete"):
                index.finish(complete, applied_through=1)
        assert list(index.scan()) == [story(1)]

    def test_a_step_that_is_refused_adds_nothing(self) -> None:
        index = self.new()
        name = index.begin(CATALOG)
        index.extend(name, [self.part([story(1)])], loaded=10)
        with pytest.raises(InvalidRecord, match="no view of this catalog"):
            index.extend(name, [self.part([story(2)]), self.part([story(3)._replace(view="x")])], loaded=20)
        with pytest.raises(InvalidRecord, match="can't be read"):
            index.extend(name, [self.part([story(2)]), self.tmp_path / "missing"], loaded=20)
        with pytest.raises(GenerationUnfit, match="10 is loaded"):
            index.extend(name, [self.part([story(2)])], loaded=10)
        assert [info.loaded for info in index.generations()] == [10]
        index.extend(name, [self.part([story(2)])], loaded=20)
        index.finish(name, applied_through=1)
        assert sorted(index.generation(name).scan()) == [story(1), story(2)]

    def test_a_view_twice_in_a_generation_is_found_when_it_is_finished(self) -> None:
        index = self.new()
        name = index.begin(CATALOG)
        index.extend(name, [self.part([story(1), story(2)])], loaded=1)
        index.extend(name, [self.part([story(2, version=4)])], loaded=2)
        with pytest.raises(InvalidRecord, match="more than once"):
            index.finish(name, applied_through=1)
        assert [info.complete for info in index.generations()] == [False]
        index.remove(name)
        assert list(index.generations()) == []

    def test_a_pinned_generation_stays_and_is_written_by_itself(self) -> None:
        index = self.new([story(1)], applied_through=1)
        old = index.info().generation
        new = self.build(index, [story(1, version=2)], 2)
        first, second = index.generation(old), self.again(index).generation(new)
        for turn in range(3, 6):
            first.write([story(turn, version=turn, headline="fox")], applied_through=turn)
            second.write([story(turn, version=turn, headline="dog")], applied_through=turn)
            self.switch(index, new if turn % 2 else old)
        assert index.search(Query(text=parse("dog"))).total == second.search(Query(text=parse("dog"))).total == 3
        assert second.search(Query(text=parse("fox"))).total == 0
        assert (first.info().generation, first.info().applied_through) == (old, 5)
        assert first.search(Query(text=parse("fox"))).generation == old
        assert first.get("story", "nyt://article/4") == story(4, version=4, headline="fox")
        assert len(list(first.scan())) == 4
        second.close()

    def test_a_generation_has_its_own_catalog(self) -> None:
        index = self.new([story(1, headline="fox")])
        old = index.info().generation
        label = topic(1, "fox")._replace(view="label")
        new = self.build(index, [label], 1, OTHER_CATALOG)
        assert (index.catalog().digest, index.catalog(new).digest) == (CATALOG.digest, OTHER_CATALOG.digest)
        assert index.catalog(old).digest == CATALOG.digest
        self.switch(index, new)
        assert index.catalog().digest == index.info().catalog_digest == OTHER_CATALOG.digest
        assert {info.name: info.catalog_digest for info in index.generations()} == {
            old: CATALOG.digest,
            new: OTHER_CATALOG.digest,
        }
        assert [hit.view for hit in index.search(Query(text=parse("fox"))).hits] == ["label"]
        with pytest.raises(UnknownView):
            index.search(Query(view="story"))

    def test_a_switch_by_who_does_not_know_how_things_are_is_refused(self) -> None:
        index = self.new([story(1)])
        old = index.info().generation
        new = self.build(index, [story(2)], 1)
        with index.lease("the first") as first:
            pass
        with pytest.raises(LeaseLost):
            index.switch(new, expected=old, token=first.token + 1)
        with index.lease("the second") as second:
            assert second.token > first.token
            with pytest.raises(LeaseLost, match=f"token {second.token}, this one is {first.token}"):
                index.switch(new, expected=old, token=first.token)
            for expected in ("", new):
                with pytest.raises(GenerationMoved, match=f"is {old}, not"):
                    index.switch(new, expected=expected, token=second.token)
            for unknown in ("", "none", "../generations", f"{old}/"):
                with pytest.raises(NoGeneration):
                    index.switch(unknown, expected=old, token=second.token)
            assert index.info().generation == old
            index.switch(new, expected=old, token=second.token)
        assert index.info().generation == new

    def test_only_a_generation_that_is_there_and_not_current_is_removed(self) -> None:
        index = self.new([story(1)])
        with pytest.raises(GenerationUnfit, match="the current one"):
            index.remove(index.info().generation)
        for use in (index.remove, index.generation, index.catalog, lambda name: index.finish(name, applied_through=1)):
            for unknown in ("none", "../lock", "."):
                with pytest.raises(NoGeneration, match="has no generation"):
                    use(unknown)
        pinned = index.generation(self.build(index, [story(2)], 1))
        index.remove(pinned.info().generation)
        with pytest.raises(NoGeneration):
            pinned.write([story(3)], applied_through=2)
        assert list(index.scan()) == [story(1)]

    def test_a_load_leaves_other_generations_alone(self) -> None:
        index = self.new([story(1)])
        first = index.info().generation
        retired, unfinished = self.build(index, [story(2)], 1), index.begin(CATALOG)
        index.extend(unfinished, [self.part([story(3)])], loaded=1)
        self.load(index, [story(4)])
        assert {info.name for info in index.generations()} == {retired, unfinished, index.info().generation}
        with pytest.raises(NoGeneration):
            index.generation(first)
        index.extend(unfinished, [self.part([story(4)])], loaded=2)
        index.finish(unfinished, applied_through=4)
        self.switch(index, unfinished)
        assert sorted(index.scan()) == [story(3), story(4)]
        assert list(index.generation(retired).scan()) == [story(2)]

    def test_one_at_a_time_has_the_lease(self) -> None:
        index = self.new([story(1)])
        other = self.again(index)
        with index.lease("backfill 7") as lease:
            with (
                pytest.raises(LeaseHeld, match=r"backfill 7 holds the lease .* since 20..-..-..T") as held,
                other.lease("b"),
            ):
                pass
            assert (held.value.holder, held.value.since) == ("backfill 7", lease.since)
        with other.lease("b") as following:
            assert following.token == lease.token + 1
        with pytest.raises(ValueError, match="broke"), index.lease("a"):
            raise ValueError("broke")
        with other.lease("b") as last:
            assert last.token == following.token + 2

    def test_what_should_never_have_been_there_is_removed(self) -> None:
        index = self.new([story(number, version=5, headline="fox") for number in range(4)], applied_through=5)
        stray = [("story", story(number).uri) for number in (1, 2, 99)]
        index.write([story(2, version=3)], applied_through=5, repair=True, remove=stray)
        assert index.get("story", story(1).uri) is None
        assert index.get("story", story(2).uri) == story(2, version=3)
        assert (index.info().live["story"], index.info().gone["story"]) == (3, 0)
        assert index.search(Query(text=parse("fox"))).total == 2
        with pytest.raises(InvalidRecord):
            index.write([story(9)._replace(view="x")], applied_through=6, remove=[("story", story(0).uri)])
        assert index.get("story", story(0).uri) is not None

    def test_threads_see_one_generation_or_the_other(self) -> None:
        index = self.new([story(number, version=1) for number in range(40)])
        old = index.info().generation
        new = self.build(index, [story(number, version=2) for number in range(50)], 2)
        looks: set[Seen] = set()
        stop = Event()

        def look() -> None:
            while not stop.is_set():
                looks.update(seen(index))

        with ThreadPoolExecutor(2) as threads:
            looking = [threads.submit(look) for _ in range(2)]
            try:
                for turn in range(20):
                    self.switch(index, old if turn % 2 else new)
            finally:
                stop.set()
            for future in looking:
                future.result()
        assert looks <= whole(old, new)

    # -------------------------------------------------------------------------------------------------- searches

    @given(newsrooms(), st.lists(oracle.searches(), min_size=4, max_size=8))
    @settings(max_examples=20, suppress_health_check=SUITE)
    def test_searches_find_what_the_oracle_finds(self, views: list[View], searches: list[oracle.Search]) -> None:
        index = self.new(views)
        known = oracle.facts(views)
        for search in searches:
            found = [fact for fact in known if search.finds(fact)]
            facets = FACETS if search.view is None else FACETS[:-1]
            for sort in ("relevance", "newest", "oldest"):
                results = index.search(
                    Query(
                        text=parse(search.text),
                        view=search.view,
                        filters=search.filters,
                        facets=[Facet(field, 3) for field in facets],
                        sort=sort,
                        limit=100,
                    )
                )
                assert results.total == len(found)
                assert {(hit.view, hit.uri) for hit in results.hits} == {
                    (fact.view.view, fact.view.uri) for fact in found
                }
                assert len(results.hits) == len(found)
                assert results.facets == {field: search.facet(known, field, 3) for field in facets}
                self._check_order(results, known, sort)
                assert results.cursor is None

    def _check_order(self, results: Results, known: Sequence[oracle.Fact], sort: str) -> None:
        facts = {(fact.view.view, fact.view.uri): fact for fact in known}
        order: list[Any] = []
        for hit in results.hits:
            fact = facts[hit.view, hit.uri]
            assert (hit.content, hit.version) == (fact.view.content, fact.view.version)
            assert hit.date == (None if fact.date is None else int(fact.date // 1))
            newest = (hit.date is None, -(hit.date or 0))
            assert sort == "relevance" or hit.score is None
            match sort:
                case "oldest":
                    order.append((hit.date is None, hit.date or 0))
                case "newest":
                    order.append(newest)
                case _:
                    order.append((-(hit.score or 0), newest))
        assert order == sorted(order)

    @given(newsrooms(), st.lists(oracle.typed_expressions(), min_size=4, max_size=8))
    @settings(max_examples=20, suppress_health_check=SUITE)
    def test_typed_expressions_find_what_the_oracle_finds(
        self, views: list[View], expressions: list[tuple[Expression, oracle.Test]]
    ) -> None:
        index = self.new(views)
        known = [fact for fact in oracle.facts(views) if fact.view.view == "story"]
        for expression, test in expressions:
            results = index.search(Query(text=expression, view="story", limit=100))
            assert {hit.uri for hit in results.hits} == {fact.view.uri for fact in known if test(fact)}
            assert results.total == len(results.hits)

    def test_only_facets_of_whole_numbers_and_times_can_be_compared(self) -> None:
        with pytest.raises(UnknownField, match=r"to compare\. Use one of priority\."):
            self.shared().search(Query(text=Between("section", 1, 2)))
        for expression in (Exact("headline", "x"), Exists("headline"), Between("headline", 1, 2)):
            with pytest.raises(UnknownField):
                self.shared().search(Query(text=expression))

    def test_facets_are_exact_however_the_documents_came(self) -> None:
        chance = random.Random(5)
        index = self.new([])
        views = [story(number, section=f"section {chance.randrange(15)}") for number in range(150)]
        for start in range(0, 150, 15):
            index.write(views[start : start + 15], applied_through=start)
        everything = oracle.Search("", lambda _fact: True)
        for size in (1, 2, 5, 20):
            found = index.search(Query(facets=[Facet("section", size)])).facets
            assert found == {"section": everything.facet(oracle.facts(views), "section", size)}

    def test_since_and_until_cut_between_seconds_and_leave_the_undated_out(self) -> None:
        index = self.new([story(number, published=date) for number, date in enumerate([*DATES, None, "never"])])
        second = 1_577_836_800
        for since, until, numbers in [
            (second, None, {0, 1, 2, 3}),
            (second + 1, None, {1, 2, 3}),
            (None, second, {4}),
            (None, second + 1, {0, 4}),
            (second, second + 1, {0}),
            (second, second, set()),
            (second + 5, second - 5, set()),
            (-(10**18), 10**18, {0, 1, 2, 3, 4}),
        ]:
            hits = index.search(Query(since=since, until=until, limit=50)).hits
            assert {int(hit.uri.rpartition("/")[2]) for hit in hits} == numbers

    def test_a_headline_counts_more_than_a_body(self) -> None:
        index = self.new([story(1, body=["fox"]), story(2, headline="fox"), story(3, body=["dog"])])
        assert [hit.uri[-1] for hit in index.search(Query(text=parse("fox"))).hits] == ["2", "1"]

    def test_of_equally_good_hits_the_newest_comes_first(self) -> None:
        dates = ["2001", "2003", None, "2002"]
        index = self.new([story(n, headline="fox", published=d and f"{d}-01-01") for n, d in enumerate(dates)])
        assert [hit.uri[-1] for hit in index.search(Query(text=parse("fox"))).hits] == ["1", "3", "0", "2"]

    def test_enum_symbols_and_uris_are_not_text(self) -> None:
        index = self.new([story(1, body=["dog"], tags=["fox"])])
        for words in ("quick", "nyt", "article", "tag"):
            assert index.search(Query(text=parse(words))).total == 0
        assert index.search(Query(text=parse("dog fox"))).total == 1

    def test_a_phrase_does_not_go_over_the_end_of_a_string(self) -> None:
        index = self.new([story(1, body=["lazy fox", "jumped dogs"])])
        assert index.search(Query(text=parse('"fox jumps"'))).total == 0
        assert index.search(Query(text=parse('"lazy foxes" "jump dog"'))).total == 1

    def test_a_word_of_several_is_found_as_a_phrase(self) -> None:
        index = self.new([story(1, headline="the lazy-fox’s U.S. run"), story(2, headline="fox lazy s u run s")])
        for words in ("lazy-fox", "fox's", "U.S.", "u/s"):
            assert [hit.uri[-1] for hit in index.search(Query(text=parse(words))).hits] == ["1"]

    def test_filter_values_are_exact_and_any_text(self) -> None:
        values = ["Arts", "arts", "U.S. & more", "a:b*", '"quoted"', "é", "🦊", "x" * 1_024, "y" * 1_025]
        index = self.new([story(number, section=value) for number, value in enumerate(values)])
        for number, value in enumerate(values[:-1]):
            found = index.search(Query(filters=[("section", value)]))
            assert [hit.uri for hit in found.hits] == [f"nyt://article/{number}"]
        for value in ("", "Art", "\ud800", "\x00", values[-1]):
            assert index.search(Query(filters=[("section", value)])).total == 0
        assert index.search(Query(filters=[("section", "\ud800"), ("section", "é")])).total == 1

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_text_finds_its_words_or_is_refused_with_a_position(self, text: str) -> None:
        index = self.shared()
        refused = None
        try:
            assert index.search(Query(text=parse(text), highlight=True)).total in {0, 1}
        except InvalidQuery as error:
            refused = error
        with suppress(InvalidQuery):
            assert len(index.suggest(Typed(text=text)).hits) <= 1
            assert index.search(Query(text=parse(text), fuzzy=True, correct=True, highlight=True)).total in {0, 1}
        assert index.related("story", text) is None
        if refused is not None:
            assert refused.position is None or 0 <= refused.position <= len(text)
            assert refused.remedy in str(refused)
            assert len(str(refused)) < 1_000

    def shared(self) -> Index:
        """One small index for all tests that only read."""
        found: Index | None = type(self).__dict__.get("_shared")
        if found is None:
            found = open_index(self.make_url())
            self.load(found, [story(1, headline="the lazy fox", section="Arts"), gone(story(2))])
            found.close()
            type(self)._shared = found
        return found

    def test_unknown_names_are_refused_with_the_known_ones(self) -> None:
        index = self.shared()
        with pytest.raises(UnknownView, match="story, topic"):
            index.search(Query(view="stories"))
        with pytest.raises(UnknownView, match="story, topic"):
            index.scan("stories")
        with pytest.raises(UnknownField, match=r"breaking, name, priority, section, tags\.name"):
            index.search(Query(filters=[("sections", "Arts")]))
        with pytest.raises(UnknownField, match=r"to count\. Use one of name\."):
            index.search(Query(view="topic", facets=[Facet("section")]))
        with pytest.raises(UnknownField) as refused:
            index.search(Query(text=parse("fox author:me")))
        assert (refused.value.field, refused.value.position) == ("author", 4)
        assert "headline" in refused.value.known
        assert "section" in refused.value.known

    @pytest.mark.parametrize(
        "query",
        [
            Query(limit=PAGE_SIZE_MAX + 1),
            Query(limit=-1),
            Query(offset=-1),
            Query(offset=OFFSET_MAX + 1),
            Query(facets=[Facet("section", 0)]),
            Query(facets=[Facet("section", 10_000)]),
            Query(facets=[Facet("section")] * 30),
            Query(filters=[("section", str(number)) for number in range(200)]),
        ],
    )
    def test_bounds_are_refused(self, query: Query) -> None:
        with pytest.raises(InvalidQuery, match=r"Use (at most|a)"):
            self.shared().search(query)

    def test_a_limit_of_nothing_counts(self) -> None:
        results = self.shared().search(Query(limit=0, facets=[Facet("section")]))
        assert (results.total, results.hits, results.cursor) == (1, [], None)
        assert results.facets == {"section": [("Arts", 1)]}

    # ------------------------------------------------------------------------------------------------ highlights

    def test_highlights_mark_the_words_found(self) -> None:
        index = self.new(
            [story(1, headline="Café & foxes <b>", body=["dogs", "a fox jumped, foxes jump"], tags=["Dogs"])]
        )
        hit = self.only(index, "fox cafe")
        marked = {path: [h.fragment[a:b] for a, b in h.marks] for path, h in hit.highlights.items()}
        assert marked == {"headline": ["Café", "foxes"], "body": ["fox", "foxes"]}
        assert hit.highlights["headline"].fragment == "Café & foxes <b>"
        hit = self.only(index, '"foxes jumping" headline:cafe -(dogs zebra)')
        marked = {path: [h.fragment[a:b] for a, b in h.marks] for path, h in hit.highlights.items()}
        assert marked == {"headline": ["Café"], "body": ["fox jumped", "foxes jump"]}

    def only(self, index: Index, text: str) -> Any:
        (hit,) = index.search(Query(text=parse(text), highlight=True)).hits
        return hit

    @given(st.lists(texts(), min_size=1, max_size=60), st.sampled_from(sorted(WORDS)), st.sampled_from(["", "z" * 300]))
    @settings(max_examples=25, suppress_health_check=SUITE)
    def test_fragments_are_bounded_pieces_of_the_text(self, strings: list[str], word: str, long: str) -> None:
        body = f" {long} ".join(strings)
        index = self.new([story(1, headline=word, body=[body])])
        highlights = self.only(index, word).highlights
        assert highlights["headline"].marks == ((0, len(word)),)
        if "body" in highlights:
            fragment, marks = highlights["body"]
            assert fragment in body
            assert len(fragment) <= FRAGMENT_CHARACTERS_MAX
            assert marks
            for begin, end in marks:
                assert WORDS[fragment[begin:end]] == WORDS[word]
        else:
            assert WORDS[word] not in {WORDS[other] for other in body.split() if other in WORDS}

    def test_no_highlights_unless_asked_for(self) -> None:
        (hit,) = self.shared().search(Query(text=parse("fox"))).hits
        assert hit.highlights == {}

    # ---------------------------------------------------------------------------------------------------- paging

    @pytest.mark.parametrize("sort", ["newest", "oldest", "relevance"])
    @pytest.mark.parametrize("text", ["", "fox"])
    def test_pages_give_every_hit_once_in_one_order_however_many_are_equal(self, sort: Any, text: str) -> None:
        dates = [None, None, None, "2020-01-01", "2020-01-01", "2021-05-05T10:00:00Z"]
        headlines = ["fox", "fox", "fox dog", "fox fox fox"]
        chance = random.Random(sort)
        views = [
            story(number, headline=chance.choice(headlines), published=chance.choice(dates)) for number in range(700)
        ]
        index = self.new(views)
        query: dict[str, Any] = {"text": parse(text), "sort": sort}
        whole = index.search(Query(**query, limit=1_000))
        assert whole.total == len(whole.hits) == 700
        for limit in (1, 7, 100, 349, 350, 699, 700):
            hits = []
            cursor = None
            for _ in range(700 // limit + 1 if limit > 1 else 30):
                page = index.search(Query(**query, limit=limit, cursor=cursor, facets=[Facet("breaking")]))
                assert page.total == 700
                assert page.facets == {"breaking": [("false", 700)]}
                hits += page.hits
                cursor = page.cursor
                if cursor is None:
                    break
            assert hits == whole.hits[: len(hits)]
            assert len(hits) == (700 if limit > 1 else 30)
            assert (cursor is None) == (limit > 1)

    @pytest.mark.parametrize("sort", ["newest", "oldest", "relevance"])
    def test_an_offset_leaves_out_the_hits_before_it(self, sort: Any) -> None:
        chance = random.Random(sort)
        views = [
            story(number, headline="fox " * chance.randint(1, 3), published=chance.choice(DATES))
            for number in range(90)
        ]
        index = self.new(views)
        query: dict[str, Any] = {"text": parse("fox"), "sort": sort}
        whole = index.search(Query(**query, limit=100)).hits
        for offset in (0, 1, 10, 85, 90, 95, OFFSET_MAX):
            page = index.search(Query(**query, limit=10, offset=offset))
            assert (page.total, page.hits) == (90, whole[offset : offset + 10])
            assert (page.cursor is None) == (offset >= 80)
            if page.cursor is not None:
                behind = index.search(Query(**query, limit=10, cursor=page.cursor, offset=3))
                assert behind.hits == whole[offset + 13 : offset + 23]

    @pytest.mark.parametrize("sort", ["newest", "oldest", "relevance"])
    def test_another_date_makes_another_order(self, sort: Any) -> None:
        chance = random.Random(sort)
        contents: dict[str, dict[str, Any]] = {}
        for number in range(90):
            uri = f"nyt://page/{number}"
            days = [chance.choice([None, f"2026-03-{chance.randrange(1, 9):02}T10:00:00Z"]) for _ in range(2)]
            contents[uri] = {"uri": uri, "name": "fox", "made": days[0], "changed": days[1]}
        views = [View("page", uri, 1, "live", orjson.dumps(content), b"{}") for uri, content in contents.items()]
        index = self.new()
        parts = [write_part(self.tmp_path / "timed", [*views[:60], gone(views[0]._replace(uri="nyt://page/gone"))])]
        index.load(parts, catalog=TIMED_CATALOG, applied_through=0)
        index.write(views[60:], applied_through=1)
        for date, field in ((None, "made"), ("changed", "changed"), ("made", "made")):
            query: dict[str, Any] = {"view": "page", "date": date, "sort": sort}
            whole = index.search(Query(**query, limit=100)).hits
            told = [contents[hit.uri][field] for hit in whole]
            dated = sorted((day for day in told if day is not None), reverse=sort != "oldest")
            assert told == dated + [None] * (90 - len(dated))
            visited = list(index.search(Query(**query, limit=40)).hits)
            cursor = index.search(Query(**query, limit=40)).cursor
            visited += index.search(Query(**query, limit=20, cursor=cursor)).hits
            visited += index.search(Query(**query, limit=20, after=visited[-1].uri)).hits
            visited += index.search(Query(**query, limit=20, offset=80)).hits
            assert visited == list(whole)
            with pytest.raises(InvalidCursor, match="another search"):
                index.search(Query(view="page", date="made" if date != "made" else "changed", sort=sort, cursor=cursor))
        with pytest.raises(UnknownField, match=r"to order by\. Use one of changed, made\."):
            index.search(Query(view="page", date="name"))
        with pytest.raises(InvalidQuery, match="Name the view"):
            index.search(Query(date="made"))

    @pytest.mark.parametrize("sort", ["newest", "oldest", "relevance"])
    @pytest.mark.parametrize("text", ["", "fox OR dog"])
    def test_a_page_behind_a_hit_goes_on_from_there(self, sort: Any, text: str) -> None:
        chance = random.Random(sort)
        views = [
            story(
                number,
                headline="fox " * chance.randint(1, 3) + "dog" * chance.randint(0, 1),
                published=chance.choice([*DATES, None]),
            )
            for number in range(120)
        ]
        index = self.new([*views, gone(story(500)), topic(1, "fox")])
        query: dict[str, Any] = {"text": parse(text), "sort": sort, "view": "story"}
        whole = index.search(Query(**query, limit=200)).hits
        visited = list(index.search(Query(**query, limit=7)).hits)
        while page := index.search(Query(**query, limit=7, after=visited[-1].uri)).hits:
            visited += page
        assert visited == whole
        for none in ("nyt://article/500", "nyt://article/999", "nyt://tag/1", "'"):
            with pytest.raises(InvalidQuery, match="no hit"):
                index.search(Query(**query, after=none))
        with pytest.raises(InvalidQuery, match="Name the view"):
            index.search(Query(after=whole[0].uri))

    @pytest.mark.parametrize("sort", ["newest", "oldest", "relevance"])
    def test_where_ranks_are_equal_the_ids_decide(self, sort: Any) -> None:
        numbers = neighbours()
        index = self.new([story(number, headline="fox") for number in reversed(numbers)])
        query: dict[str, Any] = {"text": parse("fox") if sort == "relevance" else None, "sort": sort}
        expected = sorted((story(number).uri for number in numbers), key=lambda uri: (rank_of(uri), uri))
        for limit in (1, 2, 3, 4, 5, 7, 1_000):
            seen: list[str] = []
            cursor = None
            while True:
                page = index.search(Query(**query, limit=limit, cursor=cursor))
                seen += [hit.uri for hit in page.hits]
                cursor = page.cursor
                if cursor is None:
                    break
            assert seen == expected

    @pytest.mark.parametrize("sort", ["newest", "oldest"])
    def test_a_write_between_pages_moves_no_other_hit(self, sort: Any) -> None:
        views = [story(number, published=DATES[number % 5]) for number in range(90)]
        index = self.new(views)
        page = index.search(Query(sort=sort, limit=10))
        seen = [hit.uri for hit in page.hits]
        unseen = [view for view in views if view.uri not in seen]
        dropped = [view for view in views if view.uri in seen][:3] + unseen[:5]
        index.write([*(gone(view, 1) for view in dropped), story(0, version=2)], applied_through=2)
        while page.cursor is not None:
            page = index.search(Query(sort=sort, limit=10, cursor=page.cursor))
            seen += [hit.uri for hit in page.hits]
        assert len(seen) == len(set(seen))
        assert set(seen) >= {view.uri for view in unseen[5:]}

    def test_a_page_by_relevance_is_found_again_where_hits_before_it_moved(self) -> None:
        index = self.new([story(number, headline="fox " * (1 + number % 7)) for number in range(60)])
        query = Query(text=parse("fox"), limit=20)
        query = replace(query, cursor=index.search(query).cursor)
        second = index.search(query)
        position = cursors.decode(query)
        assert position is not None
        for start in (0, 1, 19, 40, 59, 60, 2**32 - 1):
            moved = cursors.encode(query, msgspec.structs.replace(position, start=start))
            assert index.search(replace(query, cursor=moved)).hits == second.hits

    def test_a_cursor_fits_only_the_search_it_came_from(self) -> None:
        index = self.new([story(number, headline="fox", section="Arts") for number in range(9)])
        cursor = index.search(Query(text=parse("fox"), filters=[("section", "Arts")], limit=3)).cursor
        assert cursor is not None
        again = Query(text=parse(" fox "), filters=[("section", "Arts")] * 2, limit=5, cursor=cursor, highlight=True)
        assert len(index.search(again).hits) == 5
        for other in (
            Query(cursor=cursor),
            Query(text=parse("dog"), filters=[("section", "Arts")], cursor=cursor),
            Query(text=parse("fox"), cursor=cursor),
            Query(text=parse("fox"), filters=[("section", "Arts")], cursor=cursor, view="story"),
            Query(text=parse("fox"), filters=[("section", "Arts")], cursor=cursor, sort="newest"),
            Query(text=parse("fox"), filters=[("section", "Arts")], cursor=cursor, since=0),
        ):
            with pytest.raises(InvalidCursor, match="another search"):
                index.search(other)

    @given(st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
    @settings(max_examples=60, suppress_health_check=SUITE)
    def test_garbage_is_no_cursor(self, garbage: str) -> None:
        with pytest.raises(InvalidCursor, match="start at the first page"):
            self.shared().search(Query(cursor=garbage))

    def test_an_altered_cursor_is_refused_or_gives_some_page(self) -> None:
        index = self.new([story(number, headline="fox") for number in range(50)])
        query: dict[str, Any] = {"text": parse("fox"), "limit": 10}
        cursor = index.search(Query(**query)).cursor
        assert cursor is not None
        raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        chance = random.Random(1)
        for _ in range(300):
            altered = bytearray(raw)
            altered[chance.randrange(len(raw))] = chance.randrange(256)
            text = base64.urlsafe_b64encode(altered).decode()
            try:
                results = index.search(Query(**query, cursor=text))
            except InvalidCursor:
                continue
            assert results.total == 50
        with pytest.raises(InvalidCursor, match="longer"):
            index.search(Query(**query, cursor="A" * 5_000))

    def test_paging_through_many_hits_takes_no_more_memory_for_later_pages(self) -> None:
        index = self.new([story(number, headline="fox") for number in range(self.many)])
        for text, sort in (("", "newest"), ("fox", "relevance")):
            seen: set[str] = set()
            peaks: list[int] = []
            cursor = None
            while True:
                tracemalloc.start()
                page = index.search(Query(text=parse(text), sort=sort, limit=1_000, cursor=cursor))
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
                seen |= {hit.uri for hit in page.hits}
                cursor = page.cursor
                if cursor is None:
                    break
            assert len(seen) == page.total == self.many
            assert max(peaks) < 2 * peaks[0]

    def test_threads_see_all_of_a_load_or_write_or_nothing(self) -> None:
        sizes = {10: 30, 11: 31, 20: 200}
        index = self.new([story(number) for number in range(30)], applied_through=10)
        seen: set[tuple[int, int]] = set()
        stop = Event()

        def read() -> None:
            while not stop.is_set():
                results = index.search(Query(limit=2))
                info = index.info()
                seen.update([(results.applied_through, results.total), (info.applied_through, info.live["story"])])

        with ThreadPoolExecutor(2) as threads:
            reading = [threads.submit(read) for _ in range(2)]
            try:
                for _ in range(4):
                    index.write([story(99, version=1)], applied_through=11)
                    self.load(index, [story(number) for number in range(200)], applied_through=20)
                    self.load(index, [story(number) for number in range(30)], applied_through=10)
            finally:
                stop.set()
            for future in reading:
                future.result()
        assert seen <= set(sizes.items())


def whole(old: str, new: str) -> set[Seen]:
    """What can be seen of an old generation of forty documents in version 1, and a new one of fifty in version 2."""
    generations = {(old, 40, 1), (new, 50, 2)}
    return {
        look
        for name, total, version in generations
        for look in ((name, total, version, version), ("", total, version, version), (name, total, -1, -1))
    }


def follow(
    index: Index, place: Place, copy: dict[tuple[str, str], View], only: str | None, limit: int, bytes_max: int
) -> Place:
    """Read a page of changes into a copy; gives the place behind it."""
    told = index.changes(place, view=only, limit=limit, bytes_max=bytes_max)
    assert len(told.views) <= limit
    assert bool(told.views) or not told.has_more
    versions = [view.version for view in told.views]
    assert versions == sorted(versions)
    for view in told.views:
        assert place.version <= view.version <= told.applied_through
        assert only in {None, view.view}
        present = copy.get((view.view, view.uri))
        assert present is None or present.version < view.version
        copy[view.view, view.uri] = view
    assert told.place.version >= place.version
    return told.place


def rank_of(uri: str) -> int:
    return ranks(None, f"story {uri}").newest


@cache
def neighbours() -> list[int]:
    """Numbers of undated stories of which two or three have the same rank, or ranks with none between them."""
    by_rank: dict[int, list[int]] = {}
    for number in range(300_000):
        by_rank.setdefault(rank_of(f"nyt://article/{number}"), []).append(number)
    triples = [numbers for numbers in by_rank.values() if len(numbers) > 2]
    pairs = [numbers for numbers in by_rank.values() if len(numbers) == 2][:15]
    close = [numbers + by_rank[rank + 1] for rank, numbers in by_rank.items() if rank + 1 in by_rank][:15]
    assert triples
    return sorted({number for numbers in triples[:10] + pairs + close for number in numbers})


class SharedIndexContract(IndexContract):
    """For indexes that other processes can open."""

    writes_outlive_processes = False
    """Whether what a process sent may be written after its death."""

    @pytest.fixture(autouse=True)
    def _children(self) -> Iterator[None]:
        self.children: list[subprocess.Popen[str]] = []
        yield
        for child in self.children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                assert pipe is not None
                pipe.close()

    def child(self, does: str, *arguments: Any) -> subprocess.Popen[str]:
        """Another process, about to do this."""
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.index_child", does, *map(str, arguments)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    def last_words(self, child: subprocess.Popen[str]) -> str:
        """What a process says once it is told to end, and until it has."""
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        words = child.stdout.read()
        assert child.wait() == 0
        return words

    def test_it_is_there_for_who_opens_it_later(self) -> None:
        views = [story(1, headline="fox"), gone(story(2)), topic(1, "dog")]
        index = self.new(views, applied_through=4)
        index.write([story(5, version=5)], applied_through=5)
        index.close()
        again = open_index(index.url)
        assert again.info() == index.info()
        assert sorted(again.scan()) == sorted([*views, story(5, version=5)])
        assert again.search(Query(text=parse("fox"))).total == 1

    def test_searching_makes_no_file(self) -> None:
        index = self.new()
        with pytest.raises(NoIndex):
            index.search(Query())
        assert self.files() == {}
        self.load(index, [story(1)])
        index.write([story(2)], applied_through=2)
        index.close()
        before = self.files()
        reader = open_index(index.url)
        reader.search(Query(text=parse("fox"), facets=[Facet("section")], highlight=True))
        reader.info()
        list(reader.scan())
        reader.close()
        assert self.files() == before

    def files(self) -> dict[str, tuple[int, int]]:
        """What lies where the indexes are."""
        return {
            str(path): (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in sorted(self.tmp_path.rglob("*"))
            if not path.name.startswith("part-")
        }

    def test_a_reader_sees_another_processes_write_and_load(self) -> None:
        index = self.new([story(1)], applied_through=1)
        index.close()
        reader = open_index(index.url)
        assert reader.search(Query()).total == 1
        writer = self.child("write", index.url, 2, 7)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        results = reader.search(Query())
        assert (results.total, results.applied_through) == (2, 7)
        self.last_words(writer)
        part = write_part(self.tmp_path / "part-9", [story(9)])
        self.child("load", index.url, part, 9).wait()
        results = reader.search(Query())
        assert ([hit.uri for hit in results.hits], results.applied_through) == (["nyt://article/9"], 9)

    def test_readers_see_all_of_the_old_or_all_of_the_new(self) -> None:
        sizes = {10: 40, 20: 300}
        parts = {offset: [story(n) for n in range(size)] for offset, size in sizes.items()}
        index = self.new(parts[10], applied_through=10)
        readers = [self.child("poll", index.url) for _ in range(2)]
        for turn in range(12):
            offset = 20 if turn % 2 == 0 else 10
            self.load(index, parts[offset], applied_through=offset)
            assert index.search(Query()).total == sizes[offset]
        for reader in readers:
            answers = json.loads(self.last_words(reader))
            assert {tuple(answer) for answer in answers} <= {(10, 40, 3), (20, 300, 3)}

    def test_a_load_killed_anywhere_leaves_the_old_or_the_new_and_the_next_heals(self) -> None:
        old = [story(number) for number in range(20)]
        new = write_part(self.tmp_path / "new", [story(number, headline="fox jumped " * 40) for number in range(2_500)])
        index = self.new(old, applied_through=10)
        index.close()
        whole_seconds = self.run_load(index, new, after=None)
        chance = random.Random(7)
        outcomes = set()
        for _ in range(7):
            self.load(index, old, applied_through=10)
            index.close()
            self.run_load(index, new, after=chance.uniform(0, whole_seconds))
            reader = open_index(index.url)
            info = reader.info()
            outcomes.add(info.applied_through)
            assert info.applied_through in {10, 20}
            if info.applied_through == 20:
                # It was quicker this time than when it was measured.
                whole_seconds *= 0.7
            expected = 20 if info.applied_through == 10 else 2_500
            assert info.live["story"] == sum(1 for _ in reader.scan()) == expected
            assert reader.search(Query(text=parse("fox"))).total == (0 if expected == 20 else 2_500)
            reader.close()
        self.load(index, old, applied_through=10)
        assert sorted(index.scan()) == sorted(old)
        assert self.left_behind(index) == []
        assert 10 in outcomes, "some were killed on the way"

    def test_a_writer_killed_anywhere_leaves_whole_writes(self) -> None:
        index = self.new([story(number) for number in range(50)], applied_through=0)
        index.close()
        chance = random.Random(3)
        reader = open_index(index.url)
        for _ in range(5):
            child = self.child("churn", index.url)
            end = time.monotonic() + chance.uniform(0, 0.5)
            while time.monotonic() < end:
                results = reader.search(Query(limit=50))
                assert results.total == 50
                assert {hit.version for hit in results.hits} == {results.applied_through}
            child.kill()
            child.wait()
            reached = reader.info().applied_through
            (version,) = {view.version for view in reader.scan()}
            assert version == reached or (self.writes_outlive_processes and version > reached)
            reached = version
            index.write([story(number, version=reached + 1) for number in range(50)], applied_through=reached + 1)
            index.close()
            self.load(index, [story(number) for number in range(50)], applied_through=0)
            index.close()
        assert self.left_behind(index) == []

    def again(self, index: Index) -> Index:
        other = open_index(index.url)
        self.indexes.append(other)
        return other

    def test_processes_see_one_generation_or_the_other(self) -> None:
        index = self.new([story(number, version=1) for number in range(40)])
        old = index.info().generation
        new = self.build(index, [story(number, version=2) for number in range(50)], 2)
        readers = [self.child("watch", index.url) for _ in range(2)]
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            self.switch(index, new)
            self.switch(index, old)
        looks = {tuple(look) for reader in readers for look in json.loads(self.last_words(reader))}
        assert looks <= whole(old, new)
        assert {name for name, *_ in looks} == {"", old, new}

    def test_a_lease_ends_with_its_process(self) -> None:
        index = self.new([story(1)])
        new = self.build(index, [story(2)], 1)
        child = self.child("lease", index.url, "backfill of child")
        assert child.stdout is not None
        token = int(child.stdout.readline())
        with pytest.raises(LeaseHeld, match="backfill of child"), index.lease("a test"):
            pass
        child.kill()
        child.wait()
        with index.lease("a test") as lease:
            assert lease.token == token + 1
            with pytest.raises(LeaseLost):
                index.switch(new, expected=index.info().generation, token=token)

    def test_a_build_killed_anywhere_is_resumed_without_loss_or_double(self) -> None:
        index = self.new()
        folder = self.tmp_path / "parts"
        folder.mkdir()
        views = [story(number, headline="fox jumped " * 20) for number in range(4_000)]
        for number in range(8):
            write_part(folder / f"{number}", views[number::8])
        chance = random.Random(5)
        name = index.begin(CATALOG)
        reached = {0}
        for turn in range(5):
            child = self.child("build", index.url, name, folder)
            try:
                child.wait(chance.uniform(0, 0.25) if turn < 4 else None)
            except subprocess.TimeoutExpired:
                child.kill()
            child.wait()
            (info,) = index.generations()
            assert info.loaded >= max(reached)
            reached.add(info.loaded)
            if info.complete:
                break
        self.switch(index, name)
        assert sorted(index.scan()) == sorted(views)
        assert index.search(Query(text=parse("fox"))).total == 4_000
        assert self.left_behind(index) == []

    def test_changes_of_generations_killed_anywhere_leave_whole_ones(self) -> None:
        views = sorted(story(number) for number in range(30))
        index = self.new(views)
        index.close()
        chance = random.Random(11)
        for _ in range(4):
            child = self.child("churn-generations", index.url, self.part(views))
            with suppress(subprocess.TimeoutExpired):
                child.wait(chance.uniform(0, 0.2))
            assert child.poll() is None, "it goes on until it is killed"
            child.kill()
            child.wait()
            assert sorted(index.scan()) == views
            assert index.search(Query()).total == 30
            for info in index.generations():
                if info.complete:
                    assert len(list(index.generation(info.name).scan())) == 30
        for info in index.generations():
            if not info.current:
                index.remove(info.name)
        # The lease and the pointer are what a kill may leave something beside.
        self.switch(index, index.info().generation)
        assert sorted(index.scan()) == views
        assert self.left_behind(index) == []

    def test_processes_write_different_generations_at_the_same_time(self) -> None:
        index = self.new([story(1)], applied_through=1)
        old = index.info().generation
        new = self.build(index, [story(1)], 1)
        index.close()
        writer = self.child("write", index.url, 2, 7)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        pinned = index.generation(new)
        pinned.write([story(3)], applied_through=3)
        self.switch(index, new)
        index.write([story(4)], applied_through=4)
        assert (index.generation(old).info().applied_through, index.info().applied_through) == (7, 4)
        self.last_words(writer)
        assert sorted(index.generation(old).scan()) == [story(1), story(2, version=7)]
        index.remove(old)
        assert sorted(index.scan()) == [story(1), story(3), story(4)]
        assert self.left_behind(index) == []

    def left_behind(self, index: Index) -> list[Path]:
        """Files that are no part of the index as it is."""
        raise NotImplementedError

    def run_load(self, index: Index, new: Path, after: float | None) -> float:
        """Load in another process, killed after so many seconds; gives the seconds it ran."""
        part = self.tmp_path / "part-copy"
        part.write_bytes(new.read_bytes())
        child = self.child("load", index.url, part, 20)
        started = time.monotonic()
        try:
            child.wait(after)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        else:
            assert child.returncode == 0
        return time.monotonic() - started


class FileIndexContract(SharedIndexContract):
    """For indexes in files, which mean something else in three things.

    One process writes a generation: nothing in a file could decide between two, while a server has its documents' versions, and
    shards on several machines are the reason to use one. What is open of a file outlives its removal, of a server's index
    nothing does. And the disk that is full is this machine's.
    """

    def test_a_scan_goes_on_in_the_generation_it_began_in(self) -> None:
        views = [story(number) for number in range(40)]
        index = self.new(views)
        scan = index.scan()
        first = next(scan)
        for _ in range(3):
            self.load(index, [story(1, version=9)], applied_through=9)
        assert sorted([first, *scan]) == sorted(views)

    def test_one_process_writes(self) -> None:
        index = self.new([story(1)], applied_through=1)
        index.close()
        writer = self.child("write", index.url, 2, 7)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        with pytest.raises(IndexBusy, match="One writes at a time"):
            index.write([story(3)], applied_through=8)
        with pytest.raises(IndexBusy):
            index.load([], catalog=CATALOG, applied_through=8)
        assert index.info().applied_through == 7
        self.last_words(writer)
        index.write([story(3)], applied_through=8)
        assert index.info().live["story"] == 3

    def test_without_room_nothing_changes_and_nothing_is_left_behind(self) -> None:
        index = self.new([story(1)], applied_through=1)
        index.close()
        part = write_part(self.tmp_path / "large", noisy_stories(2_000))
        child = self.child("cramped", index.url, part)
        assert self.last_words(child).split() == ["EngineFailed", "EngineFailed"]
        assert (index.info().applied_through, list(index.scan())) == (1, [story(1)])
        index.write([story(2, version=2)], applied_through=2)
        assert index.search(Query()).total == 2
        assert self.left_behind(index) == []

    def test_each_generation_is_one_processs_at_a_time(self) -> None:
        index = self.new([story(1)], applied_through=1)
        old = index.info().generation
        new = self.build(index, [story(1)], 1)
        index.close()
        writer = self.child("write", index.url, 2, 7)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        self.switch(index, new)
        index.write([story(4)], applied_through=4)
        with pytest.raises(IndexBusy):
            index.generation(old).write([story(3)], applied_through=8)
        with pytest.raises(IndexBusy):
            index.remove(old)
        self.last_words(writer)
        index.remove(old)
        assert sorted(index.scan()) == [story(1), story(4)]
        assert self.left_behind(index) == []

"""Verification names exactly what is wrong, at any watermark and in every adapter; repair puts it right."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.catalog import Catalog, newsroom_catalog, parse_catalog
from assets.gateway import Gateway
from assets.log import open_log
from assets.log.port import Log
from assets.model import NEVER, Draft, Transaction
from assets.newsroom import history
from assets.validation import parse_message
from backfill import ranges, report, verify
from backfill.errors import OtherCatalog, RepairFailed
from backfill.verify import Difference, Report, as_json, as_text, repair, verify_some
from denormalizer.view import EMPTY_CONTENT, View
from indexers import Generation, Index, open_index
from indexers.engine import Engine
from indexers.errors import EngineFailed, IndexBusy, InvalidRecord, NoIndex
from pipeline.as_of import LogViews
from tests.support.building import Publication, assert_same, by_key
from tests.support.strategies import publication, publications

Json = Any
Key = tuple[str, str]
ADAPTERS = ("memory", "jsonl", "tantivy")
NEWSROOM_MESSAGES = 600
numbers = itertools.count()


class Built:
    """A log, and a generation of its views at a watermark."""

    def __init__(self, folder: Path, adapter: str, log: Log, catalog: Catalog, watermark: int | None = None) -> None:
        self.log = log
        self.catalog = catalog
        self.last = log.last_offset() if watermark is None else watermark
        self.folder = folder / str(next(numbers))
        self.folder.mkdir()
        self.index: Index = open_index("memory:" if adapter == "memory" else f"{adapter}:{self.folder / 'index'}")
        part = self.folder / "part.jsonl"
        # By the fold, as every build does it.
        folded = list(LogViews(log, catalog).fold(self.last).emit(last=True))
        part.write_bytes(b"".join(view.to_line() + b"\n" for view in folded))
        name = self.index.begin(catalog)
        self.index.extend(name, [part], loaded=1)
        self.index.finish(name, applied_through=self.last)
        self.generation: Generation = self.index.generation(name)
        self.name = name
        self.right = by_key(folded)

    def verify(self) -> Report:
        return verify.verify(self.log, self.generation, self.catalog)

    def repair(self, found: Report) -> int:
        return repair(self.log, self.generation, self.catalog, found)

    def damage(self, *views: View, remove: Iterable[Key] = ()) -> None:
        """Behind everybody's back: whatever stood there is replaced."""
        removed = [*remove, *((view.view, view.uri) for view in views)]
        self.generation.write(views, applied_through=self.last, repair=True, remove=removed)

    def assert_right(self) -> None:
        assert by_key(self.generation.scan()) == self.right


def newsroom_log(messages: int, **shares: Json) -> Log:
    log = open_log("memory:")
    gateway = Gateway(log, newsroom_catalog())
    for message in history(messages, **shares):
        gateway.publish([gateway.propose([parse_message(json.dumps(message).encode())])], "allow")
    return log


def log_of(random: Publication) -> Log:
    """A log of the publication's messages, its schemas under the ids that the payloads name."""
    log = open_log("memory:")
    for schema in random.schemas:
        assert log.register_schema(schema.kind, schema.text).id == schema.id
    with log.writing():
        for message in random.messages:
            log.append([Transaction(message.tx, [Draft(message.uri, message.time, message.id, message.value)])])
    return log


@pytest.fixture(scope="module")
def newsroom() -> Log:
    return newsroom_log(NEWSROOM_MESSAGES, unpublishes=0.1)


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., Built]]:
    made: list[Built] = []

    def build(adapter: str, log: Log, catalog: Catalog | None = None, watermark: int | None = None) -> Built:
        made.append(Built(tmp_path, adapter, log, catalog or newsroom_catalog(), watermark))
        return made[-1]

    yield build
    for built in made:
        built.index.close()


Build = Callable[..., Built]


def changed(view: View) -> View:
    """Other bytes of the same length under the same version."""
    return view._replace(content=view.content.replace(b'"uri":"', b'"irU":"', 1))


def names(found: Report) -> set[tuple[str, str, str]]:
    assert len(set(found.differences)) == len(found.differences)
    return {tuple(difference) for difference in found.differences}


# ---------------------------------------------------------------------------------------------------------- good ones


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("watermark", [NEVER, 0, 17, 300, NEWSROOM_MESSAGES - 1])
def test_a_good_generation_passes_at_any_watermark(adapter: str, watermark: int, newsroom: Log, build: Build) -> None:
    built = build(adapter, newsroom, watermark=watermark)
    found = built.verify()
    assert found.passed, as_text(found)
    assert (found.generation, found.watermark, found.checked) == (built.name, watermark, len(built.right))
    assert found.expected == found.found
    assert (found.ranges, found.ranges_different) == (ranges.RANGES, 0)
    info = built.generation.info()
    for view, states in found.found.items():
        assert (states["live"], states["gone"]) == (info.live[view], info.gone[view])
    assert as_text(found).splitlines() == [
        f"{len(built.right):,} documents checked against the log at offset {watermark}",
        "all are as the log says",
    ]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_index_of_an_empty_log_passes_until_there_is_something_in_it(adapter: str, build: Build) -> None:
    built = build(adapter, open_log("memory:"))
    found = built.verify()
    assert (found.passed, found.checked, found.watermark) == (True, 0, NEVER)
    uri = "news://tag/1"
    built.damage(View("tag", uri, 3, "live", b'{"uri":"news://tag/1"}', b'{"news://tag/1":3}'))
    found = built.verify()
    assert names(found) == {("tag", uri, "unexpected")}
    assert built.repair(found) == 1
    assert built.verify().passed


@pytest.mark.parametrize("seed", range(8))
def test_random_publications_pass_at_every_watermark(seed: int, build: Build) -> None:
    random = publication(seed, 0)
    log = log_of(random)
    for watermark in range(NEVER, len(random.messages)):
        built = build("jsonl", log, random.catalog, watermark)
        assert built.verify().passed
        assert verify_some(log, built.generation, random.catalog, built.right).passed


def test_progress_says_how_many_are_done_of_about_how_many(
    newsroom: Log, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "PROGRESS_DOCUMENTS", 10)
    built = build("memory", newsroom)
    told: list[tuple[int, int]] = []
    verify.verify(newsroom, built.generation, built.catalog, lambda done, about: told.append((done, about)))
    count = len(built.right)
    assert len(told) == count // 10 + 1
    assert told == sorted(told)
    assert set(told) >= {(10, count), (count, count)}


def test_what_is_kept_of_assets_is_bounded_and_changes_nothing(newsroom: Log, build: Build) -> None:
    built = build("memory", newsroom)
    for assets_max in (0, 1, 7):
        as_of = LogViews(newsroom, built.catalog).at(built.last)
        as_of._assets_max = assets_max
        for uri in dict.fromkeys(uri for _, uri in built.right):
            for view in as_of.views(uri):
                assert view == built.right[view.view, uri]
            # What one view needs is kept until the next one at least.
            assert as_of._latest.count <= assets_max + 100


# --------------------------------------------------------------------------------------------------------- differences


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_one_deleted_one_altered_and_one_too_many_are_named_and_nothing_else(
    adapter: str, newsroom: Log, build: Build
) -> None:
    built = build(adapter, newsroom)
    deleted, altered, other = Random(1).sample([view for view in built.right.values() if view.state == "live"], 3)
    extra = other._replace(uri=f"{other.uri}-nobody")
    built.damage(changed(altered), extra, remove=[(deleted.view, deleted.uri)])
    found = built.verify()
    assert names(found) == {
        (deleted.view, deleted.uri, "missing"),
        (altered.view, altered.uri, "content"),
        (extra.view, extra.uri, "unexpected"),
    }
    assert (found.passed, found.different) == (False, 3)
    assert found.ranges_different == len({ranges.range_of(view.view, view.uri) for view in (deleted, altered, extra)})
    text = as_text(found)
    assert text.splitlines()[-1] == "3 are not"
    assert f"  missing    {deleted.view} {deleted.uri}\n" in text
    assert f"  {found.ranges_different} of {ranges.RANGES:,} ranges differ\n" in text
    written = json.loads(json.dumps(as_json(found)))
    assert written["differences"] == [difference._asdict() for difference in found.differences]
    assert (written["passed"], written["different"], written["watermark"]) == (False, 3, built.last)
    assert built.repair(found) == 3
    assert built.verify().passed
    built.assert_right()
    assert built.repair(built.verify()) == 0


DAMAGES: dict[str, tuple[Callable[[View], View], str]] = {
    "a version too high": (lambda view: view._replace(version=view.version + 1_000), "version"),
    "a version too low": (lambda view: view._replace(version=view.version - 1), "version"),
    "hidden": (lambda view: view._replace(state="gone", content=EMPTY_CONTENT), "state"),
    "other content": (changed, "content"),
    "other sources": (lambda view: view._replace(sources=b"{}"), "content"),
    "bounds": (lambda view: view._replace(bounds=("nodes",)), "content"),
}


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_altered_is_named_for_what_it_is(adapter: str, damage: str, newsroom: Log, build: Build) -> None:
    built = build(adapter, newsroom)
    view = next(view for view in built.right.values() if view.state == "live" and view.version > 100)
    make, what = DAMAGES[damage]
    built.damage(make(view))
    found = built.verify()
    assert names(found) == {(view.view, view.uri, what)}
    assert names(verify_some(newsroom, built.generation, built.catalog, built.right)) == names(found)
    assert built.repair(found) == 1
    assert built.verify().passed
    built.assert_right()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_tombstone_shown_again_is_named(adapter: str, newsroom: Log, build: Build) -> None:
    built = build(adapter, newsroom)
    tombstone = next(view for view in built.right.values() if view.state == "gone")
    content = json.dumps({"uri": tombstone.uri}).encode()
    built.damage(tombstone._replace(state="live", content=content))
    found = built.verify()
    assert names(found) == {(tombstone.view, tombstone.uri, "state")}
    built.repair(found)
    built.assert_right()


def test_more_differences_than_are_named_are_counted_and_all_repaired(
    newsroom: Log, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "DIFFERENCES_KEPT_MAX", 5)
    monkeypatch.setattr(verify, "REPAIRED_MAX", 40)
    monkeypatch.setattr(ranges, "COMPARED_MAX", 7)
    built = build("memory", newsroom)
    some = list(built.right)[::2]
    built.damage(remove=some)
    found = built.verify()
    assert (found.different, len(found.differences)) == (len(some), 5)
    assert len(some) > 100
    assert f"  and {len(some) - 5:,} more\n" in as_text(found)
    assert built.repair(found) == len(some)
    assert built.verify().passed
    built.assert_right()


def test_verify_some_looks_at_these_documents_only(newsroom: Log, build: Build) -> None:
    built = build("tantivy", newsroom)
    first, second, *_ = built.right.values()
    extra = first._replace(uri="news://article/nobody")
    built.damage(changed(first), changed(second), extra)
    keys = [(first.view, first.uri), (extra.view, extra.uri), *list(built.right)[5:9], ("nothing", "at all")]
    found = verify_some(newsroom, built.generation, built.catalog, keys + keys)
    assert names(found) == {(first.view, first.uri, "content"), (extra.view, extra.uri, "unexpected")}
    assert (found.checked, found.ranges, found.watermark) == (5, 0, built.last)
    # A repair looks at all of it.
    assert built.repair(found) == 3
    built.assert_right()


# ----------------------------------------------------------------------------------------------- records that are damaged


class Damaged:
    """A generation of which some documents can't be read back until they are written again."""

    def __init__(self, generation: Generation, keys: Iterable[Key], *, heals: bool = True) -> None:
        self._generation = generation
        self._keys = set(keys)
        self._heals = heals

    def scan(self, view: str | None = None) -> Iterator[View]:
        for found in self._generation.scan(view):
            self._check((found.view, found.uri))
            yield found

    def get(self, view: str, uri: str) -> View | None:
        self._check((view, uri))
        return self._generation.get(view, uri)

    def write(self, views: Iterable[View], *, remove: Iterable[Key] = (), **rest: Json) -> None:
        removed = list(remove)
        self._generation.write(views, remove=removed, **rest)
        if self._heals:
            self._keys.difference_update(removed)

    def __getattr__(self, name: str) -> Json:
        return getattr(self._generation, name)

    def _check(self, key: Key) -> None:
        if key in self._keys:
            raise InvalidRecord("memory:", f"this is no view record: {key}")


def test_a_document_that_can_not_be_read_back_is_named_and_repaired(newsroom: Log, build: Build) -> None:
    built = build("memory", newsroom)
    unreadable, altered, other, *_ = built.right.values()
    built.damage(changed(altered), other._replace(uri=f"{other.uri}-nobody"))
    damaged: Json = Damaged(built.generation, [(unreadable.view, unreadable.uri)])
    found = verify.verify(newsroom, damaged, built.catalog)
    assert names(found) == {
        (unreadable.view, unreadable.uri, "unreadable"),
        (altered.view, altered.uri, "content"),
    }
    assert "this is no view record" in as_text(found)
    assert found.checked == len(built.right)
    # The one too many is found as soon as the index can be read through.
    assert repair(newsroom, damaged, built.catalog, found) == 3
    built.assert_right()


def test_repair_ends_where_writing_does_not_help(newsroom: Log, build: Build) -> None:
    built = build("memory", newsroom)
    damaged: Json = Damaged(built.generation, [next(iter(built.right))], heals=False)
    found = verify.verify(newsroom, damaged, built.catalog)
    with pytest.raises(RepairFailed, match=rf"1 documents of generation {built.name} are still not .*Build a new"):
        repair(newsroom, damaged, built.catalog, found)
    stray: Json = Damaged(built.generation, [("story", "news://article/nobody")])
    built.damage(next(iter(built.right.values()))._replace(view="story", uri="news://article/nobody"))
    found = verify.verify(newsroom, stray, built.catalog)
    assert (found.passed, found.different) == (False, 0)
    assert as_text(found).endswith("not all of it can be read")
    with pytest.raises(RepairFailed, match=r"0 documents .*this is no view record"):
        repair(newsroom, stray, built.catalog, found)


def test_a_generation_of_which_nothing_can_be_read_is_an_error(newsroom: Log, build: Build) -> None:
    built = build("memory", newsroom)
    damaged: Json = Damaged(built.generation, built.right)
    with pytest.raises(InvalidRecord):
        verify.verify(newsroom, damaged, built.catalog)


def test_what_the_engine_can_not_read_is_its_failure(
    newsroom: Log, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build("memory", newsroom)
    engine: Engine = built.index.generation(built.name).engine  # type: ignore[attr-defined]

    class Searcher:
        def __init__(self, searcher: Json) -> None:
            self._searcher = searcher

        def doc(self, address: Json) -> Json:
            raise ValueError("an IO error occurred: corrupt block")

        def __getattr__(self, name: str) -> Json:
            return getattr(self._searcher, name)

    state = engine._present()
    monkeypatch.setattr(engine, "_state", state._replace(searcher=Searcher(state.searcher)))
    with pytest.raises(EngineFailed, match="corrupt block"):
        built.verify()


class Doubled:
    """A generation in which some documents stand twice until they are removed."""

    def __init__(self, generation: Generation, keys: Iterable[Key]) -> None:
        self._generation = generation
        self._keys = set(keys)

    def scan(self, view: str | None = None) -> Iterator[View]:
        for found in self._generation.scan(view):
            yield from [found] * (1 + ((found.view, found.uri) in self._keys))

    def write(self, views: Iterable[View], *, remove: Iterable[Key] = (), **rest: Json) -> None:
        removed = list(remove)
        self._keys.difference_update(removed)
        self._generation.write(views, remove=removed, **rest)

    def __getattr__(self, name: str) -> Json:
        return getattr(self._generation, name)


def test_a_document_that_stands_twice_is_one_too_many(newsroom: Log, build: Build) -> None:
    built = build("memory", newsroom)
    first, second, *_ = built.right
    doubled: Json = Doubled(built.generation, [first, second])
    found = verify.verify(newsroom, doubled, built.catalog)
    assert names(found) == {(*first, "unexpected"), (*second, "unexpected")}
    assert repair(newsroom, doubled, built.catalog, found) == 2
    assert verify.verify(newsroom, doubled, built.catalog).passed
    built.assert_right()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_another_catalog_is_refused_and_so_is_an_index_that_is_not_there(
    adapter: str, newsroom: Log, build: Build
) -> None:
    built = build(adapter, newsroom)
    kinds = {name: text for name, text in built.catalog.files.items() if name.startswith("kinds/")}
    other = parse_catalog({**kinds, "views.toml": '[views.tag]\nroot = "tag"\n'})
    found = Report(built.name, built.last)
    found.add(Difference("tag", "news://tag/1", "missing"))
    for refused in (
        lambda: verify.verify(newsroom, built.generation, other),
        lambda: verify_some(newsroom, built.generation, other, []),
        lambda: repair(newsroom, built.generation, other, found),
    ):
        with pytest.raises(OtherCatalog, match=built.name):
            refused()
    built.assert_right()
    # The index has generations, none of which is current.
    with pytest.raises(NoIndex):
        verify.verify(newsroom, built.index, built.catalog)


# ------------------------------------------------------------------------------------------------- written meanwhile


class Written:
    """A generation that somebody brings up to date in between."""

    def __init__(self, built: Built, watermarks: Iterable[int]) -> None:
        self._built = built
        self._watermarks = list(watermarks)

    def scan(self, view: str | None = None) -> Iterator[View]:
        self.advance()
        found = self._built.generation.scan(view)
        self.advance()
        return found

    def get(self, view: str, uri: str) -> View | None:
        self.advance()
        return self._built.generation.get(view, uri)

    def advance(self) -> None:
        if self._watermarks:
            watermark = self._watermarks.pop(0)
            views = LogViews(self._built.log, self._built.catalog).fold(watermark).emit(last=True)
            self._built.generation.write(views, applied_through=watermark)

    def __getattr__(self, name: str) -> Json:
        return getattr(self._built.generation, name)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_generation_that_is_written_meanwhile_passes(adapter: str, newsroom: Log, build: Build) -> None:
    built = build(adapter, newsroom, watermark=300)
    written: Json = Written(built, [300, 320, 350, 350, 400])
    found = verify.verify(newsroom, written, built.catalog)
    assert found.passed, as_text(found)
    assert found.watermark >= 320
    some: Json = Written(built, range(401, 420))
    found = verify_some(newsroom, some, built.catalog, built.right)
    assert found.passed, as_text(found)


def test_a_generation_that_never_stands_still_is_busy(
    newsroom: Log, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MOMENTS_MAX", 3)
    built = build("jsonl", newsroom, watermark=300)
    written: Json = Written(built, range(301, 320))
    with pytest.raises(IndexBusy):
        verify.verify(newsroom, written, built.catalog)


def test_differences_in_what_is_written_are_named_as_of_the_second_look(
    newsroom: Log, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few that what is new falls into one that differs.
    monkeypatch.setattr(ranges, "RANGES", 4)
    built = build("memory", newsroom, watermark=300)
    live = [view for view in built.right.values() if view.state == "live"]
    built.damage(*map(changed, live))
    # Written between the first look at all of it and the second at what differs.
    written: Json = Written(built, [300, 300, 450, 450])
    found = verify.verify(newsroom, written, built.catalog)
    now = by_key(LogViews(newsroom, built.catalog).fold(450).emit(last=True))
    same = [view for view in live if now[view.view, view.uri].version == view.version]
    assert 0 < len(same) < len(live) < len(now)
    assert names(found) == {(view.view, view.uri, "content") for view in same}
    assert found.watermark == 300


# --------------------------------------------------------------------------------------------------- random damage


@settings(max_examples=60)
@given(publications(), st.sampled_from(ADAPTERS), st.data())
def test_random_damage_is_named_exactly_and_repaired(
    tmp_path_factory: pytest.TempPathFactory, random: Publication, adapter: str, data: st.DataObject
) -> None:
    watermark = data.draw(st.integers(NEVER, len(random.messages) - 1))
    built = Built(tmp_path_factory.mktemp("verify"), adapter, log_of(random), random.catalog, watermark)
    with closing(built.index):
        damaged: dict[Key, str] = {}
        views: list[View] = []
        removed: list[Key] = []
        keys = sorted(built.right)
        for key in data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else ():
            view = built.right[key]
            options = ["remove", *(name for name in DAMAGES if DAMAGES[name][0](view) != view and view.version > 0)]
            damage = data.draw(st.sampled_from(options))
            if damage == "remove":
                damaged[key] = "missing"
                removed.append(key)
            else:
                make, damaged[key] = DAMAGES[damage]
                views.append(make(view))
        for view, uri in data.draw(st.sets(st.sampled_from(list(extras(random))), max_size=3)):
            if (view, uri) not in built.right:
                damaged[view, uri] = "unexpected"
                views.append(View(view, uri, 1, "live", json.dumps({"uri": uri}).encode(), b"{}"))
        if damaged:
            built.damage(*views, remove=removed)
        found = built.verify()
        assert names(found) == {(*key, what) for key, what in damaged.items()}
        assert names(verify_some(built.log, built.generation, random.catalog, {**built.right, **damaged})) == names(
            found
        )
        assert built.repair(found) == len(damaged)
        assert built.verify().passed
        built.assert_right()
        expected = random.expected(watermark)
        assert by_key(built.generation.scan()).keys() == expected.keys()
        for view in built.generation.scan():
            assert_same(view, expected[view.view, view.uri])


def extras(random: Publication) -> Iterator[Key]:
    """Documents that may be too many: of roots that are there, later or never, and of the wrong kind."""
    for view in random.catalog.views:
        for uri in ("x://a/nobody", *(message["uri"] for message in random.plain[-5:])):
            yield view, uri


def test_a_report_of_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Report("g", 7)
    for number in range(report.DIFFERENCES_KEPT_MAX + 1):
        found.add(Difference("story", f"news://article/{number}", "missing"))
    assert (found.different, len(found.differences)) == (report.DIFFERENCES_KEPT_MAX + 1, report.DIFFERENCES_KEPT_MAX)

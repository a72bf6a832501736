"""A search server that fails in every way of a script: the index ends right, and it is not asked much more for it."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from denormalizer.view import View
from indexers import Index, Query, Unfit, open_index, parse
from indexers.errors import EngineFailed, InvalidRecord
from indexers.limits import REQUESTS_MAX
from tests.contract.index_newsroom import CATALOG, gone, story, write_part
from tests.servers.elasticsearch import drop
from tests.support.faulty_proxy import Answer, Asked, Fault, Proxy, begun, faulty_proxy, passed, refused

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "javac", "mvn", "flock")]

Made = Callable[[], Fault]

BULK_BYTES = 20_000
LARGE_BYTES = 7_000


@pytest.fixture
def proxy(elasticsearch: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr("indexers.elasticsearch.calls.CALL_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr("indexers.elasticsearch.calls.BULK_PAUSE_SECONDS", 0.02)
    # Several requests, of which several are under way.
    monkeypatch.setattr("indexers.elasticsearch.calls.BULK_BYTES", BULK_BYTES)
    with faulty_proxy(elasticsearch) as proxy:
        yield proxy
    drop(elasticsearch, "faults")


def changes(url: str, part: Path) -> tuple[list[View], Query]:
    """A history: a load, a build of two steps that is made current, and writes; gives what must be there."""
    stories = [story(number, version=1, headline="fox " * 20) for number in range(120)]
    with closing(open_index(url)) as index:
        index.load([write_part(part, stories[:60])], catalog=CATALOG, applied_through=1)
        name = index.begin(CATALOG)
        for step in range(2):
            index.extend(name, [write_part(part, stories[step::2])], loaded=step + 1)
        index.finish(name, applied_through=1)
        with index.lease("a test") as lease:
            index.switch(name, expected=index.info().generation, token=lease.token)
        views = {view.uri: view for view in stories}
        for version in range(2, 6):
            newer = [
                story(number, version=version, headline="dog " * 20) for number in range(version * 10, version * 25)
            ]
            newer[0] = gone(newer[0])
            index.write(newer, applied_through=version)
            views |= {view.uri: view for view in newer}
        # What was there before is told again, as by a stream that begins again.
        index.write(stories[:40], applied_through=5)
        return list(views.values()), Query(text=parse("dog"), limit=200)


def every(number: int, fault: Fault, *, but: Fault = passed) -> Made:
    """One of so many requests, beginning with the first."""
    return lambda: lambda asked: (fault if asked.number % number == 1 else but)(asked)


def first_of_each(fault: Fault) -> Made:
    """Each request that is not like one before."""

    def made() -> Fault:
        seen: set[tuple[str, bytes]] = set()

        def faulty(asked: Asked) -> Answer | bytes | None:
            key = asked.path, asked.body
            if key in seen:
                return passed(asked)
            seen.add(key)
            return fault(asked)

        return faulty

    return made


def applied_but_slow(asked: Asked) -> Answer | None:
    passed(asked)
    time.sleep(1)
    return None


def applied_but_cut(asked: Asked) -> bytes | None:
    return begun(passed(asked))


def applied_but_unanswered(asked: Asked) -> None:
    passed(asked)


def busy_for_some(asked: Asked) -> Answer:
    """A third of the documents is refused for now, whatever the others are."""
    if not asked.path.split("?")[0].endswith("_bulk"):
        return passed(asked)
    lines = asked.body.splitlines(keepends=True)
    pairs = list(zip(lines[::2], lines[1::2], strict=True))
    kept = [pair for place, pair in enumerate(pairs) if place % 3]
    items: list[Any] = []
    if kept:
        items = json.loads(asked.forward(b"".join(line for pair in kept for line in pair)).body)["items"]
    told = iter(items)
    statuses = (429, 503)
    merged = [
        next(told)
        if place % 3
        else {"index": {"status": statuses[place % 2], "error": {"type": "x", "reason": "busy"}}}
        for place in range(len(pairs))
    ]
    answer = orjson.dumps({"took": 1, "errors": True, "items": merged})
    return Answer(200, {"content-type": "application/json", "x-elastic-product": "Elasticsearch"}, answer)


def too_large(asked: Asked) -> Answer:
    return refused(413) if len(asked.body) > LARGE_BYTES else passed(asked)


def mixed() -> Fault:
    chance = random.Random(4)
    lock = threading.Lock()
    failed: dict[tuple[str, bytes], int] = {}
    ways: list[Fault] = [
        lambda _: refused(429), lambda _: refused(503, retry_after="0"), lambda _: None,
        applied_but_cut, applied_but_unanswered, passed, passed,
    ]  # fmt: skip

    def faulty(asked: Asked) -> Answer | bytes | None:
        key = asked.path, asked.body
        with lock:
            way = chance.choice(ways)
            failed[key] = failed.get(key, 0) + (way is not passed)
            if failed[key] % REQUESTS_MAX == 0:
                way = passed
        return way(asked)

    return faulty


SCRIPTS: dict[str, Made] = {
    "every second request is one too many": every(2, lambda _: refused(429)),
    "each is one too many at first": first_of_each(lambda _: refused(429, retry_after="0")),
    "every third finds no shard": every(3, lambda _: refused(503)),
    "every second answer is late": every(9, applied_but_slow),
    "each is applied and never answered": first_of_each(applied_but_unanswered),
    "each answer is cut": first_of_each(applied_but_cut),
    "each connection is cut": first_of_each(lambda _: None),
    "some documents have to wait": every(2, busy_for_some),
    "requests are too large": lambda: too_large,
    "all of it": mixed,
}


@pytest.fixture(scope="module")
def needed(elasticsearch: str, tmp_path_factory: pytest.TempPathFactory) -> dict[int, int]:
    """How many requests it takes where nothing fails, by their size."""
    counts: dict[int, int] = {}
    for bulk_bytes in (BULK_BYTES, LARGE_BYTES):
        with pytest.MonkeyPatch.context() as patch, faulty_proxy(elasticsearch) as proxy:
            patch.setattr("indexers.elasticsearch.calls.BULK_BYTES", bulk_bytes)
            changes(f"{proxy.url}/faultless", tmp_path_factory.mktemp("needed") / "part")
            counts[bulk_bytes] = len(proxy.asked)
        drop(elasticsearch, "faultless")
    return counts


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_index_ends_right_and_is_asked_three_times_at_most(
    script: str,
    proxy: Proxy,
    elasticsearch: str,
    needed: dict[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "late" in script:
        monkeypatch.setattr("indexers.elasticsearch.calls.CALL_SECONDS_MAX", 0.5)
    proxy.fault = SCRIPTS[script]()
    expected, query = changes(f"{proxy.url}/faults", tmp_path / "part")
    count = len(proxy.asked)
    proxy.fault = passed
    with closing(open_index(f"{elasticsearch}/faults")) as index:
        assert sorted(index.scan()) == sorted(expected)
        assert index.info().applied_through == 5
        found = {hit.uri for hit in index.search(query).hits}
        assert found == {view.uri for view in expected if b"dog" in view.content}
        assert len(index.generations()) == 2
    least = needed[LARGE_BYTES if "large" in script else BULK_BYTES]
    assert least < count <= REQUESTS_MAX * least


def test_a_server_that_stays_busy_is_let_go_and_keeps_what_it_has(proxy: Proxy, tmp_path: Path) -> None:
    with closing(open_index(f"{proxy.url}/faults")) as index:
        index.load([write_part(tmp_path / "part", [story(1)])], catalog=CATALOG, applied_through=1)
        index.write([], applied_through=1)
        proxy.asked.clear()
        proxy.fault = lambda asked: refused(503) if "_bulk" in asked.path else passed(asked)
        with pytest.raises(EngineFailed, match="503"):
            index.write([story(2, version=2)], applied_through=2)
        assert sum("_bulk" in asked for asked in proxy.asked) == REQUESTS_MAX
        proxy.fault = passed
        assert (index.applied_through(), list(index.scan())) == (1, [story(1)])


def test_the_watermark_never_passes_documents_that_are_not_there(proxy: Proxy, tmp_path: Path) -> None:
    """Whatever fails of a write, and though a request may be taken in part."""
    with closing(open_index(f"{proxy.url}/faults")) as index:
        index.load([write_part(tmp_path / "part", [story(1)])], catalog=CATALOG, applied_through=1)
        proxy.fault = busy_for_some
        with pytest.raises(EngineFailed, match="too busy"):
            index.write([story(number, version=2) for number in range(9)], applied_through=2)
        proxy.fault = passed
        assert index.applied_through() == 1
        index.write([story(number, version=2) for number in range(9)], applied_through=2)
        assert [view.version for view in index.scan()] == [2] * 9


@pytest.fixture
def picky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A team's mapping that takes numbers only for the section."""
    from importlib.resources import files

    ours = (files("indexers.elasticsearch") / "templates" / "mappings.json.j2").read_text()
    folder = tmp_path / "templates"
    folder.mkdir()
    own = ours.replace(
        '{"type": "keyword"},\n    {%- endfor %}',
        '{"type": "{{ "long" if path == "section" else "keyword" }}"},\n    {%- endfor %}',
    )
    assert own != ours
    (folder / "mappings.json.j2").write_text(own)
    monkeypatch.setenv("PUBLOG_ELASTICSEARCH_TEMPLATES", str(folder))


def uris(index: Index, text: str) -> list[str]:
    return sorted(hit.uri for hit in index.search(Query(text=parse(text))).hits)


def test_what_the_server_cannot_index_is_told_and_kept_and_the_others_are_indexed(
    proxy: Proxy, tmp_path: Path, picky: None
) -> None:
    told: list[Unfit] = []
    stories = [story(number, section="Arts" if number == 2 else "7", headline="fox") for number in range(4)]
    with closing(open_index(f"{proxy.url}/faults", told.append)) as index:
        index.load([write_part(tmp_path / "part", stories)], catalog=CATALOG, applied_through=1)
        assert [unfit.view for unfit in told] == [stories[2]]
        assert "section" in told[0].reason
        assert sorted(index.scan()) == sorted(stories)
        assert index.info().live["story"] == index.search(Query()).total == 4
        assert uris(index, "fox") == [stories[number].uri for number in (0, 1, 3)]
        name = index.begin(CATALOG)
        index.extend(name, [write_part(tmp_path / "part", stories)], loaded=1)
        index.finish(name, applied_through=1)
        assert sorted(index.generation(name).scan()) == sorted(stories)
        worse = story(3, version=5, section="World", headline="fox")
        told.clear()
        index.write([worse, story(1, version=5, section="8", headline="dog")], applied_through=5)
        assert ([unfit.view for unfit in told], index.applied_through()) == ([worse], 5)
        assert index.get("story", worse.uri) == worse
        assert (uris(index, "fox"), uris(index, "dog")) == ([stories[0].uri], [stories[1].uri])
        index.write([story(3, version=6, section="9", headline="fox")], applied_through=6)
        assert (uris(index, "fox"), len(told)) == ([stories[0].uri, worse.uri], 1)


def test_a_document_that_no_request_can_hold_is_told_and_all_else_goes_on(proxy: Proxy, tmp_path: Path) -> None:
    told: list[Unfit] = []
    large = story(2, headline="fox " * 3_000)
    stories = [story(1), large, story(3)]
    proxy.fault = too_large
    with closing(open_index(f"{proxy.url}/faults", told.append)) as index:
        name = index.begin(CATALOG)
        index.extend(name, [write_part(tmp_path / "part", stories)], loaded=1)
        index.finish(name, applied_through=1)
        assert [unfit.view for unfit in told] == [large]
        assert sorted(index.generation(name).scan()) == [story(1), story(3)]


def test_a_step_that_is_refused_behind_what_was_sent_is_counted(proxy: Proxy, tmp_path: Path) -> None:
    """Many documents are on the server by the time that a line is no record."""
    stories = [story(number, headline="fox " * 100) for number in range(300)]
    with closing(open_index(f"{proxy.url}/faults")) as index:
        name = index.begin(CATALOG)
        bad = write_part(tmp_path / "part", stories)
        with bad.open("ab") as file:
            file.write(b"no record\n")
        with pytest.raises(InvalidRecord, match="no view record"):
            index.extend(name, [bad], loaded=1)
        assert [about.loaded for about in index.generations()] == [0]
        index.extend(name, [write_part(tmp_path / "part", stories[:10])], loaded=1)
        with pytest.raises(InvalidRecord, match="a step was refused"):
            index.finish(name, applied_through=1)
        index.extend(name, [write_part(tmp_path / "part", stories[10:])], loaded=2)
        index.finish(name, applied_through=1)
        assert sorted(index.generation(name).scan()) == sorted(stories)


def test_who_cannot_keep_it_is_refused_before_the_watermark_passes(proxy: Proxy, tmp_path: Path, picky: None) -> None:
    with closing(open_index(f"{proxy.url}/faults")) as index:
        index.load([write_part(tmp_path / "part", [story(1, section="1")])], catalog=CATALOG, applied_through=1)
        with pytest.raises(InvalidRecord, match=r"story nyt://article/2: Elasticsearch can't index it"):
            index.write([story(2, version=2, section="Arts")], applied_through=2)
        assert index.applied_through() == 1

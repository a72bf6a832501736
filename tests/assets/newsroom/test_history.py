"""The invented histories: whole, in order, in shape, valid against the catalog, and the same for the same seed."""

import hashlib
import json
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import groupby, islice, pairwise
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import assets.newsroom
from assets.newsroom import Message, demo_history, history

KINDS = Path(assets.newsroom.__file__).parent / "catalog" / "kinds"
SCHEMAS: dict[str, Any] = {path.stem: json.loads(path.read_text("utf-8")) for path in KINDS.glob("*.avsc")}
PARSED: dict[str, Any] = {kind: fastavro.parse_schema(schema) for kind, schema in SCHEMAS.items()}


def avro_value(schema: Any, value: Any) -> Any:
    """The value as fastavro takes it: times and dates from their text, and no field that the schema does not have."""
    if isinstance(schema, list):
        return None if value is None else avro_value(next(branch for branch in schema if branch != "null"), value)
    if not isinstance(schema, dict):
        return value
    if schema["type"] == "record":
        fields = {field["name"]: field["type"] for field in schema["fields"]}
        assert value.keys() <= fields.keys()
        return {name: avro_value(fields[name], inner) for name, inner in value.items()}
    if schema["type"] == "array":
        return [avro_value(schema["items"], item) for item in value]
    if schema.get("logicalType") == "timestamp-millis":
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if schema.get("logicalType") == "date":
        return date.fromisoformat(value)
    if isinstance(schema["type"], dict | list):
        return avro_value(schema["type"], value)
    return value


def references(schema: Any, value: Any) -> Iterable[tuple[str, list[str]]]:
    """Every reference in a payload, with the kinds it may point at."""
    if value is None or isinstance(schema, str):
        return
    if isinstance(schema, list):
        yield from references(next(branch for branch in schema if branch != "null"), value)
    elif schema.get("logicalType") == "asset-ref":
        yield value, schema["kinds"]
    elif schema["type"] == "record":
        for field in schema["fields"]:
            yield from references(field["type"], value.get(field["name"]))
    elif schema["type"] == "array":
        for item in value:
            yield from references(schema["items"], item)


def transactions(messages: Iterable[Message]) -> list[list[Message]]:
    """Adjacent messages with one `tx` together, each other message by itself."""
    grouped = groupby(enumerate(messages), key=lambda numbered: numbered[1].get("tx", numbered[0]))
    return [[message for _, message in group] for _, group in grouped]


def assert_is_whole(messages: list[Message]) -> None:
    """What every history must be: well-formed, in order of time, never referring to what is not published."""
    live: set[str] = set()
    seen_transactions: set[str] = set()
    for batch in transactions(messages):
        if "tx" in batch[0]:
            assert len(batch) > 1 or batch[0] is messages[-1]
            assert batch[0]["tx"] not in seen_transactions
            seen_transactions.add(batch[0]["tx"])
        assert len({message["time"] for message in batch}) == 1
        live.update(message["uri"] for message in batch if message["op"] == "publish")
        for message in batch:
            assert message["uri"].startswith(f"news://{message['kind']}/")
            if message["op"] == "unpublish":
                assert "data" not in message
                assert message["uri"] in live
                live.remove(message["uri"])
                continue
            for uri, kinds in references(SCHEMAS[message["kind"]], message["data"]):
                assert uri in live
                assert uri.removeprefix("news://").split("/")[0] in kinds
    assert all(before["time"] <= after["time"] for before, after in pairwise(messages))


def assert_fits_the_catalog(messages: Iterable[Message]) -> None:
    for message in messages:
        if message["op"] == "publish":
            datum = avro_value(SCHEMAS[message["kind"]], message["data"])
            assert fastavro.validate(datum, PARSED[message["kind"]])


def digest(messages: Iterable[Message]) -> str:
    lines = (json.dumps(message, ensure_ascii=False) for message in messages)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@given(
    messages=st.integers(0, 300),
    seed=st.integers(),
    edits=st.floats(0, 0.5),
    unpublishes=st.floats(0, 0.2),
    images_per_article=st.floats(0, 1),
)
@settings(max_examples=40, deadline=None)
def test_any_history_has_its_length_and_refers_only_to_what_is_live(
    messages: int, seed: int, edits: float, unpublishes: float, images_per_article: float
) -> None:
    found = list(history(messages, seed, edits=edits, unpublishes=unpublishes, images_per_article=images_per_article))
    assert len(found) == messages
    assert_is_whole(found)


@pytest.mark.parametrize("seed", [2026, -1])
def test_a_longer_history_is_whole_and_fits_the_catalog(seed: int) -> None:
    found = list(history(4_000, seed))
    assert_is_whole(found)
    assert_fits_the_catalog(found)


def test_a_history_has_the_shape_of_a_newsroom() -> None:
    total = 20_000
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    size = 0
    for message in history(total):
        kinds[message["kind"]] += 1
        size += len(json.dumps(message, ensure_ascii=False).encode())
        counts["unpublish" if message["op"] == "unpublish" else "again" if message["uri"] in seen else "first"] += 1
        counts["in transaction"] += "tx" in message
        seen.add(message["uri"])
    assert 0.09 < counts["again"] / total < 0.12
    assert 0.008 < counts["unpublish"] / total < 0.012
    assert 0.4 < counts["in transaction"] / total < 0.9
    assert 0.45 < kinds["article"] / total < 0.6
    assert 0.3 < kinds["image"] / total < 0.5
    assert min(kinds["byline"], kinds["tag"]) > total / 200
    assert 1_000 < size / total < 1_500


def test_some_of_what_is_unpublished_comes_back() -> None:
    gone: set[str] = set()
    returned = 0
    for message in history(20_000):
        if message["op"] == "unpublish":
            gone.add(message["uri"])
        elif message["uri"] in gone:
            gone.remove(message["uri"])
            returned += 1
    assert returned > 40
    assert gone


def test_references_make_hubs() -> None:
    uses: Counter[str] = Counter()
    for message in history(20_000):
        if message["op"] == "publish" and message["kind"] == "article":
            uses.update(message["data"]["tags"])
    ranked = [count for _, count in uses.most_common()]
    assert ranked[0] > 50 * ranked[len(ranked) // 2]
    assert sum(ranked[:10]) > 0.3 * sum(ranked)


def test_tags_form_small_trees() -> None:
    parents: dict[str, str | None] = {}
    for message in history(20_000, edits=0, unpublishes=0):
        if message["kind"] == "tag":
            parents[message["uri"]] = message["data"].get("parent")
    depths: Counter[int] = Counter()
    for parent in parents.values():
        depth, above = 0, parent
        while above is not None:
            depth, above = depth + 1, parents[above]
        depths[depth] += 1
    assert depths[0]
    assert depths[1]
    assert depths[2]
    assert max(depths) <= 4


def test_some_transactions_tell_the_article_first_and_a_portrait_its_own_photographer() -> None:
    found = list(history(500))
    assert any(
        batch[0]["kind"] == "article" and batch[1]["kind"] == "image" for batch in transactions(found) if batch[1:]
    )
    credited = {
        message["uri"]: message["data"]["credit"]
        for message in found
        if message["kind"] == "image" and "data" in message
    }
    photos = {
        message["uri"]: message["data"]["photo"]
        for message in found
        if message["kind"] == "byline" and "data" in message
    }
    assert any(credited[photo] == byline for byline, photo in photos.items() if photo)


def test_an_edit_changes_something_and_can_change_references() -> None:
    latest: dict[str, Any] = {}
    changed: Counter[str] = Counter()
    for message in history(5_000):
        if message["op"] == "unpublish":
            continue
        before = latest.get(message["uri"])
        if before is not None:
            assert message["data"] != before
            for field in ("headline", "body", "tags", "bylines", "corrections", "credit", "parent", "name"):
                changed[field] += message["data"].get(field) != before.get(field)
        latest[message["uri"]] = message["data"]
    assert min(changed.values()) > 0


def test_the_same_seed_tells_the_same_history_and_another_another() -> None:
    assert digest(history(2_000, 7)) == digest(history(2_000, 7))
    assert digest(history(2_000, 7)) != digest(history(2_000, 8))


def test_a_seed_tells_the_same_history_in_every_process() -> None:
    script = (
        "import hashlib, json; from assets.newsroom import history\n"
        "lines = (json.dumps(message, ensure_ascii=False) for message in history(2_000, 7))\n"
        "print(hashlib.sha256('\\n'.join(lines).encode()).hexdigest())"
    )
    root = Path(assets.newsroom.__file__).parents[2]
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert found == {digest(history(2_000, 7))}


def test_a_history_streams() -> None:
    assert len(list(islice(history(10**12), 100))) == 100


def test_a_history_keeps_no_payloads() -> None:
    list(history(100))
    tracemalloc.start()
    for _ in history(10_000):
        pass
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


@pytest.mark.parametrize(
    "shape",
    [
        {"edits": -0.1},
        {"edits": 0.95},
        {"unpublishes": 0.5, "returns": 1.0},
        {"returns": -1.0},
        {"images_per_article": 1.5},
    ],
)
def test_an_impossible_shape_is_refused(shape: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"shares from 0|mean from 0"):
        next(history(10, **shape))


@pytest.mark.parametrize("seed", [2026, 1, 99])
def test_the_demo_is_whole_and_fits_the_catalog(seed: int) -> None:
    found = demo_history(seed)
    assert_is_whole(found)
    assert_fits_the_catalog(found)


def test_the_demo_is_the_size_of_a_demo() -> None:
    found = demo_history()
    assets_of = Counter(kind for kind, _ in {(message["kind"], message["uri"]) for message in found})
    assert 250 < len(found) < 330
    assert 90 <= assets_of["article"] <= 110
    assert assets_of["byline"] >= 12
    assert assets_of["tag"] >= 25
    assert assets_of["image"] >= 50


def test_every_story_of_the_demo_can_be_shown() -> None:
    stories = {
        message["uri"]: message["data"]
        for message in demo_history()
        if message["kind"] == "article" and "data" in message
    }
    for story in stories.values():
        assert story["bylines"]
        assert story["tags"]
        assert len(story["summary"]) > 20
        assert len([block for block in story["body"] if "text" in block]) >= 2
        assert story["headline"][-1] not in ".,;"
    assert len({story["headline"] for story in stories.values()}) == len(stories)


def test_the_demo_puts_a_photographers_credit_right() -> None:
    found = [message for message in demo_history() if message["uri"] == "news://image/storm-seawall"]
    assert [message["data"]["credit"] for message in found] == [
        "news://byline/tomas-lindqvist",
        "news://byline/mei-tanaka",
    ]
    story = [message for message in demo_history() if message["uri"] == "news://article/storm-night-live"]
    assert story[-1]["tx"] == found[-1]["tx"]
    assert "Mei Tanaka" in story[-1]["data"]["corrections"][0]["text"]


def test_the_demo_leaves_the_reporters_name_alone() -> None:
    names = [message["data"]["name"] for message in demo_history() if message["uri"] == "news://byline/ada-okafor"]
    assert names == ["Ada Okafor"]


def test_the_demos_seed_moves_times_and_not_words() -> None:
    def headlines(seed: int) -> dict[str, str]:
        return {
            message["uri"]: message["data"]["headline"]
            for message in demo_history(seed)
            if message["kind"] == "article" and "data" in message
        }

    assert digest(demo_history(5)) == digest(demo_history(5))
    assert digest(demo_history(5)) != digest(demo_history(6))
    assert headlines(5) == headlines(6)


def test_all_that_the_demos_data_names_is_published() -> None:
    published = {message["uri"] for message in demo_history()}
    data = Path(assets.newsroom.__file__).parent / "demo_data"
    for kind in ("bylines", "tags", "images", "articles"):
        names = [
            line.split('"')[1]
            for line in (data / f"{kind}.toml").read_text("utf-8").splitlines()
            if line[:5] == "id = "
        ]
        assert {f"news://{kind[:-1]}/{name}" for name in names} <= published
        assert len(names) == len(set(names))

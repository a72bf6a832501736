"""A real history: eight years of the 18F blog, against what its git trees say at 21 points in time.

The data lie beside the repository, in shared/data/18f, or where PUBLOG_SHARED says.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
import pytest

from assets.catalog import load_catalog
from assets.codec import Codec
from assets.intake import read_lines
from assets.model import Message, RegisteredSchema, microseconds
from denormalizer.fold import Fold, Shard
from denormalizer.plan import compile_catalog
from denormalizer.view import View
from tests.support.newsroom import SHARED

Json = Any

DATA = SHARED / "data" / "18f"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the 18F history in {DATA} (PUBLOG_SHARED moves it)")


class History:
    """The messages in wire format, and what the views must be at each checkpoint."""

    def __init__(self) -> None:
        catalog = load_catalog(DATA / "catalog")
        registered = [RegisteredSchema(n, kind.name, 1, kind.text) for n, kind in enumerate(catalog.kinds.values(), 1)]
        numbers = {schema.kind: schema.id for schema in registered}
        self.plan = compile_catalog(catalog)
        self.codec = Codec(catalog.kinds, registered)
        self.messages: list[Message] = []
        for offset, event in enumerate(lines("events.jsonl.zst")):
            value = None
            if event["op"] == "publish":
                value = self.codec.encode(event["kind"], numbers[event["kind"]], event["data"])
            time = microseconds(datetime.fromisoformat(event["time"]))
            self.messages.append(Message(offset, event["uri"], time, f"{offset}", event.get("tx"), True, value))
        self.checkpoints = lines("expected.jsonl.zst")


def lines(name: str) -> list[Json]:
    return [orjson.loads(line.text) for line in read_lines(str(DATA / name)) if line.text]


@pytest.fixture(scope="module")
def history() -> History:
    return History()


def contents(views: Iterable[View]) -> dict[str, Json]:
    return {view.uri: json.loads(view.content) for view in views if view.state == "live"}


def digest(content: Json) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("shards", [1, 3])
def test_the_fold_gives_every_checkpoint(history: History, shards: int) -> None:
    folds = [Fold(history.plan, history.codec, shard=Shard(number, shards)) for number in range(shards)]
    views: dict[str, View] = {}
    for checkpoint in history.checkpoints:
        for fold in folds:
            fold.apply(history.messages[: checkpoint["last_event"] + 1])
            for view in fold.emit():
                assert view.uri not in views or views[view.uri].version < view.version
                views[view.uri] = view
        found = contents(views.values())
        if all(isinstance(expected, str) for expected in checkpoint["views"].values()):
            assert {uri: digest(content) for uri, content in found.items()} == checkpoint["views"]
        else:
            assert found == checkpoint["views"]
    assert isinstance(next(iter(history.checkpoints[-1]["views"].values())), dict)
    assert not [letter for fold in folds for letter in fold.dead_letters]

    once = Fold(history.plan, history.codec)
    once.apply(history.messages)
    assert {view.uri: view for view in once.emit()} == views


def test_emission_at_every_commit_ends_in_the_same_bytes(history: History) -> None:
    stream = Fold(history.plan, history.codec)
    views: dict[str, View] = {}
    for message in history.messages:
        stream.apply([message])
        views.update((view.uri, view) for view in stream.emit())
    once = Fold(history.plan, history.codec)
    once.apply(history.messages)
    assert {view.uri: view for view in once.emit()} == views

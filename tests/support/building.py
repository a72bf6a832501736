"""From a catalog's files and plain messages to what the fold takes: payloads in wire format, at their offsets."""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from pprint import pformat
from typing import Any

from assets.catalog import parse_catalog
from assets.codec import Codec
from assets.model import Message, RegisteredSchema
from assets.schema import Kind
from assets.schema_reader import parse_kind
from denormalizer.expansion import Bounds
from denormalizer.fold import Fold, Shard
from denormalizer.plan import compile_catalog
from denormalizer.view import View
from tests.support.oracle import Oracle

Json = Any
UNKNOWN_SCHEMA = 99
TIME = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z, when every message was published."""


class Publication:
    """A catalog and a log written with it: what the oracle and the fold are both given."""

    def __init__(
        self, files: Mapping[str, str], messages: Sequence[Json], older: Mapping[str, str] | None = None
    ) -> None:
        """`older` has a kind's earlier schema; a message with `"older": True` was written with it."""
        self.files = files
        self.plain = list(messages)
        self.older = dict(older or {})
        self.catalog = parse_catalog(files)
        self.plan = compile_catalog(self.catalog)
        self.schemas: list[RegisteredSchema] = []
        self._writers: dict[tuple[str, bool], tuple[int, Codec]] = {}
        for kind in self.catalog.kinds.values():
            self._register(kind, is_older=False)
        for name, text in self.older.items():
            kind = parse_kind(name, text, {})
            if kind.text == self.catalog.kinds[name].text:
                self._writers[name, True] = self._writers[name, False]
            else:
                self._register(kind, is_older=True)
        self.codec = Codec(self.catalog.kinds, self.schemas)
        self._oracle = Oracle(files)
        self._expected: dict[int, dict[tuple[str, str], Json]] = {}
        self.messages = [self._message(offset, message) for offset, message in enumerate(self.plain)]

    def with_messages(self, messages: Sequence[Json]) -> "Publication":
        """Other messages under the same catalog."""
        other = copy.copy(self)
        other.plain = list(messages)
        other._expected = {}
        other.messages = [other._message(offset, message) for offset, message in enumerate(other.plain)]
        return other

    def expected(self, watermark: int) -> dict[tuple[str, str], Json]:
        """Every view at a watermark, as the oracle says."""
        if watermark not in self._expected:
            self._expected[watermark] = self._oracle.views_at(self.plain, watermark)
        return self._expected[watermark]

    def __repr__(self) -> str:
        """What makes it again: to be pasted into a test as an example."""
        older = {name: text for name, text in self.older.items() if any(message.get("older") for message in self.plain)}
        return f"Publication(\n{pformat(dict(self.files), width=110)},\n{pformat(self.plain, width=110, sort_dicts=False)},\n{older})"

    def fold(
        self, shard: Shard = Shard(), bounds: Bounds = Bounds(), *, contiguous: bool = True, compiled: bool = True
    ) -> Fold:
        codec = self.codec if compiled else Codec(self.catalog.kinds, self.schemas, compiled=False)
        return Fold(self.plan, codec, shard=shard, bounds=bounds, contiguous=contiguous)

    def folds(self, count: int, bounds: Bounds = Bounds()) -> list[Fold]:
        """One for each of so many shards."""
        return [self.fold(Shard(number, count), bounds) for number in range(count)]

    def _register(self, kind: Kind, *, is_older: bool) -> None:
        number = len(self.schemas) + 1
        self.schemas.append(RegisteredSchema(number, kind.name, 1 + is_older, kind.text))
        self._writers[kind.name, is_older] = number, Codec({kind.name: kind}, [])

    def _message(self, offset: int, message: Json) -> Message:
        tx = message.get("tx")
        following = self.plain[offset + 1].get("tx") if offset + 1 < len(self.plain) else None
        value = None if message["op"] == "unpublish" else self._payload(message)
        return Message(offset, message["uri"], TIME, str(offset), tx, tx is None or tx != following, value)

    def _payload(self, message: Json) -> bytes:
        kind = message["kind"]
        number, codec = self._writers[kind, message.get("older", False)]
        value = codec.encode(kind, number, copy.deepcopy(message["data"]))
        if message["op"] == "publish":
            return value
        match message["poison"]:
            case "bad-framing":
                return b"\1" + value[1:]
            case "unknown-schema":
                return value[:1] + UNKNOWN_SCHEMA.to_bytes(4, "big") + value[5:]
            case "kind-mismatch":
                other = next(schema.id for schema in self.schemas if schema.kind != kind)
                return value[:1] + other.to_bytes(4, "big") + value[5:]
            case "too-short":
                return value[:-1]
            case "too-long":
                return value + b"\0"
        raise AssertionError(message["poison"])


POISON = {
    "bad-framing": "bad-framing",
    "unknown-schema": "unknown-schema",
    "kind-mismatch": "kind-mismatch",
    "too-short": "malformed-avro",
    "too-long": "malformed-avro",
}
"""Ways to break a payload, and the code that each is counted by."""


def record(view: View) -> Json:
    """A view as the oracle gives it."""
    return {
        "view": view.view,
        "uri": view.uri,
        "version": view.version,
        "state": view.state,
        "content": json.loads(view.content, object_pairs_hook=_without_repetition),
        "sources": json.loads(view.sources, object_pairs_hook=_without_repetition),
    }


def same(view: View, expected: Json) -> bool:
    """Whether a view is what the oracle says, the order of fields included."""
    wanted = {name: value for name, value in expected.items() if name != "nodes"}
    return json.dumps(record(view)) == json.dumps(wanted)


def assert_same(view: View, expected: Json) -> None:
    shown = record(view)
    wanted = {name: value for name, value in expected.items() if name != "nodes"}
    assert shown == wanted
    assert json.dumps(shown["content"]) == json.dumps(wanted["content"])


def by_key(views: Iterable[View]) -> dict[tuple[str, str], View]:
    """Views by name and root's URI; each may come once."""
    found: dict[tuple[str, str], View] = {}
    for view in views:
        assert (view.view, view.uri) not in found, f"{view.view} {view.uri} was emitted twice"
        found[view.view, view.uri] = view
    return found


def _without_repetition(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    assert len(made) == len(pairs), f"a name stands twice in {pairs}"
    return made

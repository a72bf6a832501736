"""The oracle: what every view must be, computed as simply and slowly as DESIGN 2 and 4 read.

It takes a catalog's raw files and plain messages, and nothing of the code under test: no cache, no index, no plan.
A view at an offset is made from the messages up to there, each time anew.

A message is a dict: `uri`, `kind`, `op` (`publish`, `unpublish`, or `poison`: one that nobody can read) and the `data`
as a publisher writes it (timestamps as RFC 3339 in UTC, the way views show them). Its offset is its place in the list.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEFT_OUT = object()
"""What stands for a reference whose target is not there."""

Json = Any
Hop = tuple[str, ...]
"""The field names from an asset to one of its references."""


class Oracle:
    """Knows a catalog's raw files."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.schemas: dict[str, Json] = {}
        for name, text in files.items():
            kind = name.removeprefix("kinds/").removesuffix(".avsc")
            if name.endswith(".avsc") and "." not in kind:
                self.schemas[kind] = resolve(json.loads(text), {})
        self.views: dict[str, Json] = tomllib.loads(files["views.toml"]).get("views", {})

    def views_at(self, messages: Sequence[Json], watermark: int) -> dict[tuple[str, str], Json]:
        """Every view at a watermark, by its name and its root's URI; `nodes` counts the assets it looked up."""
        latest: dict[str, tuple[int, Json]] = {}
        for offset, message in enumerate(messages[: watermark + 1]):
            if message["op"] == "publish":
                latest[message["uri"]] = (offset, filled(self.schemas[message["kind"]], message["data"]))
            elif message["op"] == "unpublish":
                latest[message["uri"]] = (offset, None)
        return {
            (name, uri): self.view(name, uri, latest)
            for name, view in self.views.items()
            for uri in latest
            if kind_of(uri) == view["root"]
        }

    def view(self, name: str, uri: str, latest: Mapping[str, tuple[int, Json]]) -> Json:
        """One view over the latest assets."""
        offset, data = latest[uri]
        expansion = _Expansion(self, self.views[name], latest)
        sources: dict[str, int | None] = {uri: offset}
        content = {} if data is None else expansion.asset(uri, (), (uri,), sources)
        return {
            "view": name,
            "uri": uri,
            "version": max(offset for offset in sources.values() if offset is not None),
            "state": "gone" if data is None else "live",
            "content": content,
            "sources": sources,
            "nodes": expansion.nodes,
        }


class _Expansion:
    def __init__(self, oracle: Oracle, view: Json, latest: Mapping[str, tuple[int, Json]]) -> None:
        self.oracle = oracle
        self.view = view
        self.latest = latest
        self.nodes = 1

    def asset(self, uri: str, way: tuple[Hop, ...], ancestors: tuple[str, ...], sources: dict[str, int | None]) -> Json:
        kind = kind_of(uri)
        _, data = self.latest[uri]
        shown = {"uri": uri}
        for field in self.oracle.schemas[kind]["fields"]:
            name = field["name"]
            if name in self.view.get("fields", {}).get(kind, [name]):
                shown[name] = self.single(field["type"], data[name], way, (name,), ancestors, sources)
        return shown

    def single(self, *arguments: Any) -> Json:
        """A value that stands alone, not in an array: of a target that is not there, null."""
        shown = self.value(*arguments)
        return None if shown is LEFT_OUT else shown

    def value(
        self,
        schema: Json,
        value: Json,
        way: tuple[Hop, ...],
        hop: Hop | None,
        ancestors: tuple[str, ...],
        sources: dict[str, int | None],
    ) -> Json:
        """A value as a view shows it. `hop` is None inside a map: no path leads there."""
        schema = branch_of(schema, value)
        if value is None:
            return None
        if is_type(schema, "record"):
            return {
                field["name"]: self.single(
                    field["type"], value[field["name"]], way, hop and (*hop, field["name"]), ancestors, sources
                )
                for field in schema["fields"]
            }
        if is_type(schema, "map"):
            return {
                key: self.value(schema["values"], item, way, None, ancestors, sources) for key, item in value.items()
            }
        if is_type(schema, "array"):
            items = [self.value(schema["items"], item, way, hop, ancestors, sources) for item in value]
            return [item for item in items if item is not LEFT_OUT]
        if is_reference(schema) and hop is not None and self.is_expanded((*way, hop)):
            return self.reference(schema, value, (*way, hop), ancestors, sources)
        return value

    def reference(
        self,
        schema: Json,
        uri: str,
        way: tuple[Hop, ...],
        ancestors: tuple[str, ...],
        sources: dict[str, int | None],
    ) -> Json:
        if uri in ancestors or len(way) > self.view.get("depth", 8):
            return {"uri": uri}
        self.nodes += 1
        if is_uri(uri) and kind_of(uri) not in schema["kinds"]:
            # Nothing that could ever be published stands here: the gateway refuses such a reference.
            return LEFT_OUT
        offset, data = self.latest.get(uri, (None, None))
        sources[uri] = offset
        if data is None:
            return LEFT_OUT
        return self.asset(uri, way, (*ancestors, uri), sources)

    def is_expanded(self, way: tuple[Hop, ...]) -> bool:
        return any(is_on(path, way) for path in self.view.get("expand", []))


def is_on(path: str, way: tuple[Hop, ...]) -> bool:
    """Whether the last reference of a way from the root is one that this path expands."""
    steps = tuple(path.removesuffix("*").split("."))
    taken = [step for hop in way for step in hop]
    if tuple(taken) == steps[: len(taken)]:
        return True
    if not path.endswith("*"):
        return False
    # Behind the whole path, its last step again and again, each time a direct field of an asset.
    before = list(way)
    while len([step for hop in before for step in hop]) > len(steps):
        if before.pop() != steps[-1:]:
            return False
    return tuple(step for hop in before for step in hop) == steps


def is_uri(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9+.-]*://\w+/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{1,512}", text, re.ASCII) is not None


def kind_of(uri: str) -> str:
    return uri.partition("://")[2].partition("/")[0]


def resolve(schema: Json, named: dict[str, Json]) -> Json:
    """A schema with every name replaced by what it names."""
    if isinstance(schema, str):
        return named.get(schema, schema)
    if isinstance(schema, list):
        return [resolve(branch, named) for branch in schema]
    if not isinstance(schema["type"], str):
        return resolve(schema["type"], named)
    made = dict(schema)
    if schema["type"] == "record":
        made["fields"] = [{**field, "type": resolve(field["type"], named)} for field in schema["fields"]]
    for inner in ("items", "values"):
        if inner in schema:
            made[inner] = resolve(schema[inner], named)
    if "name" in schema:
        named[schema["name"]] = made
    return made


def is_type(schema: Json, name: str) -> bool:
    return schema == name or (isinstance(schema, dict) and schema["type"] == name)


def is_reference(schema: Json) -> bool:
    return isinstance(schema, dict) and schema.get("logicalType") == "asset-ref"


def branches(schema: Json) -> Iterator[Json]:
    yield from schema if isinstance(schema, list) else [schema]


def branch_of(schema: Json, value: Json) -> Json:
    """Which branch of a union a value is of; of records the one that knows all its fields."""
    for branch in branches(schema):
        if value is None:
            fits = is_type(branch, "null")
        elif isinstance(value, dict):
            fits = is_type(branch, "map") or (
                is_type(branch, "record") and value.keys() <= {field["name"] for field in branch["fields"]}
            )
        elif isinstance(value, list):
            fits = is_type(branch, "array")
        elif isinstance(value, str):
            fits = any(is_type(branch, name) for name in ("string", "enum", "bytes")) or is_time(branch)
        else:
            fits = any(is_type(branch, name) for name in ("boolean", "int", "long", "float", "double"))
        if fits:
            return branch
    raise AssertionError(f"{value!r} is of no branch of {schema!r}")


def is_time(schema: Json) -> bool:
    return isinstance(schema, dict) and schema.get("logicalType") in ("timestamp-millis", "timestamp-micros", "date")


def filled(schema: Json, value: Json) -> Json:
    """A value with the schema's fields in the schema's order: its own, or the default."""
    schema = branch_of(schema, value)
    if is_type(schema, "record"):
        return {
            field["name"]: filled(field["type"], value[field["name"]])
            if field["name"] in value
            else default_of(field["type"], field["default"])
            for field in schema["fields"]
        }
    if is_type(schema, "array"):
        return [filled(schema["items"], item) for item in value]
    if is_type(schema, "map"):
        return {key: filled(schema["values"], item) for key, item in value.items()}
    return value


def default_of(schema: Json, default: Json) -> Json:
    """A default, which the schema states as numbers where a publisher writes a time, as a publisher would write it."""
    if default is None:
        return None
    for branch in branches(schema):
        if is_time(branch) and isinstance(default, int):
            if branch["logicalType"] == "date":
                return (date(1970, 1, 1) + timedelta(days=default)).isoformat()
            scale = 1000 if branch["logicalType"] == "timestamp-millis" else 1
            return (EPOCH + timedelta(microseconds=default * scale)).isoformat().replace("+00:00", "Z")
        if is_type(branch, "record") and isinstance(default, dict):
            return {
                field["name"]: default_of(field["type"], default.get(field["name"], field.get("default")))
                for field in branch["fields"]
            }
        if is_type(branch, "array") and isinstance(default, list):
            return [default_of(branch["items"], item) for item in default]
        if is_type(branch, "map") and isinstance(default, dict):
            return {key: default_of(branch["values"], item) for key, item in default.items()}
    return default

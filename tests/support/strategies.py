"""Random small catalogs, and logs for them in which everything meets: cycles, holes, returns, poison.

What a field's name begins with says what it is, in every kind alike, so that any path of names means something:
`p q r` are references, `n o` records or arrays of them, `m` maps of records, all others plain values.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.support.building import POISON, Publication

Json = Any
Draw = Callable[..., Any]

REFERENCES = ("p", "q", "r")
RECORDS = ("n", "o")
IDS = ("1", "2", "3%2F:x")
NOBODY = "nobody"
"""An id that is referred to and never published."""

_TEXTS = ("one", "", 'quo"te\\', "é\u2028\U0001f5de", "nul\0", "</script>")
_TIMES = ("2026-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-11-23T09:00:00.123000Z")
_DATES = ("2026-01-01", "1969-12-31")


class World(NamedTuple):
    """A catalog: its files, and an earlier schema of some kinds."""

    files: dict[str, str]
    older: dict[str, str]
    schemas: dict[str, Json]


@st.composite
def publications(draw: Draw, *, messages_max: int = 24, poison: bool = True) -> Publication:
    """A catalog and a log."""
    world: World = draw(catalogs())
    return Publication(world.files, draw(logs(world, messages_max=messages_max, poison=poison)), world.older)


# ------------------------------------------------------------------------------------------------------------ catalogs


@st.composite
def catalogs(draw: Draw) -> World:
    """A few kinds that refer to each other, and views over them."""
    kinds = ["a", "b", "c"][: draw(st.integers(1, 3))]
    schemas = {kind: _Schemas(draw, kinds).kind(kind) for kind in kinds}
    older = {kind: json.dumps(_aged(draw, schema)) for kind, schema in schemas.items() if draw(st.booleans())}
    views = ["view", "view-2", "w"][: draw(st.integers(1, 3))]
    files = {f"kinds/{kind}.avsc": json.dumps(schema) for kind, schema in schemas.items()}
    files["views.toml"] = "\n".join(_view(draw, name, schemas) for name in views)
    return World(files, older, schemas)


class _Schemas:
    """Draws one kind's schema."""

    def __init__(self, draw: Draw, kinds: list[str]) -> None:
        self._draw = draw
        self._kinds = kinds
        self._named = 0

    def kind(self, kind: str) -> Json:
        fields = [{"name": "key", "type": "string"}]
        fields += self._fields(nesting=0)
        return {"type": "record", "name": kind, "fields": self._draw(st.permutations(fields))}

    def _fields(self, nesting: int) -> list[Json]:
        draw = self._draw
        fields = [self._reference(name) for name in REFERENCES if draw(st.integers(0, 2)) > 0]
        fields += [self._plain(name) for name in ("s", "t") if draw(st.booleans())]
        if nesting < 2:
            fields += [self._record(name, nesting) for name in RECORDS if draw(st.integers(0, 3)) == 0]
        if nesting == 0 and draw(st.integers(0, 5)) == 0:
            fields.append({"name": "m", "type": {"type": "map", "values": self._a_record(nesting)}})
        return fields

    def _reference(self, name: str) -> Json:
        kinds = self._draw(st.lists(st.sampled_from(self._kinds), min_size=1, max_size=2, unique=True))
        one = {"type": "string", "logicalType": "asset-ref", "kinds": kinds}
        many = {"type": "array", "items": one}
        shape = self._draw(st.integers(0, 7))
        match shape:
            case 0:
                return {"name": name, "type": one}
            case 1 | 2:
                return {"name": name, "type": ["null", one], "default": None}
            case 3 | 4:
                return {"name": name, "type": many, "default": []}
            case 5:
                return {"name": name, "type": ["null", many], "default": None}
            case 6:
                return {"name": name, "type": {"type": "array", "items": ["null", one]}}
            case _:
                return {"name": name, "type": {"type": "array", "items": many}}

    def _plain(self, name: str) -> Json:
        time = {"type": "long", "logicalType": "timestamp-millis"}
        made: Json = self._draw(
            st.sampled_from(
                [
                    {"type": "string"},
                    {"type": "string", "default": "né"},
                    {"type": "long", "default": 7},
                    {"type": ["null", "string"], "default": None},
                    {"type": ["null", "double", "string"], "default": None},
                    {"type": {"type": "enum", "name": "*", "symbols": ["one", "two"]}, "default": "two"},
                    {"type": {"type": "map", "values": "string"}, "default": {"k": "v"}},
                    {"type": {"type": "array", "items": "string"}},
                    {"type": "boolean", "default": True},
                    {"type": time},
                    {"type": time, "default": 1000},
                    {"type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": None},
                    {"type": {"type": "int", "logicalType": "date"}, "default": 1},
                ]
            )
        )
        if isinstance(made["type"], dict) and made["type"].get("name") == "*":
            made = {**made, "type": {**made["type"], "name": self._name()}}
        return {"name": name, **made}

    def _record(self, name: str, nesting: int) -> Json:
        one = self._a_record(nesting)
        match self._draw(st.integers(0, 5)):
            case 0:
                return {"name": name, "type": one}
            case 1:
                return {"name": name, "type": ["null", one], "default": None}
            case 2:
                return {"name": name, "type": {"type": "array", "items": one}, "default": []}
            case 3:
                return {"name": name, "type": self._two_records(one)}
            case 4:
                return {"name": name, "type": {"type": "array", "items": self._two_records(one)}}
            case _:
                return {"name": name, "type": ["null", *self._two_records(one)], "default": None}

    def _a_record(self, nesting: int) -> Json:
        name = self._name()
        fields = [{"name": f"only_{name}", "type": "int"}, *self._fields(nesting + 1)]
        return {"type": "record", "name": name, "fields": fields}

    def _two_records(self, one: Json) -> list[Json]:
        """A union: the other has fields of the same names in another order, and more."""
        name = self._name()
        shared = [field for field in one["fields"] if field["name"] in REFERENCES]
        other = [{"name": f"only_{name}", "type": "int"}, *self._draw(st.permutations(shared))]
        return [one, {"type": "record", "name": name, "fields": other}]

    def _name(self) -> str:
        self._named += 1
        return f"N{self._named}"


def _aged(draw: Draw, schema: Json) -> Json:
    """An earlier version of a schema: fields in another order, some that have a default not there yet."""
    if isinstance(schema, list):
        return [_aged(draw, branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    aged = {**schema}
    for inner in ("items", "values"):
        if inner in schema:
            aged[inner] = _aged(draw, schema[inner])
    if schema["type"] == "record":
        fields = [
            {**field, "type": _aged(draw, field["type"])}
            for field in schema["fields"]
            if "default" not in field or draw(st.booleans())
        ]
        aged["fields"] = draw(st.permutations(fields))
    return aged


def _view(draw: Draw, name: str, schemas: Mapping[str, Json]) -> str:
    root = draw(st.sampled_from(sorted(schemas)))
    paths = [path for _ in range(draw(st.integers(0, 3))) if (path := _path(draw, schemas, root))]
    lines = [f"[views.{name}]", f'root = "{root}"', f"expand = {json.dumps(paths)}"]
    depth = draw(st.sampled_from([None, 0, 1, 2, 3, 4]))
    if depth is not None:
        lines.append(f"depth = {depth}")
    for kind, schema in schemas.items():
        if draw(st.integers(0, 3)) == 0:
            names = [field["name"] for field in schema["fields"]]
            chosen = draw(st.lists(st.sampled_from(["uri", *names]), unique=True))
            lines.append(f"fields.{kind} = {json.dumps(chosen)}")
    return "\n".join(lines) + "\n"


def _path(draw: Draw, schemas: Mapping[str, Json], root: str) -> str | None:
    """A walk along names from the root to some reference; None where there is none."""
    steps: list[str] = []
    places = [schemas[root]]
    while True:
        options = sorted({name for place in places for name in _leading(place)})
        if not options:
            return None
        step = draw(st.sampled_from(options))
        steps.append(step)
        found = [inner for place in places for inner in _inside(_field(place, step))]
        if step in RECORDS:
            places = found
            continue
        direct = all(place in schemas.values() for place in places)
        places = [schemas[kind] for kind in dict.fromkeys(kind for reference in found for kind in reference["kinds"])]
        if len(steps) > 5 or draw(st.booleans()) or not any(True for place in places for _ in _leading(place)):
            return ".".join(steps) + ("*" if direct and draw(st.booleans()) else "")


def _field(place: Json, name: str) -> Json:
    return next((field["type"] for field in place["fields"] if field["name"] == name), [])


def _inside(schema: Json) -> Iterator[Json]:
    """The records and references in a type, through arrays and unions."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _inside(branch)
    elif isinstance(schema, dict):
        if schema["type"] == "array":
            yield from _inside(schema["items"])
        else:
            yield schema


def _leading(place: Json) -> Iterator[str]:
    """The names of a record's fields that are references or have some inside."""
    for field in place["fields"]:
        name = field["name"]
        if name in REFERENCES or (
            name in RECORDS and any(True for inner in _inside(field["type"]) for _ in _leading(inner))
        ):
            yield name


# ---------------------------------------------------------------------------------------------------------------- logs


@st.composite
def logs(draw: Draw, world: World, *, messages_max: int = 24, poison: bool = True) -> list[Json]:
    """Plain messages, for the oracle and for `Publication`."""
    uris = [(kind, f"x://{kind}/{id_}") for kind in world.schemas for id_ in IDS]
    messages: list[Json] = []
    for number in range(draw(st.integers(1, messages_max))):
        kind, uri = draw(st.sampled_from(uris))
        message: Json = {"uri": uri, "kind": kind, "tx": f"tx{number // 3}" if draw(st.integers(0, 3)) == 0 else None}
        op = draw(st.integers(0, 9))
        if op >= 8:
            messages.append({**message, "op": "unpublish"})
            continue
        older = kind in world.older and draw(st.booleans())
        schema = json.loads(world.older[kind]) if older else world.schemas[kind]
        data = _Data(draw, list(world.schemas), number).value(schema)
        if poison and op == 7:
            ways = sorted(POISON if len(world.schemas) > 1 else POISON.keys() - {"kind-mismatch"})
            messages.append({**message, "op": "poison", "poison": draw(st.sampled_from(ways)), "data": data})
        else:
            messages.append({**message, "op": "publish", "older": older, "data": data})
    return messages


class _Data:
    """Draws values. Plain ones come from the message's number, so that every version of an asset differs."""

    def __init__(self, draw: Draw, kinds: list[str], number: int) -> None:
        self._draw = draw
        self._kinds = kinds
        self._number = number

    def value(self, schema: Json) -> Json:
        draw, number = self._draw, self._number
        if isinstance(schema, list):
            return self.value(schema[draw(st.integers(0, len(schema) - 1))])
        type_ = schema if isinstance(schema, str) else schema["type"]
        logical = None if isinstance(schema, str) else schema.get("logicalType")
        match type_, logical:
            case "record", _:
                return {
                    field["name"]: f"{number}" if field["name"] == "key" else self.value(field["type"])
                    for field in schema["fields"]
                    if "default" not in field or draw(st.integers(0, 3)) > 0
                }
            case "array", _:
                return [self.value(schema["items"]) for _ in range(draw(st.integers(0, 2)))]
            case "map", _:
                return {_TEXTS[(number + n) % len(_TEXTS)]: self.value(schema["values"]) for n in range(number % 3)}
            case "enum", _:
                return schema["symbols"][number % len(schema["symbols"])]
            case "string", "asset-ref":
                return self._reference(schema["kinds"])
            case "long", "timestamp-millis" | "timestamp-micros":
                return _TIMES[number % len(_TIMES)]
            case "int", "date":
                return _DATES[number % len(_DATES)]
            case "string", _:
                return _TEXTS[number % len(_TEXTS)]
            case "boolean", _:
                return number % 2 == 0
            case "double", _:
                return number / 4
            case "null", _:
                return None
        return number

    def _reference(self, kinds: list[str]) -> str:
        # Now and then a kind that may not stand there: the gateway refuses it, a log may hold it all the same.
        where = kinds if self._draw(st.integers(0, 24)) else self._kinds
        return f"x://{self._draw(st.sampled_from(where))}/{self._draw(st.sampled_from([*IDS, *IDS, NOBODY]))}"

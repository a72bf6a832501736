"""Random small catalogs, and logs for them in which everything meets: cycles, holes, returns, poison.

Hypothesis draws a seed and a length, a plain generator does the rest: whole catalogs drawn piece by piece resemble
each other too much and shrink too slowly. A failing example prints as code that makes it again.

What a field's name begins with says what it is, in every kind alike, so that any path of names means something:
`p q r` are references, `n o` records or arrays of them, `m` maps of records, all others plain values.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st

from tests.support.building import POISON, Publication

Json = Any
T = TypeVar("T")

REFERENCES = ("p", "q", "r")
RECORDS = ("n", "o")
IDS = ("1", "2%2F:x", "3")
NOBODY = "nobody"
"""An id that is referred to and never published."""
MESSAGES_MAX = 24

_TEXTS = ("one", "", 'quo"te\\', "é\u2028\U0001f5de", "nul\0", "</script>")
_TIMES = ("2026-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-11-23T09:00:00.123000Z")
_DATES = ("2026-01-01", "1969-12-31")
_TIME = {"type": "long", "logicalType": "timestamp-millis"}
_PLAIN: tuple[Json, ...] = (
    {"type": "string"},
    {"type": "string", "default": "né"},
    {"type": "long", "default": 7},
    {"type": ["null", "string"], "default": None},
    {"type": ["null", "double", "string"], "default": None},
    {"type": {"type": "enum", "name": "*", "symbols": ["one", "two"]}, "default": "two"},
    {"type": {"type": "map", "values": "string"}, "default": {"k": "v"}},
    {"type": {"type": "array", "items": "string"}},
    {"type": "bytes", "default": "\u00ff"},
    {"type": "boolean", "default": True},
    {"type": _TIME},
    {"type": _TIME, "default": 1000},
    {"type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": None},
    {"type": {"type": "int", "logicalType": "date"}, "default": 1},
)


class World(NamedTuple):
    """A catalog: its files, and an earlier schema of some kinds."""

    files: dict[str, str]
    older: dict[str, str]
    schemas: dict[str, Json]


def publications(*, poison: bool = True) -> st.SearchStrategy[Publication]:
    """A catalog and a log."""
    return st.builds(publication, st.integers(0, 2**32 - 1), st.integers(0, MESSAGES_MAX - 1), st.just(poison))


def publication(seed: int, left_out: int, poison: bool = True) -> Publication:
    """Of one seed, the messages to the end or, for what is smaller, without so many of the last."""
    choose = Choices(Random(seed))
    world = catalog(choose)
    messages = [message(choose, world, number, poison=poison) for number in range(MESSAGES_MAX)]
    return Publication(world.files, messages[: MESSAGES_MAX - left_out], world.older)


class Choices:
    """What a generator asks of chance."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def one(self, options: Sequence[T]) -> T:
        return options[self._random.randrange(len(options))]

    def some(self, options: Sequence[T], at_most: int) -> list[T]:
        """At least one, in any order."""
        return self._random.sample(options, self._random.randint(1, min(at_most, len(options))))

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return self._random.sample(items, len(items))

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def number(self, least: int, most: int) -> int:
        return self._random.randint(least, most)


# ------------------------------------------------------------------------------------------------------------ catalogs


def catalog(choose: Choices) -> World:
    """A few kinds that refer to each other, and views over them."""
    kinds = ["a", "b", "c"][: choose.number(1, 3)]
    schemas = {kind: _Schemas(choose, kinds).kind(kind) for kind in kinds}
    older = {kind: json.dumps(_aged(choose, schema)) for kind, schema in schemas.items() if choose.chance(50)}
    files = {f"kinds/{kind}.avsc": json.dumps(schema) for kind, schema in schemas.items()}
    names = ["view", "view-2", "w"][: choose.number(1, 3)]
    files["views.toml"] = "\n".join(_view(choose, name, schemas) for name in names)
    return World(files, older, schemas)


class _Schemas:
    """Makes one kind's schema."""

    def __init__(self, choose: Choices, kinds: list[str]) -> None:
        self._choose = choose
        self._kinds = kinds
        self._named = 0

    def kind(self, kind: str) -> Json:
        fields = [{"name": "key", "type": "string"}, *self._fields(nesting=0)]
        return {"type": "record", "name": kind, "fields": self._choose.shuffled(fields)}

    def _fields(self, nesting: int) -> list[Json]:
        choose = self._choose
        fields = [self._reference(name) for name in REFERENCES if choose.chance(65)]
        fields += [self._plain(name) for name in ("s", "t") if choose.chance(40)]
        if nesting < 2:
            fields += [self._record(name, nesting) for name in RECORDS if choose.chance(25)]
        if nesting == 0 and choose.chance(15):
            fields.append({"name": "m", "type": {"type": "map", "values": self._a_record(nesting)}})
        return fields

    def _reference(self, name: str) -> Json:
        one = {"type": "string", "logicalType": "asset-ref", "kinds": self._choose.some(self._kinds, 2)}
        many = {"type": "array", "items": one}
        return {
            "name": name,
            **self._choose.one(
                [
                    {"type": one},
                    {"type": ["null", one], "default": None},
                    {"type": ["null", one], "default": None},
                    {"type": many, "default": []},
                    {"type": many, "default": []},
                    {"type": ["null", many], "default": None},
                    {"type": {"type": "array", "items": ["null", one]}},
                    {"type": {"type": "array", "items": many}},
                ]
            ),
        }

    def _plain(self, name: str) -> Json:
        made = self._choose.one(_PLAIN)
        if isinstance(made["type"], dict) and made["type"].get("name") == "*":
            made = {**made, "type": {**made["type"], "name": self._name()}}
        return {"name": name, **made}

    def _record(self, name: str, nesting: int) -> Json:
        one = self._a_record(nesting)
        match self._choose.number(0, 5):
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
        """A union: the other has fields of the same names in another order, and one more."""
        name = self._name()
        shared = [field for field in one["fields"] if field["name"] in REFERENCES]
        other = [{"name": f"only_{name}", "type": "int"}, *self._choose.shuffled(shared)]
        return [one, {"type": "record", "name": name, "fields": other}]

    def _name(self) -> str:
        self._named += 1
        return f"N{self._named}"


def _aged(choose: Choices, schema: Json) -> Json:
    """An earlier version of a schema: fields in another order, some that have a default not there yet."""
    if isinstance(schema, list):
        return [_aged(choose, branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    aged = {**schema}
    for inner in ("items", "values"):
        if inner in schema:
            aged[inner] = _aged(choose, schema[inner])
    if schema["type"] == "record":
        fields = [
            {**field, "type": _aged(choose, field["type"])}
            for field in schema["fields"]
            if "default" not in field or choose.chance(50)
        ]
        aged["fields"] = choose.shuffled(fields)
    return aged


def _view(choose: Choices, name: str, schemas: Mapping[str, Json]) -> str:
    root = choose.one(sorted(schemas))
    paths = [path for _ in range(choose.number(0, 4)) if (path := _path(choose, schemas, root))]
    lines = [f"[views.{name}]", f'root = "{root}"', f"expand = {json.dumps(paths)}"]
    depth = choose.one([None, 0, 1, 2, 2, 3, 3, 4])
    if depth is not None:
        lines.append(f"depth = {depth}")
    for kind, schema in schemas.items():
        if choose.chance(20):
            names = ["uri", *(field["name"] for field in schema["fields"])]
            lines.append(f"fields.{kind} = {json.dumps(choose.some(names, len(names)))}")
    return "\n".join(lines) + "\n"


def _path(choose: Choices, schemas: Mapping[str, Json], root: str) -> str | None:
    """A walk along names from the root to some reference; None where there is none."""
    steps: list[str] = []
    places = [schemas[root]]
    while True:
        options = sorted({name for place in places for name in _leading(place)})
        if not options:
            return None
        step = choose.one(options)
        steps.append(step)
        found = [inner for place in places for inner in _inside(_field(place, step))]
        if step in RECORDS:
            places = found
            continue
        direct = all(place in schemas.values() for place in places)
        places = [schemas[kind] for kind in dict.fromkeys(kind for reference in found for kind in reference["kinds"])]
        if len(steps) > 4 or choose.chance(50) or not any(True for place in places for _ in _leading(place)):
            return ".".join(steps) + ("*" if direct and choose.chance(40) else "")


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


def message(choose: Choices, world: World, number: int, *, poison: bool) -> Json:
    """A plain message, for the oracle and for `Publication`."""
    kind = choose.one(sorted(world.schemas))
    made: Json = {
        "uri": f"x://{kind}/{choose.one(IDS)}",
        "kind": kind,
        "tx": f"tx{number // 3}" if choose.chance(25) else None,
    }
    what = choose.number(1, 100)
    if what <= 15:
        return {**made, "op": "unpublish"}
    older = kind in world.older and choose.chance(40)
    schema = json.loads(world.older[kind]) if older else world.schemas[kind]
    data = _Data(choose, sorted(world.schemas), number).value(schema)
    if poison and what <= 22:
        ways = sorted(POISON if len(world.schemas) > 1 else POISON.keys() - {"kind-mismatch"})
        return {**made, "op": "poison", "poison": choose.one(ways), "older": older, "data": data}
    return {**made, "op": "publish", "older": older, "data": data}


class _Data:
    """Makes values. Plain ones come from the message's number, so that every version of an asset differs."""

    def __init__(self, choose: Choices, kinds: list[str], number: int) -> None:
        self._choose = choose
        self._kinds = kinds
        self._number = number

    def value(self, schema: Json) -> Json:
        choose, number = self._choose, self._number
        if isinstance(schema, list):
            holding = [branch for branch in schema if branch != "null"]
            return None if "null" in schema and choose.chance(20) else self.value(choose.one(holding))
        type_ = schema if isinstance(schema, str) else schema["type"]
        logical = None if isinstance(schema, str) else schema.get("logicalType")
        match type_, logical:
            case "record", _:
                return {
                    field["name"]: f"{number}" if field["name"] == "key" else self.value(field["type"])
                    for field in schema["fields"]
                    if "default" not in field or choose.chance(85)
                }
            case "array", _:
                return [self.value(schema["items"]) for _ in range(choose.one([0, 1, 1, 2, 2, 3]))]
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
            case "bytes", _:
                return "\0\u00fe"[number % 2 :]
            case "boolean", _:
                return number % 2 == 0
            case "double", _:
                return number / 4
        return number

    def _reference(self, kinds: list[str]) -> str:
        choose = self._choose
        if choose.chance(97):
            return f"x://{choose.one(kinds)}/{NOBODY if choose.chance(8) else choose.one(IDS)}"
        # The gateway refuses these; a log may hold them all the same.
        return choose.one(['", "uri": "x://a/1', "nothing", "", *(f"x://{kind}/1" for kind in self._kinds)])

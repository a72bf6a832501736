"""What a view is: its root, its paths, and the types that stand in its content."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from assets.schema import Kind, Record, Type, reference_at, step_into

DEPTH_DEFAULT: Final = 8
"""References away from its root at which a view ends unless it says otherwise."""


@dataclass(frozen=True)
class Search:
    """What a view's documents are searched by. Paths are dotted field names from the view's content."""

    text: Mapping[str, float] = field(default_factory=dict[str, float])
    """Path of a string (or of a record or array: every string inside) to its boost."""
    facets: tuple[str, ...] = ()
    """Paths of values to count and filter by; behind a time `year`, `month` and `weekday` are steps too."""
    date: str | None = None
    """Path of a timestamp, a date or RFC 3339 text: what newest and oldest mean."""


@dataclass(frozen=True)
class ViewDefinition:
    """One view: its root kind and the references to expand."""

    name: str
    root: str
    expand: tuple[str, ...] = ()
    """Dotted reference paths from the root; a `*` at the end follows the last step again and again."""
    depth: int = DEPTH_DEFAULT
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What to embed of a kind, wherever it appears in this view; a kind not named is embedded whole."""
    search: Search = field(default_factory=Search)


TIME_PARTS: Final = {"year": Type("int"), "month": Type("int"), "weekday": Type("string")}
"""What a path may end with behind a timestamp or a date, in UTC."""


def content_types(kinds: Mapping[str, Kind], view: ViewDefinition, path: str) -> Iterator[Type]:
    """The types at a dotted path of a view's content, through expanded references; none when there is no such path."""
    expanded = {
        ".".join(parts[: n + 1])
        for entry in view.expand
        for parts in [entry.removesuffix("*").split(".")]
        for n in range(len(parts))
    }
    repeated = [tuple(entry[:-1].rpartition(".")[::2]) for entry in view.expand if entry.endswith("*")]

    def is_expanded(prefix: str) -> bool:
        if prefix in expanded:
            return True
        # `tags.parent*`: tags.parent.parent... ends in steps that are all `parent`.
        return any(
            prefix.startswith(f"{base}.{step}" if base else step)
            and set(prefix.removeprefix(base).strip(".").split(".")) == {step}
            for base, step in repeated
        )

    def embedded(kind: str) -> Record:
        chosen = view.fields.get(kind)
        record = kinds[kind].record
        fields = {name: type_ for name, type_ in record.fields.items() if chosen is None or name in chosen}
        return Record("record", fields={"uri": Type("string"), **fields})

    places: list[Type] = [embedded(view.root)]
    steps = path.split(".")
    for number, step in enumerate(steps):
        is_last = number == len(steps) - 1
        places = [
            inner for type_ in places for inner in (*step_into(type_, step), *_time_part(type_, step, is_last=is_last))
        ]
        prefix = ".".join(steps[: number + 1])
        through: list[Type] = []
        for type_ in places:
            targets = reference_at(type_)
            if targets and is_expanded(prefix):
                through.extend(embedded(kind) for kind in targets if kind in kinds)
            else:
                through.append(type_)
        places = through
    yield from places


def _time_part(type_: Type, step: str, *, is_last: bool) -> Iterator[Type]:
    if is_last and step in TIME_PARTS and type_.search_class == "time":
        yield TIME_PARTS[step]

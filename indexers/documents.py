"""What of a view record becomes searchable: its words by path, its facet values, its date, its place in every order."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, cast

import orjson

from assets.catalog import Catalog, content_types
from assets.schema import Record, Type
from indexers.dates import EARLIEST, LATEST, part_of, seconds_of
from indexers.limits import FACET_VALUE_CHARACTERS_MAX

_HASH_BITS: Final = 24
_UNDATED: Final = LATEST - EARLIEST + 1

RANK_END: Final = (_UNDATED + 1) << _HASH_BITS
"""No rank is as high as this."""

_URI: Final = "uri"

NUMBER_MIN: Final = -(1 << 63)
NUMBER_MAX: Final = (1 << 63) - 1
"""What of whole numbers can be compared."""


class Document(NamedTuple):
    """What is searchable of one live view."""

    text: dict[str, list[str]]
    """Text path to the strings there, in the content's order."""
    facets: dict[str, list[str]]
    """Facet path to the values there, each once."""
    numbers: dict[str, list[int]]
    """Facet path to the whole numbers among the values there, and to the seconds (as in `date`) of the times."""
    date: int | None
    """Seconds since 1970-01-01T00:00:00Z."""


class Ranks(NamedTuple):
    """A document's place in the two orders by date: 63-bit numbers to sort by, smallest first.

    Seconds fill the upper bits, a hash of the document's id the lower: documents of one second, and undated ones,
    which come last in both, so have an order that every engine can keep. Where two ranks are equal the ids decide.
    """

    newest: int
    oldest: int


def document_id(view: str, uri: str) -> str:
    """The id of a view's document, in every index."""
    return f"{view} {uri}"


def ranks(date: int | None, id_: str) -> Ranks:
    """The ranks of the document with this date and id."""
    low = int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=_HASH_BITS // 8).digest(), "big")
    if date is None:
        undated = _UNDATED << _HASH_BITS | low
        return Ranks(undated, undated)
    return Ranks((LATEST - date) << _HASH_BITS | low, (date - EARLIEST) << _HASH_BITS | low)


def date_of(rank: int, order: Literal["newest", "oldest"]) -> int | None:
    """The date of the document with this rank in this order."""
    second = rank >> _HASH_BITS
    if second == _UNDATED:
        return None
    return LATEST - second if order == "newest" else EARLIEST + second


def tie(id_: str) -> int:
    """A number below 2^64 that orders documents among which nothing else decides; the id does where two have the same."""
    return int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=8).digest(), "big")


def oldest_rank_at(date: int) -> int:
    """The lowest `oldest` rank that a document of this second, or of a later one, can have; none is undated."""
    return min(max(date - EARLIEST, 0), _UNDATED) << _HASH_BITS


class Documents:
    """Makes documents of one view's contents, as the catalog's `search` says."""

    def __init__(self, catalog: Catalog, view: str) -> None:
        definition = catalog.views[view]

        def reader(path: str, shape_of: Callable[[Iterable[Type]], "_Shape"]) -> "_Reader":
            return _Reader(tuple(path.split(".")), shape_of(content_types(catalog.kinds, definition, path)))

        search = definition.search
        self._text = {path: reader(path, _text_shape) for path in search.text}
        self._facets = {path: reader(path, _value_shape) for path in search.facets}
        self._ordered = {path for path in search.facets if has_numbers(content_types(catalog.kinds, definition, path))}
        self._date = reader(search.date, _value_shape) if search.date is not None else None

    def document(self, content: Mapping[str, Any]) -> Document:
        """What is searchable of a live view's content."""
        facets: dict[str, list[str]] = {}
        numbers: dict[str, list[int]] = {}
        for path, reader in self._facets.items():
            read = reader.read(content)
            values = [value if type(value) is str else orjson.dumps(value).decode() for value in read]
            if values:
                facets[path] = [value for value in dict.fromkeys(values) if len(value) <= FACET_VALUE_CHARACTERS_MAX]
            if path in self._ordered:
                numbers[path] = [number for value in read if (number := _number_of(value)) is not None]
        date = None
        if self._date is not None:
            dates = (seconds_of(value) for value in self._date.read(content) if type(value) is str)
            date = next((found for found in dates if found is not None), None)
        return Document(self.text(content), facets, numbers, date)

    def text(self, content: Mapping[str, Any]) -> dict[str, list[str]]:
        """The strings at each text path."""
        found: dict[str, list[str]] = {}
        for path, reader in self._text.items():
            strings = [value for value in reader.read(content) if type(value) is str and value]
            if strings:
                found[path] = strings
        return found


@dataclass
class _Shape:
    """Which of the values at a place are wanted: plain ones, or those inside its fields or map values."""

    plain: bool = False
    fields: dict[str, "_Shape"] = field(default_factory=dict[str, "_Shape"])
    values: "_Shape | None" = None

    @property
    def wants_any(self) -> bool:
        return self.plain or bool(self.fields) or self.values is not None

    def gather(self, value: Any, found: list[Any]) -> None:
        """Append what is wanted of a value; arrays are what they hold."""
        if isinstance(value, list):
            for item in cast("list[Any]", value):
                self.gather(item, found)
        elif isinstance(value, dict):
            record = cast("dict[str, Any]", value)
            for name, shape in self.fields.items():
                shape.gather(record.get(name), found)
            if self.values is not None:
                for item in record.values():
                    self.values.gather(item, found)
        elif self.plain and value is not None:
            found.append(value)


@dataclass(frozen=True)
class _Reader:
    """Reads the values at a dotted path: through records, expanded references and arrays of them."""

    steps: tuple[str, ...]
    shape: _Shape

    def read(self, content: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = []
        value: Any = content
        for number, step in enumerate(self.steps):
            if not isinstance(value, dict):
                self._walk(value, number, found)
                return found
            value = cast("dict[str, Any]", value).get(step)
        self.shape.gather(value, found)
        return found

    def _walk(self, value: Any, number: int, found: list[Any]) -> None:
        if number == len(self.steps):
            self.shape.gather(value, found)
        elif isinstance(value, dict):
            self._walk(cast("dict[str, Any]", value).get(self.steps[number]), number + 1, found)
        elif isinstance(value, list):
            for item in cast("list[Any]", value):
                self._walk(item, number, found)
        elif type(value) is str and number == len(self.steps) - 1:
            # The catalog lets a path go on only from a time.
            part = part_of(value, self.steps[number])
            if part is not None:
                found.append(part)


def has_numbers(types: Iterable[Type]) -> bool:
    """Whether every value at a place is a whole number or a time: they have an order."""
    return all(branch.search_class == "time" or branch.name in {"int", "long"} for branch in _branches(types))


def _number_of(value: Any) -> int | None:
    number = value if type(value) is int else seconds_of(value) if type(value) is str else None
    return number if number is not None and NUMBER_MIN <= number <= NUMBER_MAX else None


def _value_shape(_types: Iterable[Type]) -> _Shape:
    return _Shape(plain=True)


def _text_shape(types: Iterable[Type]) -> _Shape:
    """Named itself, any string is text. Of a record that is named, only the prose inside it is."""
    branches = list(_branches(types))
    shape = _prose(branch for branch in branches if isinstance(branch, Record) or branch.name == "map")
    shape.plain = any(branch.name in {"string", "enum"} for branch in branches)
    return shape


def _prose(types: Iterable[Type]) -> _Shape:
    # Enum symbols and URIs are for machines. What an inner reference expands to has a path of its own.
    shape = _Shape()
    fields: dict[str, list[Type]] = {}
    values: list[Type] = []
    for branch in _branches(types):
        if isinstance(branch, Record):
            for name, inner in branch.fields.items():
                if name != _URI:
                    fields.setdefault(name, []).append(inner)
        elif branch.name == "map":
            values.extend(branch.inner)
        elif branch.name == "string" and not branch.kinds:
            shape.plain = True
    shape.fields = {name: inner for name, types in fields.items() if (inner := _prose(types)).wants_any}
    if values and (inner := _prose(values)).wants_any:
        shape.values = inner
    return shape


def _branches(types: Iterable[Type]) -> Iterator[Type]:
    """The types that values at a place can have, arrays and unions taken apart."""
    for type_ in types:
        if type_.name in {"array", "union"}:
            yield from _branches(type_.inner)
        elif type_.name != "null":
            yield type_

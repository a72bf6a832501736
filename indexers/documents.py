"""What of a view record becomes searchable: its words by path, its facet values, its date, its place in every order."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, cast

import orjson

from assets.catalog import Catalog, content_types
from assets.schema import Record, Type
from indexers.dates import EARLIEST, LATEST, part_of, seconds_of
from indexers.limits import FACET_VALUE_CHARACTERS_MAX

try:
    import indexers.native as _native
except ImportError:
    _native: Any = None

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
    low = _rank_end(id_)
    if date is None:
        undated = _UNDATED << _HASH_BITS | low
        return Ranks(undated, undated)
    return Ranks((LATEST - date) << _HASH_BITS | low, (date - EARLIEST) << _HASH_BITS | low)


@lru_cache(maxsize=16)
def _rank_end(id_: str) -> int:
    # A document has several ranks.
    return int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=_HASH_BITS // 8).digest(), "big")


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
        dates = [self._date] if self._date is not None else []
        self._text_paths, self._facet_paths = tuple(self._text), tuple(self._facets)
        self._scanner = _scanner([*self._text.values(), *self._facets.values(), *dates])

    def scanned(self, content: bytes) -> Document | None:
        """What is searchable of a live view's content, given as JSON; None where it is to be parsed for `document`."""
        found: list[list[Any]] | None = self._scanner.scan(content) if self._scanner is not None else None
        if found is None:
            return None
        text, facets, numbers = _native.arrange(
            found, self._text_paths, self._facet_paths, self._ordered, _number_of, FACET_VALUE_CHARACTERS_MAX
        )
        return Document(text, facets, numbers, _date_of(found[-1]) if self._date is not None else None)

    def document(self, content: Mapping[str, Any]) -> Document:
        """What is searchable of a live view's content."""
        dates = [self._date] if self._date is not None else []
        readers = (*self._text.values(), *self._facets.values(), *dates)
        return self._document(reader.read(content) for reader in readers)

    def text(self, content: Mapping[str, Any]) -> dict[str, list[str]]:
        """The strings at each text path."""
        return self._strings(reader.read(content) for reader in self._text.values())

    def _document(self, found: Iterator[list[Any]]) -> Document:
        """A document of the values at each path: those of text, then those of facets, then those of the date."""
        text = self._strings(found)
        facets: dict[str, list[str]] = {}
        numbers: dict[str, list[int]] = {}
        for path in self._facets:
            read = next(found)
            if path in self._ordered:
                numbers[path] = [number for value in read if (number := _number_of(value)) is not None]
            if not read:
                continue
            if len(read) > 1:
                read = dict.fromkeys(value if type(value) is str else orjson.dumps(value).decode() for value in read)
            elif type(read[0]) is not str:
                read = [orjson.dumps(read[0]).decode()]
            facets[path] = [value for value in read if len(value) <= FACET_VALUE_CHARACTERS_MAX]
        date = None
        if self._date is not None:
            date = _date_of(next(found))
        return Document(text, facets, numbers, date)

    def _strings(self, found: Iterator[list[Any]]) -> dict[str, list[str]]:
        strings: dict[str, list[str]] = {}
        for path in self._text:
            values = [value for value in next(found) if type(value) is str and value]
            if values:
                strings[path] = values
        return strings


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
            for name, item in cast("dict[str, Any]", value).items():
                if (shape := self.fields.get(name)) is not None:
                    shape.gather(item, found)
                if self.values is not None:
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


_Step = tuple[int, int]
"""The number of a reader and how many of its steps were gone."""
_Inside = tuple[int, _Shape]
"""The number of a reader, and what it wants of the values at a place."""


def _scanner(readers: Sequence[_Reader]) -> Any:
    """What reads all these paths in one pass; None where it was not compiled."""
    if _native is None:
        return None
    made: dict[tuple[object, ...], Any] = {}

    def place(steps: Sequence[_Step], inside: Sequence[_Inside]) -> Any:
        inside = [
            *inside,
            *((number, readers[number].shape) for number, gone in steps if gone == len(readers[number].steps)),
        ]
        steps = [(number, gone) for number, gone in steps if gone < len(readers[number].steps)]
        if not (steps or inside):
            return None
        known = (*steps, *((number, id(shape)) for number, shape in inside))
        if known in made:
            return made[known]
        # The catalog lets a path go on only from a time: then its last step is a part of it.
        parts = [
            (number, readers[number].steps[gone]) for number, gone in steps if gone == len(readers[number].steps) - 1
        ]
        node = made[known] = _native.Node([number for number, shape in inside if shape.plain], parts)
        below = [(number, shape.values) for number, shape in inside if shape.values is not None]
        keys = [readers[number].steps[gone] for number, gone in steps]
        for key in dict.fromkeys([*keys, *(name for _, shape in inside for name in shape.fields)]):
            child = place(
                [(number, gone + 1) for number, gone in steps if readers[number].steps[gone] == key],
                [*((number, shape.fields[key]) for number, shape in inside if key in shape.fields), *below],
            )
            node.add(key.encode(), child)
        node.set_other(place([], below))
        return node

    root = place([(number, 0) for number in range(len(readers))], [])
    return None if root is None else _native.Scanner(root, len(readers), part_of)


def has_numbers(types: Iterable[Type]) -> bool:
    """Whether every value at a place is a whole number or a time: they have an order."""
    return all(branch.search_class == "time" or branch.name in {"int", "long"} for branch in _branches(types))


def _date_of(values: Iterable[Any]) -> int | None:
    """The first of the values that is a date."""
    dates = (seconds_of(value) for value in values if type(value) is str)
    return next((second for second in dates if second is not None), None)


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

"""Rendering: an asset's data to ready JSON, once per version, cut open where other assets will stand.

A view is later a join of these pieces. The holes are found by one serialisation: every reference to expand is replaced
by a byte that JSON text can't contain, and the text is cut there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

import orjson

from assets.catalog import Kind, Record, Type, step_into
from denormalizer.plan import Plan, Shape

_CUT: Final = b"\0"
_HOLE: Final = orjson.Fragment(_CUT)
_OPTIONS: Final = orjson.OPT_UTC_Z


class Fragments(NamedTuple):
    """Rendered JSON with holes: `pieces` has one more than `holes`."""

    pieces: list[bytes]
    holes: list[tuple[int, Any]]
    """In the order of the text: the number of the hole's reference in its shape, and what stands there: a URI, or
    a list of URIs."""


Rendered = bytes | Fragments
"""Bytes where nothing is to be expanded, which is most."""


class Payloads(Protocol):
    """What reads payloads (`assets.codec.Codec`)."""

    def decode(self, kind: str, value: bytes) -> dict[str, Any]:
        """A payload's data; raises `Undecodable`."""
        ...

    def cutter(
        self, kind: str, shapes: Sequence[Shape], make: Callable[[list[bytes], Any], Any]
    ) -> Callable[[str, bytes], list[Rendered] | None] | None:
        """The same as `decode` and then `_KindRenderer.render`, in one pass: or None where that is to be done."""
        ...


class Renderer:
    """Renders assets of the kinds of a plan. Shapes with the same fields are one serialisation, cut at all their holes."""

    def __init__(self, plan: Plan, payloads: Payloads) -> None:
        self._decode = payloads.decode
        self._kinds = {kind: _KindRenderer(shapes, plan.catalog.kinds[kind]) for kind, shapes in plan.shapes.items()}
        self._cutters = {kind: payloads.cutter(kind, shapes, Fragments) for kind, shapes in plan.shapes.items()}

    def render(self, kind: str, uri: str, value: bytes) -> list[Rendered]:
        """An asset's payload in each of its kind's shapes.

        Raises:
            Undecodable: when it can't be read.
            orjson.JSONEncodeError: when it holds what JSON can't.
        """
        cut = self._cutters[kind]
        rendered = cut(uri, value) if cut is not None else None
        return self._kinds[kind].render(uri, self._decode(kind, value)) if rendered is None else rendered


def references(rendered: list[Rendered]) -> Iterator[str]:
    """The URIs in the holes of a rendered asset: what its views look up."""
    for shape in rendered:
        if isinstance(shape, Fragments):
            for _, value in shape.holes:
                yield from uris(value)


def to_json(value: Any) -> bytes:
    """Decoded data as JSON, its dates and times as RFC 3339 in UTC."""
    return orjson.dumps(value, option=_OPTIONS)


class _Cut(NamedTuple):
    """One serialisation of some fields, and the shapes that are made from it."""

    fields: tuple[str, ...] | None
    """None for all of them."""
    tree: "_Tree"
    shapes: tuple[tuple[int, tuple[int | None, ...] | None], ...]
    """The number of each shape, and what its holes are among those of the cut: None where the URIs stay. None in place
    of it all where they are the same."""


class _KindRenderer:
    def __init__(self, shapes: Sequence[Shape], kind: Kind) -> None:
        all_fields = tuple(kind.record.fields)
        self._count = len(shapes)
        self._cuts: list[_Cut] = []
        for fields in dict.fromkeys(shape.fields for shape in shapes):
            alike = [(number, shape) for number, shape in enumerate(shapes) if shape.fields == fields]
            wanted = {path for _, shape in alike for path in shape.holes}
            # In the schema's order, which is the text's: the holes are numbered as they are met.
            paths = list(dict.fromkeys(found.path for found in kind.references if found.path in wanted))
            made = tuple(
                (
                    number,
                    None
                    if list(shape.holes) == paths
                    else tuple(shape.holes.index(path) if path in shape.holes else None for path in paths),
                )
                for number, shape in alike
            )
            tree = _tree({tuple(path.split(".")): number for number, path in enumerate(paths)}, [kind.record])
            self._cuts.append(_Cut(None if fields == all_fields else fields, tree, made))

    def render(self, uri: str, data: dict[str, Any]) -> list[Rendered]:
        """The data in each shape; it is taken apart on the way."""
        start = b'{"uri":"%b"' % uri.encode()
        rendered: list[Rendered] = [b""] * self._count
        last = len(self._cuts) - 1
        for number, cut in enumerate(self._cuts):
            chosen = data if cut.fields is None else {name: data[name] for name in cut.fields}
            holes: list[tuple[int, Any]] = []
            filled: list[tuple[dict[str, Any], str, Any]] = []
            _cut_open(chosen, cut.tree, holes, filled)
            text = start + (b"," + to_json(chosen)[1:] if chosen else b"}")
            if number < last:
                for record, name, value in filled:
                    record[name] = value
            whole: Rendered = Fragments(text.split(_CUT), holes) if holes else text
            for shape, kept in cut.shapes:
                rendered[shape] = whole if kept is None or isinstance(whole, bytes) else _narrow(whole, kept)
        return rendered


def _narrow(whole: Fragments, kept: tuple[int | None, ...]) -> Rendered:
    """The same text with fewer holes: the others are filled with the URIs themselves."""
    piece = whole.pieces[0]
    pieces: list[bytes] = []
    holes: list[tuple[int, Any]] = []
    for number, (hole, value) in enumerate(whole.holes, 1):
        narrowed = kept[hole]
        if narrowed is None:
            piece = b"%b%b%b" % (piece, to_json(value), whole.pieces[number])
        else:
            pieces.append(piece)
            holes.append((narrowed, value))
            piece = whole.pieces[number]
    if not holes:
        return piece
    pieces.append(piece)
    return Fragments(pieces, holes)


class _Tree(NamedTuple):
    """Where in a record holes are."""

    names: list[tuple[str, Any]]
    """A field's name to the number of the hole there, or to the tree of what is inside."""
    one_order: bool
    """Whether the names stand in this order in every record: those of a union may differ."""


def _tree(paths: Mapping[tuple[str, ...], int], types: Sequence[Type]) -> _Tree:
    inside: dict[str, dict[tuple[str, ...], int]] = {}
    tree: dict[str, Any] = {}
    for path, number in paths.items():
        tree[path[0]] = number
        if len(path) > 1:
            inside.setdefault(path[0], {})[path[1:]] = number
    for name, below in inside.items():
        tree[name] = _tree(below, [stepped for type_ in types for stepped in step_into(type_, name)])
    orders = {tuple(name for name in record.fields if name in tree) for type_ in types for record in _records(type_)}
    return _Tree(list(tree.items()), len(orders) == 1)


def _records(type_: Type) -> Iterator[Record]:
    """The records that a value of a type may be or hold, through arrays and unions."""
    if isinstance(type_, Record):
        yield type_
    elif type_.name != "map":
        for inner in type_.inner:
            yield from _records(inner)


def _cut_open(
    record: dict[str, Any], tree: _Tree, holes: list[tuple[int, Any]], filled: list[tuple[dict[str, Any], str, Any]]
) -> None:
    names = tree.names
    if not tree.one_order:
        order = list(record)
        names = sorted((entry for entry in names if entry[0] in record), key=lambda entry: order.index(entry[0]))
    for name, branch in names:
        value = record.get(name)
        if not value and value != "":
            continue
        if type(branch) is int:
            holes.append((branch, value))
            filled.append((record, name, value))
            record[name] = _HOLE
        elif isinstance(value, dict):
            _cut_open(cast("dict[str, Any]", value), branch, holes, filled)
        elif isinstance(value, list):
            _cut_open_items(cast("list[Any]", value), branch, holes, filled)


def _cut_open_items(
    items: list[Any], tree: _Tree, holes: list[tuple[int, Any]], filled: list[tuple[dict[str, Any], str, Any]]
) -> None:
    for item in items:
        if isinstance(item, dict):
            _cut_open(cast("dict[str, Any]", item), tree, holes, filled)
        elif isinstance(item, list):
            _cut_open_items(cast("list[Any]", item), tree, holes, filled)


def uris(value: Any) -> Iterator[str]:
    """The URIs in what stands in one hole."""
    if isinstance(value, str):
        yield value
    elif value is not None:
        for item in value:
            yield from uris(item)

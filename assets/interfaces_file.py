"""interfaces.toml: read against the views, every problem named with its line and its remedy."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from assets.errors import CatalogProblem
from assets.interfaces import (
    CONVERSIONS,
    FORMS,
    INTERFACES,
    STORIES,
    Collection,
    Constant,
    Each,
    Field,
    Form,
    Interface,
    KnownCollection,
    KnownInterface,
    Listing,
    Position,
    Shape,
    Template,
)
from assets.schema import Kind
from assets.view_definition import ViewDefinition, content_types

INTERFACES_FILE: Final = "interfaces.toml"

TEMPLATE_DEPTH_MAX: Final = 16
"""Templates inside each other."""

_COMMENT: Final = re.compile(r"^\s*#.*")
_FORM: Final[Mapping[Form, str]] = {
    "object": "an object: { NAME = TEMPLATE }",
    "list": "a list: { each = ... } or [...]",
    "text": 'a value: "PATH"',
}
_FIELD: Final = frozenset({"path", "as", "words", "else"})
_EACH: Final = frozenset({"each", "item", "only", "as", "else"})


@dataclass
class InterfacesReader:
    """Reads interfaces.toml against the kinds and views; collects problems instead of stopping at the first."""

    text: str
    kinds: Mapping[str, Kind]
    views: Mapping[str, ViewDefinition]
    problems: list[CatalogProblem]

    def read(self, document: Mapping[str, Any]) -> dict[str, Interface]:
        """The interfaces, as far as they can be used."""
        found: dict[str, Interface] = {}
        for name, table in document.items():
            known = INTERFACES.get(name)
            if known is None or not isinstance(table, dict):
                self.problem((name,), f"{name} is no interface", f"Write [NAME] with one of {', '.join(INTERFACES)}")
            else:
                found[name] = self._interface(name, cast("dict[str, Any]", table), known)
        return found

    def _interface(self, name: str, table: dict[str, Any], known: KnownInterface) -> Interface:
        settings: dict[str, str] = {}
        collections: dict[str, Collection] = {}
        for key, value in table.items():
            place = (name, key)
            if key in known.settings and isinstance(value, str):
                settings[key] = value
            elif key in known.collections and isinstance(value, dict):
                collection = self._collection(place, cast("dict[str, Any]", value), known.collections[key])
                if collection is not None:
                    collections[key] = collection
            else:
                remedy = (
                    f"Known are the texts {', '.join(known.settings)} and the tables {', '.join(known.collections)}"
                )
                self.problem(place, f"{name}.{key} means nothing", remedy)
        if STORIES not in table:
            self.problem((name,), f"{name} has no {STORIES}", f"Write [{name}.{STORIES}] with a view")
        return Interface(settings, collections)

    def _collection(self, place: tuple[str, ...], table: dict[str, Any], known: KnownCollection) -> Collection | None:
        name = ".".join(place)
        for key in sorted(table.keys() - {"view", "search", "types", "shape"}):
            self.problem((*place, key), f"unknown setting {name}.{key}", "Known are view, search, types and shape")
        view = self.views.get(str(table.get("view")))
        if view is None:
            known_views = ", ".join(sorted(self.views)) or "none that could be read"
            self.problem((*place, "view"), f"{name} has no view of this catalog", f"Write view = one of {known_views}")
            return None
        search: dict[str, tuple[str, ...]] = {}
        for key, value in self.table((*place, "search"), table.get("search", {})).items():
            if key not in known.search:
                self.problem((*place, key), f"{name} looks for no {key}", f"Known are {', '.join(known.search)}")
                continue
            paths = [value] if isinstance(value, str) else value
            search[key] = tuple(
                path for path in self.strings((*place, key), paths) if self._found(view, (*place, key), path)
            )
        types = self.words((*place, "types"), table.get("types", {}))
        shapes: dict[str, Template] = {}
        for key, value in self.table((*place, "shape"), table.get("shape", {})).items():
            if key not in known.shapes:
                self.problem((*place, key), f"{name} has no shape {key}", f"Known are {', '.join(known.shapes)}")
                continue
            template = _Templates(self, view, (*place, key)).read(value, ())
            form = known.shapes[key]
            if template is not None and not isinstance(template, FORMS[form]):
                self.problem((*place, key), f"{name}.shape.{key} makes no {form}", f"Write a template of {_FORM[form]}")
            elif template is not None:
                shapes[key] = template
        for key in known.shapes:
            if key not in self.table((), table.get("shape", {})):
                self.problem(place, f"{name} has no shape {key}", f"Write [{name}.shape.{key}]")
        return Collection(view.name, search, types, shapes)

    def _found(self, view: ViewDefinition, place: tuple[str, ...], path: str) -> bool:
        search = view.search
        if path in search.text or path in search.facets:
            return True
        known = ", ".join(dict.fromkeys([*search.text, *search.facets])) or "none"
        self.problem(
            (*place, f'"{path}"'),
            f"view {view.name} is not searched by {path!r}",
            f"Add it to its search.facets or search.text, or use one of {known}",
        )
        return False

    def table(self, place: tuple[str, ...], value: Any) -> dict[str, Any]:
        """A table; empty where it is none."""
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        if place:
            self.problem(place, f"{'.'.join(place)} is not a table", "Write { NAME = ... }")
        return {}

    def words(self, place: tuple[str, ...], value: Any) -> dict[str, str]:
        """A table of texts; empty where it is none."""
        table = self.table(place, value)
        if all(isinstance(word, str) for word in table.values()):
            return cast("dict[str, str]", table)
        self.problem(place, f"{'.'.join(place)} holds more than texts", 'Write { VALUE = "NAME" }')
        return {}

    def strings(self, place: tuple[str, ...], value: Any) -> list[str]:
        """An array of texts; empty where it is none."""
        if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
            return cast("list[str]", value)
        self.problem(place, f"{place[-1]} is neither a text nor an array of texts", 'Write "..." or ["...", "..."]')
        return []

    def problem(self, needles: tuple[str, ...], problem: str, remedy: str) -> None:
        """Note what is wrong at the last of the needles."""
        self.problems.append(CatalogProblem(INTERFACES_FILE, _line(self.text, needles), problem, remedy))


class _Templates:
    """Reads the templates of one shape."""

    def __init__(self, reader: InterfacesReader, view: ViewDefinition, place: tuple[str, ...]) -> None:
        self._reader = reader
        self._view = view
        self._place = place

    def read(self, value: Any, prefix: tuple[str, ...], depth: int = 0) -> Template | None:
        """A template whose paths begin behind `prefix`; None where it is none."""
        if depth > TEMPLATE_DEPTH_MAX:
            return self._bad((), f"templates stand more than {TEMPLATE_DEPTH_MAX} deep", "Make it flatter")
        if isinstance(value, str):
            return Field(value) if self._leads(value, prefix) else None
        if isinstance(value, list):
            parts = [self.read(part, prefix, depth + 1) for part in cast("list[Any]", value)]
            return Listing(tuple(part for part in parts if part is not None))
        if not isinstance(value, dict):
            return self._bad((str(value),), f"{value!r} is no template", 'Write "PATH" or { constant = ... }')
        table = cast("dict[str, Any]", value)
        if table.keys() == {"constant"}:
            return Constant(table["constant"])
        if table.keys() == {"position"} and type(table["position"]) is int:
            return Position(table["position"])
        if "path" in table and table.keys() <= _FIELD and isinstance(table["path"], str):
            return self._field(table, prefix, depth)
        if "each" in table and table.keys() <= _EACH and isinstance(table["each"], str):
            return self._each(table, prefix, depth)
        for word in ("path", "each", "constant", "position"):
            if word in table and not isinstance(table[word], dict):
                told = ", ".join(sorted(_EACH if word == "each" else _FIELD if word == "path" else {word}))
                return self._bad((word,), f"a template with {word} has {', '.join(table)}", f"It may have {told}")
        fields = {name: self.read(inner, prefix, depth + 1) for name, inner in table.items()}
        return Shape({name: template for name, template in fields.items() if template is not None})

    def _field(self, table: dict[str, Any], prefix: tuple[str, ...], depth: int) -> Template | None:
        path = table["path"]
        words = self._reader.words((*self._place, "words"), table.get("words", {}))
        if not self._leads(path, prefix):
            return None
        return Field(path, self._conversions(table), words, self._else(table, prefix, depth))

    def _each(self, table: dict[str, Any], prefix: tuple[str, ...], depth: int) -> Template | None:
        path = table["each"]
        if not self._leads(path, prefix):
            return None
        inner = (*prefix, path)
        item = self.read(table["item"], inner, depth + 1) if "item" in table else None
        if item is None:
            return None if "item" in table else self._bad((path,), "each has no item", "Write item = TEMPLATE")
        only: dict[str, tuple[str, ...]] = {}
        for field, values in self._reader.table((*self._place, "only"), table.get("only", {})).items():
            if self._leads(field, inner):
                only[field] = tuple(self._reader.strings((*self._place, field), values))
        return Each(path, item, only, self._conversions(table), self._else(table, prefix, depth))

    def _else(self, table: dict[str, Any], prefix: tuple[str, ...], depth: int) -> Template | None:
        return self.read(table["else"], prefix, depth + 1) if "else" in table else None

    def _conversions(self, table: dict[str, Any]) -> tuple[str, ...]:
        given = table.get("as", [])
        names = self._reader.strings((*self._place, "as"), [given] if isinstance(given, str) else given)
        for name in names:
            if name not in CONVERSIONS:
                self._bad((f'"{name}"',), f"{name!r} is no conversion", f"Use one of {', '.join(CONVERSIONS)}")
        return tuple(name for name in names if name in CONVERSIONS)

    def _leads(self, path: str, prefix: Iterable[str]) -> bool:
        whole = ".".join((*prefix, path))
        if any(True for _ in content_types(self._reader.kinds, self._view, whole)):
            return True
        self._bad(
            (f'"{path}"',),
            f"the content of view {self._view.name} has no {whole!r}",
            "Name a field of the root, or of what its `expand` and `fields` bring in",
        )
        return False

    def _bad(self, needles: tuple[str, ...], problem: str, remedy: str) -> None:
        self._reader.problem((*self._place, *needles), f"{'.'.join(self._place)}: {problem}", remedy)


def _line(text: str, needles: Iterable[str]) -> int | None:
    """The line where the last needle stands, each looked for behind the one before, comments left out."""
    joined = "\n".join(_COMMENT.sub("", line) for line in text.split("\n"))
    at, behind = -1, 0
    for needle in needles:
        found = re.compile(rf"(?<![\w-]){re.escape(needle)}(?![\w-])").search(joined, behind)
        if found:
            at, behind = found.start(), found.end()
    return None if at < 0 else joined.count("\n", 0, at) + 1

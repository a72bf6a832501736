"""views.toml: read against the kinds, every problem named with its line and its remedy."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from assets.errors import CatalogProblem
from assets.schema import Kind, Record, Type, reference_at, step_into, step_names
from assets.view_definition import DEPTH_DEFAULT, Search, ViewDefinition, content_types

References = Literal["reject", "hold", "allow"]
REFERENCES: Final[tuple[References, ...]] = get_args(References)

DEPTH_MAX: Final = 64
"""The largest `depth` a view may ask for."""

VIEWS_FILE: Final = "views.toml"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*\Z")
_COMMENT: Final = re.compile(r"^\s*#.*|#[^\"']*$")
_HEADER: Final = re.compile(r"\s*\[+([^\[\]]*)\]+\s*\Z")
_BOOST: Final = re.compile(r"(?P<path>[^^]+?)(?:\^(?P<boost>[0-9]+(?:\.[0-9]+)?))?\Z")


def parse_toml(text: str, problems: list[CatalogProblem], file: str = VIEWS_FILE) -> Mapping[str, Any]:
    """The document, empty where it is no TOML."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        problems.append(CatalogProblem(file, None, "not TOML: nested too deep", "Make it flatter"))
        return {}
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        problems.append(
            CatalogProblem(file, int(line[1]) if line else None, f"not TOML: {error}", "Correct the syntax")
        )
        return {}


@dataclass
class ViewsReader:
    """Reads views.toml against the kinds; collects problems instead of stopping at the first."""

    text: str
    kinds: Mapping[str, Kind]
    broken: AbstractSet[str]
    """Kinds with problems of their own, told already: what views say of them can't be checked."""
    problems: list[CatalogProblem]

    def read(self, document: Mapping[str, Any]) -> tuple[References, dict[str, ViewDefinition]]:
        """The references policy and the views, as far as they can be used."""
        references: Any = document.get("references", "reject")
        if references not in REFERENCES:
            self._problem(("references",), f"references = {references!r}", f"Use one of {', '.join(REFERENCES)}")
            references = "reject"
        for name in sorted(document.keys() - {"references", "views"}):
            self._problem((name,), f"unknown setting {name}", "Known at the top are references and [views.NAME]")
        tables: Any = document.get("views", {})
        if not isinstance(tables, dict):
            self._problem(("views",), "views is not a table", "Write [views.NAME]")
            tables = {}
        views: dict[str, ViewDefinition] = {}
        for name, table in cast("dict[str, Any]", tables).items():
            place = f"views.{name}"
            if not _NAME.match(name):
                self._problem((place, name), f"{name!r} is no view name", "Use letters, digits, _ and -")
            elif not isinstance(table, dict):
                self._problem((place, name), f"views.{name} is not a table", f"Write [views.{name}]")
            else:
                view = self._view(name, cast("dict[str, Any]", table))
                if view is not None:
                    views[name] = view
        return references, views

    def _view(self, name: str, table: dict[str, Any]) -> ViewDefinition | None:
        place = f"[views.{name}"
        for key in sorted(table.keys() - {"root", "expand", "depth", "fields", "search"}):
            self._problem(
                (place, key), f"unknown setting {key} in view {name}", "Known are root, expand, depth, fields, search"
            )
        root = table.get("root")
        if root in self.broken:
            return None
        if not isinstance(root, str) or root not in self.kinds:
            known = ", ".join(sorted(self.kinds)) or "none that could be read"
            has = f"root {root!r}" if "root" in table else "no root"
            self._problem((place, "root"), f"view {name} has {has}", f"Use a kind of this catalog: {known}")
            return None
        depth = table.get("depth", DEPTH_DEFAULT)
        if not isinstance(depth, int) or isinstance(depth, bool) or not 0 <= depth <= DEPTH_MAX:
            self._problem(
                (place, "depth"), f"view {name} has depth {depth!r}", f"Use a whole number from 0 to {DEPTH_MAX}"
            )
            depth = DEPTH_DEFAULT
        fields = self._fields(name, table.get("fields", {}))
        expand = self._expand(name, root, table.get("expand", []))
        view = ViewDefinition(name, root, expand, depth, fields)
        return ViewDefinition(name, root, expand, depth, fields, self._search(view, table.get("search", {})))

    def _fields(self, view: str, table: Any) -> dict[str, tuple[str, ...]]:
        place = f"[views.{view}"
        if not isinstance(table, dict):
            self._problem((place, "fields"), "fields is not a table", 'Write fields.KIND = ["FIELD", ...]')
            return {}
        chosen: dict[str, tuple[str, ...]] = {}
        for kind, names in cast("dict[str, Any]", table).items():
            if kind in self.broken:
                continue
            if kind not in self.kinds:
                self._problem(
                    (place, "fields", kind),
                    f"fields.{kind} names no kind",
                    f"Kinds are {', '.join(sorted(self.kinds))}",
                )
                continue
            known = self.kinds[kind].record.fields
            for name in self._strings((place, "fields", kind), names):
                if name not in known and name != "uri":
                    self._problem(
                        (place, "fields", kind, f'"{name}"'),
                        f"{kind} has no field {name}",
                        f"Its fields are {', '.join(known)}",
                    )
            chosen[kind] = tuple(self._strings((), names))
        return chosen

    def _expand(self, view: str, root: str, paths: Any) -> tuple[str, ...]:
        place = (f"[views.{view}", "expand")
        good: list[str] = []
        for path in self._strings(place, paths):
            fault = self._path_fault(root, path)
            if fault is None:
                good.append(path)
            else:
                self._problem((*place, f'"{path}"'), f"view {view} expands {path!r}, but {fault[0]}", fault[1])
        return tuple(good)

    def _path_fault(self, root: str, path: str) -> tuple[str, str] | None:
        """Why an expand path means nothing, and the remedy; None when it is good."""
        starred = path.endswith("*")
        steps = path.removesuffix("*").split(".")
        if "*" in path.removesuffix("*"):
            return "a * stands before its end", "Put * on the last step only"
        places: list[tuple[str, Type]] = [(root, self.kinds[root].record)]
        reference = None
        at_asset = True
        for number, step in enumerate(steps):
            at_asset = all(isinstance(type_, Record) and type_ is self.kinds[kind].record for kind, type_ in places)
            stepped = [(kind, inner) for kind, type_ in places for inner in step_into(type_, step)]
            if not stepped:
                names = sorted({name for _, type_ in places for name in step_names(type_)})
                owner = ".".join(steps[:number]) or root
                return f"{owner} has no field {step!r}", f"There are {', '.join(names) or 'none'}"
            references = [reference_at(inner) for _, inner in stepped]
            if any(references) and not all(references):
                return f"{step!r} is a reference in one of the types there and something else in another", "Rename one"
            if not any(references) and len(stepped) > 1 and any(_holds_map(inner) for _, inner in stepped):
                return f"{step!r} is a map in one of the types there and something else in another", "Rename one"
            reference = next((found for found in references if found), None)
            if reference is not None:
                targets = dict.fromkeys(kind for found in references if found for kind in found)
                if not self.broken.isdisjoint(targets):
                    return None
                places = [(kind, self.kinds[kind].record) for kind in targets if kind in self.kinds]
            else:
                places = stepped
        if reference is None:
            return "it does not end at a reference", 'End it at a field with "logicalType": "asset-ref"'
        if starred and not at_asset:
            return "* is on a field inside a record", "Put * on a direct field of an asset"
        return None

    def _search(self, view: ViewDefinition, table: Any) -> Search:
        place = (f"[views.{view.name}", "search")
        if not isinstance(table, dict):
            self._problem(place, "search is not a table", 'Write search.text = ["FIELD", ...]')
            return Search()
        settings = cast("dict[str, Any]", table)
        for key in sorted(settings.keys() - {"text", "facets", "date"}):
            self._problem((*place, key), f"unknown setting search.{key}", "Known are text, facets and date")
        text: dict[str, float] = {}
        for entry in self._strings((*place, "text"), settings.get("text", [])):
            match = _BOOST.match(entry)
            path = match["path"] if match else entry
            if self._searchable((*place, "text", f'"{entry}"'), view, path, {"string", "record"}) and match:
                text[path] = float(match["boost"] or 1)
        facets = [
            path
            for path in self._strings((*place, "facets"), settings.get("facets", []))
            if self._searchable((*place, "facets", f'"{path}"'), view, path, {"string", "number", "boolean", "time"})
        ]
        date: Any = settings.get("date")
        if date is not None and not isinstance(date, str):
            self._problem((*place, "date"), f"search.date = {date}", 'Write search.date = "FIELD"')
        elif date is not None and not self._searchable((*place, "date"), view, date, {"string", "time"}):
            date = None
        return Search(text, tuple(facets), date)

    def _searchable(self, place: tuple[str, ...], view: ViewDefinition, path: str, wanted: set[str]) -> bool:
        types = list(content_types(self.kinds, view, path))
        if not types:
            self._problem(
                place,
                f"the content of view {view.name} has no {path!r}",
                "Name a field of the root, or of what `expand` and `fields` bring in",
            )
            return False
        classes = {type_.search_class for type_ in types}
        if not classes <= wanted:
            self._problem(place, f"{path!r} is {' or '.join(sorted(classes))}", f"Use a {' or '.join(sorted(wanted))}")
            return False
        return True

    def _strings(self, place: tuple[str, ...], value: Any) -> Sequence[str]:
        if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
            return cast("list[str]", value)
        if place:
            self._problem(place, f"{place[-1]} is not an array of strings", 'Write ["...", "..."]')
        return ()

    def _problem(self, needles: tuple[str, ...], problem: str, remedy: str) -> None:
        self.problems.append(CatalogProblem(VIEWS_FILE, _toml_line(self.text, *needles), problem, remedy))


def _holds_map(type_: Type) -> bool:
    if type_.name in ("array", "union"):
        return any(map(_holds_map, type_.inner))
    return type_.name == "map"


def _toml_line(text: str, *needles: str) -> int | None:
    """The line where the last needle stands: a key, or a value in quotes, each behind the one before, comments left out.

    When the first is `[views.NAME`, the others are looked for in that view's own tables, and it is their first line if
    there are none.
    """
    lines = {number: _COMMENT.sub("", line) for number, line in enumerate(text.split("\n"), 1)}
    position, behind, found = 0, 0, False
    if needles[0].startswith("[views."):
        view, needles = needles[0].removeprefix("[views."), needles[1:]
        own: dict[int, str] = {}
        inside = False
        for number, line in lines.items():
            if header := _HEADER.match(line):
                inside = [part.strip(" \t\"'") for part in header[1].split(".")][:2] == ["views", view]
            if inside:
                own[number] = line
        if own:
            lines, found = own, True
    joined = "\n".join(lines.values())
    for needle in needles:
        match = re.compile(rf"(?<![\w-]){re.escape(needle)}(?![\w-])").search(joined, behind)
        if match:
            position, behind, found = match.start(), match.end(), True
    return list(lines)[joined.count("\n", 0, position)] if found else None

"""The catalog: the kinds and the views, as data (DESIGN 4)."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import orjson

from assets.errors import CatalogProblem, InvalidCatalog, SchemaProblem
from assets.interfaces import Interface
from assets.interfaces_file import INTERFACES_FILE, InterfacesReader
from assets.schema import Kind, Record, Type, step_into
from assets.schema_reader import parse_kind
from assets.view_definition import Search, ViewDefinition, content_types
from assets.views_file import REFERENCES, VIEWS_FILE, References, ViewsReader, parse_toml

__all__ = [
    "REFERENCES",
    "Catalog",
    "Interface",
    "Kind",
    "Record",
    "References",
    "Search",
    "Type",
    "ViewDefinition",
    "content_types",
    "load_catalog",
    "newsroom_catalog",
    "parse_catalog",
    "step_into",
]

_KIND_FILE: Final = re.compile(r"kinds/([A-Za-z_][A-Za-z0-9_]*)(?:\.([1-9][0-9]*))?\.avsc\Z")


@dataclass(frozen=True)
class Catalog:
    """The kinds and the views that one log is read with."""

    kinds: Mapping[str, Kind]
    views: Mapping[str, ViewDefinition]
    references: References
    interfaces: Mapping[str, Interface]
    """The public news APIs that its views answer."""
    digest: str
    """SHA-256 of the files that shape views, hex: equal digests, equal views."""
    files: Mapping[str, str]
    """What it was read from: path inside the catalog to text."""


def load_catalog(folder: Path) -> Catalog:
    """The catalog in a folder.

    Raises:
        InvalidCatalog: with every problem found, each with file, line and remedy.
    """
    if not folder.is_dir():
        raise InvalidCatalog([CatalogProblem(str(folder), None, "there is no such folder", "Name a catalog's folder")])
    files: dict[str, str] = {}
    for path in sorted([*folder.glob("kinds/*.avsc"), *folder.glob(INTERFACES_FILE), folder / VIEWS_FILE]):
        name = path.relative_to(folder).as_posix()
        try:
            files[name] = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InvalidCatalog(
                [CatalogProblem(name, None, f"{folder} has no {name}", "Every catalog has one")]
            ) from None
        except (UnicodeDecodeError, OSError) as error:
            raise InvalidCatalog([CatalogProblem(name, None, f"can't be read: {error}", "Save it as UTF-8")]) from None
    return parse_catalog(files)


@cache
def newsroom_catalog() -> Catalog:
    """The built-in catalog; read once, as it can't change."""
    return load_catalog(Path(__file__).parent / "newsroom" / "catalog")


def parse_catalog(files: Mapping[str, str]) -> Catalog:
    """The catalog in these files (path inside the catalog: text).

    Raises:
        InvalidCatalog: with every problem found, each with file, line and remedy.
    """
    problems: list[CatalogProblem] = []
    kinds = _parse_kinds(files, problems)
    document = parse_toml(files.get(VIEWS_FILE, ""), problems)
    broken = {match[1] for name in files if (match := _KIND_FILE.match(name))} - kinds.keys()
    reader = ViewsReader(files.get(VIEWS_FILE, ""), kinds, broken, problems)
    references, views = reader.read(document)
    interfaces: dict[str, Interface] = {}
    if INTERFACES_FILE in files and not problems:
        # Of views with problems of their own nothing else can be said.
        text = files[INTERFACES_FILE]
        interfaces = InterfacesReader(text, kinds, views, problems).read(parse_toml(text, problems, INTERFACES_FILE))
    if not kinds and not problems:
        problems.append(CatalogProblem("kinds", None, "there is no kind", "Add kinds/NAME.avsc with an Avro record"))
    if problems:
        raise InvalidCatalog(problems)
    shaping = {name: text for name, text in sorted(files.items()) if _shapes_views(name)}
    digest = hashlib.sha256(orjson.dumps(shaping, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return Catalog(kinds, views, references, interfaces, digest, dict(files))


def _shapes_views(name: str) -> bool:
    """Whether it is neither an old version of a kind nor what only the server reads."""
    match = _KIND_FILE.match(name)
    return name != INTERFACES_FILE and (match is None or match[2] is None)


def _parse_kinds(files: Mapping[str, str], problems: list[CatalogProblem]) -> dict[str, Kind]:
    current: dict[str, str] = {}
    older: dict[str, dict[int, str]] = {}
    for name in files:
        if not name.startswith("kinds/"):
            continue
        match = _KIND_FILE.match(name)
        if match is None:
            problems.append(
                CatalogProblem(name, None, "the file's name is not KIND.avsc or KIND.VERSION.avsc", "Rename it")
            )
        elif match[2] is None:
            current[match[1]] = name
        else:
            older.setdefault(match[1], {})[int(match[2])] = name
    kinds: dict[str, Kind] = {}
    for kind, name in current.items():
        versions = {file: files[file] for _, file in sorted(older.get(kind, {}).items())}
        try:
            kinds[kind] = parse_kind(kind, files[name], versions)
        except SchemaProblem as problem:
            file = problem.file or name
            line = problem.line if problem.line is not None else _line_of(files[file], *problem.needles)
            problems.append(CatalogProblem(file, line, problem.problem, problem.remedy))
    for kind, versions in older.items():
        if kind not in current:
            problems.append(
                CatalogProblem(
                    versions[min(versions)], None, f"there is no kinds/{kind}.avsc", "Add the current schema"
                )
            )
    for kind in kinds.values():
        for reference in kind.references:
            for target in reference.kinds:
                if target not in current:
                    name = current[kind.name]
                    problems.append(
                        CatalogProblem(
                            name,
                            _line_of(files[name], f'"{reference.path.rpartition(".")[2]}"', f'"{target}"'),
                            f"{reference.path} refers to the kind {target}, which is not in the catalog",
                            f"Add kinds/{target}.avsc or correct `kinds`",
                        )
                    )
    return kinds


def _line_of(text: str, *needles: str) -> int | None:
    """The line where the last needle stands, each looked for behind the one before; a needle not found is skipped."""
    position, behind = -1, 0
    for needle in needles:
        at = text.find(needle, behind)
        if at >= 0:
            position, behind = at, at + len(needle)
    return text.count("\n", 0, position) + 1 if position >= 0 else None

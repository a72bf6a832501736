"""Settings: flags > environment PUBLOG_* > publog.toml in the home > the home's own parts."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from assets.catalog import Catalog
from assets.fixing import catalog_of
from assets.log import open_log
from assets.log.port import Log

HOME_DEFAULT: Final = ".publog"
SETTINGS_FILE: Final = "publog.toml"
KNOWN: Final = ("log", "index", "catalog")


class UsedWrongly(Exception):
    """A command that can't be carried out as it was given: exit code 2."""


@dataclass(frozen=True)
class Flags:
    """What was given on the command line; None where it was not."""

    log: str | None = None
    index: str | None = None
    catalog: Path | None = None


@dataclass(frozen=True)
class Settings:
    """Where the parts are."""

    home: Path
    log: str
    index: str
    catalog: Path | None
    """A catalog's folder; None for the log's own, or the built-in one."""

    def open_log(self, *, create: bool = False) -> Log:
        """The log; it must be there unless it may be created."""
        if create and self.log.startswith("sqlite:"):
            Path(self.log.removeprefix("sqlite:")).parent.mkdir(parents=True, exist_ok=True)
        elif self.log.startswith("sqlite:") and not Path(self.log.removeprefix("sqlite:")).exists():
            raise UsedWrongly(
                f"there is no log at {self.log} yet; publish something first (publog publish FILE), try publog demo,"
                " or name another home or log (publog --home DIR ..., --log URL)"
            )
        return open_log(self.log, create=create)

    def load_catalog(self, log: Log) -> Catalog:
        """The catalog to read the log with."""
        return catalog_of(log, self.catalog)


def resolve(home: Path | None, *given: Flags, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force; earlier flags win over later ones.

    Raises:
        UsedWrongly: when publog.toml can't be used.
    """
    home = home or Path(environment.get("PUBLOG_HOME") or HOME_DEFAULT)
    document = _read(home / SETTINGS_FILE)

    def choose(name: str) -> Any:
        for flags in given:
            if getattr(flags, name) is not None:
                return getattr(flags, name)
        return environment.get(f"PUBLOG_{name.upper()}") or document.get(name)

    catalog = choose("catalog")
    return Settings(
        home,
        choose("log") or f"sqlite:{home / 'log.sqlite'}",
        choose("index") or f"tantivy:{home / 'index'}",
        Path(catalog) if catalog else None,
    )


def _read(path: Path) -> dict[str, str]:
    """publog.toml; paths in it count from the folder it is in."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsedWrongly(f"{path}: not TOML: {error}") from None
    for name, value in document.items():
        if name not in KNOWN:
            raise UsedWrongly(f"{path}: unknown setting {name}; known are {', '.join(KNOWN)}")
        if not isinstance(value, str):
            raise UsedWrongly(f"{path}: {name} must be a string")
    return {name: _from_folder(path.parent, name, value) for name, value in document.items()}


def _from_folder(folder: Path, name: str, value: str) -> str:
    if name == "catalog":
        return str(folder / value)
    scheme, separator, rest = value.partition(":")
    if separator and scheme in ("sqlite", "tantivy", "jsonl"):
        return f"{scheme}:{folder / rest}"
    return value

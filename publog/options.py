"""The options that commands share."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from publog.settings import Flags, Settings, UsedWrongly, resolve

LogOption = Annotated[
    str | None,
    typer.Option(
        "--log",
        metavar="URL",
        help="The log: sqlite:PATH, kafka://HOST:PORT/TOPIC. [env: PUBLOG_LOG] [default: in the home]",
    ),
]
IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="URL",
        help="The index: tantivy:PATH, http://HOST:PORT/NAME (Elasticsearch), jsonl:PATH. [env: PUBLOG_INDEX] "
        "[default: in the home]",
    ),
]
CatalogOption = Annotated[
    Path | None,
    typer.Option(
        "--catalog", metavar="DIR", help="The catalog. [env: PUBLOG_CATALOG] [default: the log's own, or the newsroom]"
    ),
]
METRICS_ENVIRONMENT: Final = "PUBLOG_METRICS"
"""Not for the processes that a process starts: a port has one owner."""

MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="[HOST:]PORT",
        envvar=METRICS_ENVIRONMENT,
        show_envvar=False,
        help="Where Prometheus may read metrics, without a key; 0 takes a port that is free. "
        "[env: PUBLOG_METRICS] [default: nowhere; HOST: 127.0.0.1]",
    ),
]


def parse_size(text: str) -> int:
    """Bytes from `1GiB`, `500MB`, `1.5GiB`.

    Raises:
        typer.BadParameter: it is none of these.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([kKMGT]i?B)", text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size; write it like 1GiB or 500MB")
    base = 1024 if "i" in match[2] else 1000
    return int(float(match[1]) * base ** (1 + "kmgt".index(match[2][0].lower())))


MemoryOption = Annotated[
    int | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        parser=parse_size,
        help="What the folds of all shards may take together, like 1GiB: payloads beyond it go to temporary files. "
        "[default: any]",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, for a program.")]
UriArgument = Annotated[str, typer.Argument(metavar="URI")]
ViewOption = Annotated[str | None, typer.Option("--view", metavar="VIEW", help="Only this view.")]


@dataclass(frozen=True)
class Shared:
    """What was given before the command."""

    home: Path | None
    flags: Flags


def settings_of(
    context: typer.Context, log: str | None = None, index: str | None = None, catalog: Path | None = None
) -> Settings:
    """The settings of a command: its own flags, those given before it, the environment, publog.toml."""
    shared: Shared = context.find_root().obj
    return resolve(shared.home, Flags(log, index, catalog), shared.flags)


def child_environment() -> dict[str, str]:
    """This process's environment, without what only one process can have."""
    return {name: value for name, value in os.environ.items() if name != METRICS_ENVIRONMENT}


def known_view(views: Mapping[str, object], view: str | None) -> None:
    """Refuse a view that the catalog does not have."""
    if view is not None and view not in views:
        raise UsedWrongly(f"the catalog has no view {view}; it has {', '.join(sorted(views)) or 'none'}")

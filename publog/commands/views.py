"""`publog views`: view records, from the log or from the index."""

from collections.abc import Iterable
from contextlib import closing
from typing import Annotated, Literal

import typer

from assets.log.port import Log
from assets.model import NEVER, check_uri
from denormalizer.view import View
from indexers import open_index
from pipeline.as_of import LogViews, NoWatermark, watermark_of
from publog.options import CatalogOption, IndexOption, LogOption, ViewOption, known_view, settings_of
from publog.settings import Settings, UsedWrongly
from publog.terminal import warn, write_lines

AsOfOption = Annotated[
    str | None, typer.Option("--as-of", metavar="OFFSET|TIME", help="As they were at an offset or an RFC 3339 time.")
]


def views(
    context: typer.Context,
    view: ViewOption = None,
    uri: Annotated[str | None, typer.Option(metavar="URI", help="Only the views rooted at this asset.")] = None,
    as_of: AsOfOption = None,
    source: Annotated[
        Literal["log", "index"], typer.Option("--from", help="Recompute from the log, or read the index.")
    ] = "log",
    gone: Annotated[bool, typer.Option("--gone", help="Also views whose root is unpublished.")] = False,
    log: LogOption = None,
    index: IndexOption = None,
    catalog: CatalogOption = None,
) -> None:
    """View records as JSON Lines, now or at any past offset or time.

    Example: `publog views --view story --uri news://article/flood --as-of 2026-11-23T09:00:00Z`
    """
    settings = settings_of(context, log, index, catalog)
    if uri is not None:
        check_uri(uri)
    if source == "index":
        if as_of is not None:
            raise UsedWrongly("the index has only the present; leave --as-of out, or take the views --from log")
        found = _from_index(settings, view, uri)
    else:
        found = _from_log(settings, view, uri, as_of)
    shown = hidden = 0

    def lines() -> Iterable[bytes]:
        nonlocal shown, hidden
        for record in found:
            if gone or record.state == "live":
                shown += 1
                yield record.to_line()
            else:
                hidden += 1

    write_lines(lines())
    if uri is not None and hidden:
        warn(f"{uri} is unpublished; --gone shows what is left of it")
    elif uri is not None and not shown:
        warn(f"there is no view of {uri}: it was not published, or no view has its kind as root")


def offset_of(log: Log, as_of: str | None) -> int:
    """The watermark that an --as-of names: an offset, or the last message published at or before a time."""
    try:
        return log.last_offset() if as_of is None else watermark_of(log, as_of)
    except NoWatermark as error:
        raise UsedWrongly(f"--as-of {as_of}: {error}") from None


def _from_log(settings: Settings, view: str | None, uri: str | None, as_of: str | None) -> Iterable[View]:
    with closing(settings.open_log()) as log:
        catalog = settings.load_catalog(log)
        known_view(catalog.views, view)
        last = offset_of(log, as_of)
        if last == NEVER:
            return
        views = LogViews(log, catalog)
        if uri is not None:
            yield from views.at(last).views(uri, view)
            return
        for record in views.fold(last).emit():
            if view in (None, record.view):
                yield record


def _from_index(settings: Settings, view: str | None, uri: str | None) -> Iterable[View]:
    with closing(open_index(settings.index)) as index:
        for record in index.scan(view):
            if uri in (None, record.uri):
                yield record

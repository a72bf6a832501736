"""`publog history` and `diff`: the past of an asset or a view."""

from collections.abc import Iterator
from contextlib import closing
from typing import Annotated, Any, NamedTuple

import orjson
import typer

from assets.model import check_uri, kind_of, rfc3339
from denormalizer.changes import ABSENT, changes
from pipeline.as_of import LogViews
from publog.options import CatalogOption, JsonOption, LogOption, UriArgument, known_view, settings_of
from publog.settings import Settings, UsedWrongly
from publog.terminal import say, warn, write_lines

OfViewOption = Annotated[
    str | None, typer.Option("--view", metavar="VIEW", help="Of this view rooted at the URI, not of the asset itself.")
]
VALUE_CHARACTERS_MAX = 120
"""Of a value in a diff for people."""


class _Version(NamedTuple):
    """A version of an asset or of a view."""

    offset: int
    state: str
    content: bytes | None
    time: int | None = None
    problem: str | None = None


def history(
    context: typer.Context,
    uri: UriArgument,
    view: OfViewOption = None,
    log: LogOption = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Every version of an asset, or of a view, oldest first.

    Example: `publog history news://byline/ada-okafor`
    """
    found = list(_versions(settings_of(context, log, catalog=catalog), uri, view))[::-1]
    if json:
        write_lines(orjson.dumps(_described(uri, view, version)) for version in found)
        return
    for version in found:
        when = "" if version.time is None else f"  {rfc3339(version.time)}"
        size = "" if version.content is None else f"  {len(version.content):,} bytes"
        say(f"{version.offset:>9}{when}  {version.state}{size}" + (f"  {version.problem}" if version.problem else ""))
    if not found:
        warn(f"{uri} was never published" if view is None else f"there was never a view {view} of {uri}")


def diff(
    context: typer.Context,
    uri: UriArgument,
    a: Annotated[int, typer.Argument(metavar="A", min=0, help="An offset.")],
    b: Annotated[int, typer.Argument(metavar="B", min=0, help="Another.")],
    view: OfViewOption = None,
    log: LogOption = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """What changed in an asset, or in a view, between two offsets.

    Example: `publog diff news://article/flood 12 340 --view story`
    """
    settings = settings_of(context, log, catalog=catalog)
    found = list(_versions(settings, uri, view))
    before, after = (next((version for version in found if version.offset <= offset), None) for offset in (a, b))
    found_changes = list(changes(_content(before), _content(after)))
    if json:
        write_lines(
            orjson.dumps(
                {
                    "path": change.path,
                    **({} if change.before is ABSENT else {"before": change.before}),
                    **({} if change.after is ABSENT else {"after": change.after}),
                }
            )
            for change in found_changes
        )
        return
    for offset, version in ((a, before), (b, after)):
        say(f"at {offset}: " + ("not there" if version is None else f"version {version.offset}, {version.state}"))
    for change in found_changes:
        say(change.path or "all of it", style="bold")
        say(f"  - {_short(change.before)}", style="red")
        say(f"  + {_short(change.after)}", style="green")
    if not found_changes:
        say("no difference")


def _versions(settings: Settings, uri: str, view: str | None) -> Iterator[_Version]:
    """Newest first."""
    check_uri(uri)
    with closing(settings.open_log()) as opened:
        catalog = settings.load_catalog(opened)
        known_view(catalog.views, view)
        views = LogViews(opened, catalog)
        last = opened.last_offset()
        if view is not None:
            for record in views.versions(view, uri, last):
                live = record.state == "live"
                yield _Version(record.version, record.state, record.content if live else None)
            return
        if kind_of(uri) not in catalog.kinds:
            raise UsedWrongly(f"the catalog has no kind {kind_of(uri)}; it has {', '.join(sorted(catalog.kinds))}")
        for message, data, problem in views.asset_versions(uri, last):
            state = "unpublished" if message.value is None else "published"
            yield _Version(message.offset, state, data, message.time, problem)


def _content(version: _Version | None) -> Any:
    return ABSENT if version is None or version.content is None else orjson.loads(version.content)


def _described(uri: str, view: str | None, version: _Version) -> dict[str, Any]:
    content = None if version.content is None else orjson.Fragment(version.content)
    if view is not None:
        return {"view": view, "uri": uri, "version": version.offset, "state": version.state, "content": content}
    return {
        "uri": uri,
        "offset": version.offset,
        "time": rfc3339(version.time or 0),
        "op": "publish" if version.state == "published" else "unpublish",
        "data": content,
        **({} if version.problem is None else {"problem": version.problem}),
    }


def _short(value: Any) -> str:
    if value is ABSENT:
        return "(not there)"
    text = orjson.dumps(value).decode()
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 1] + "…"

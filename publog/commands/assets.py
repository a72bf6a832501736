"""`publog history`, `diff`, `explain` and `dependents`: one asset or view, its past, its parts and who uses it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import orjson
import typer
from rich.tree import Tree

from assets.model import check_uri, rfc3339
from denormalizer.changes import ABSENT, changes
from pipeline.as_of import LogViews
from publog.commands.views import AsOfOption, offset_of
from publog.options import CatalogOption, JsonOption, LogOption, known_view, settings_of
from publog.settings import Settings, UsedWrongly
from publog.terminal import out, say, warn, write_json, write_lines

if TYPE_CHECKING:
    from denormalizer.explain import Part

UriArgument = Annotated[str, typer.Argument(metavar="URI")]
OfViewOption = Annotated[
    str | None, typer.Option("--view", metavar="VIEW", help="Of this view rooted at the URI, not of the asset itself.")
]
VALUE_CHARACTERS_MAX = 120
"""Of a value in a diff for people."""

DEPENDENTS_SHOWN_MAX = 10
"""Roots of one view that are named for people; --json has them all."""


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


def explain(
    context: typer.Context,
    view: Annotated[str, typer.Argument(metavar="VIEW")],
    uri: UriArgument,
    as_of: AsOfOption = None,
    log: LogOption = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> int:
    """Why a view says what it says: its parts as a tree, each with its offset, and what made the last version.

    Example: `publog explain story news://article/flood`
    """
    # networkx takes half a second to import: only the command that needs it pays.
    from denormalizer.explain import explain as explain_view

    check_uri(uri)
    settings = settings_of(context, log, catalog=catalog)
    with closing(settings.open_log()) as opened:
        chosen = settings.load_catalog(opened)
        known_view(chosen.views, view)
        views = LogViews(opened, chosen)
        plan = next(plan for plan in views.plan.views if plan.definition.name == view)
        found = explain_view(views.at(offset_of(opened, as_of)), plan, uri)
        if found is None:
            warn(f"there is no view {view} of {uri}: it was never published, or is of another kind")
            return 1
        made = next(opened.read(found.version, found.version))
    cause = found.cause[-1]
    if json:
        write_json({"version": found.version, "cause": [part.uri for part in found.cause], "root": _part(found.root)})
        return 0
    tree = Tree(_label(found.root))
    _grow(tree, found.root)
    out.print(tree, markup=False)
    what = "unpublished" if made.value is None else "published"
    say(f"version {found.version}: {cause.uri} was {what} at {rfc3339(made.time)}")
    if len(found.cause) > 1:
        say("  it stands here as " + ".".join(part.path for part in found.cause[1:]))
    return 0


def dependents(
    context: typer.Context,
    uri: UriArgument,
    log: LogOption = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Who uses this: the views that a change of this asset would touch, counted by view.

    Example: `publog dependents news://tag/floods`
    """
    check_uri(uri)
    settings = settings_of(context, log, catalog=catalog)
    with closing(settings.open_log()) as opened:
        fold = LogViews(opened, settings.load_catalog(opened)).fold(opened.last_offset())
        found = [(view.view, view.uri, view.state) for view in fold.dependents(uri) if view.state == "live"]
    counts = Counter(view for view, _, _ in found)
    if json:
        write_json(
            {
                "uri": uri,
                "counts": dict(sorted(counts.items())),
                "views": [{"view": view, "uri": root} for view, root, _ in sorted(found)],
            }
        )
        return
    say(f"a change of {uri} touches {len(found):,} views")
    for view, count in sorted(counts.items()):
        say(f"  {view}: {count:,}")
        roots = sorted(root for name, root, _ in found if name == view)
        for root in roots[:DEPENDENTS_SHOWN_MAX]:
            say(f"    {root}", style="dim")
        if count > DEPENDENTS_SHOWN_MAX:
            say(f"    and {count - DEPENDENTS_SHOWN_MAX:,} more", style="dim")


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
        if uri.split("/")[2] not in catalog.kinds:
            raise UsedWrongly(f"the catalog has no kind {uri.split('/')[2]}; it has {', '.join(sorted(catalog.kinds))}")
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


def _label(part: "Part") -> str:
    where = f"{part.path}: " if part.path else ""
    at = f"  @{part.offset}" if part.offset is not None else ""
    return f"{where}{part.uri}{at}" + ("" if part.standing == "live" else f"  ({part.standing})")


def _grow(tree: Tree, part: "Part") -> None:
    for child in part.parts:
        _grow(tree.add(_label(child)), child)


def _part(part: "Part") -> dict[str, Any]:
    return {
        "path": part.path,
        "uri": part.uri,
        "standing": part.standing,
        "offset": part.offset,
        "parts": [_part(child) for child in part.parts],
    }

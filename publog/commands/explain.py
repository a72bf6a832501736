"""`publog explain` and `dependents`: what a view is made of, and who uses an asset."""

from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.tree import Tree

from assets.model import check_uri, rfc3339
from pipeline.as_of import LogViews
from publog.commands.views import AsOfOption, offset_of
from publog.options import CatalogOption, JsonOption, LogOption, UriArgument, known_view, settings_of
from publog.terminal import out, say, warn, write_json

if TYPE_CHECKING:
    from denormalizer.explain import Part

DEPENDENTS_SHOWN_MAX = 10
"""Roots of one view that are named for people; --json has them all."""


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

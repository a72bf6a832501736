"""`publog catalog`: the kinds and the views."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assets.catalog import Catalog
from assets.codec import check_compatibility
from assets.fixing import catalog_of
from publog.options import CatalogOption, JsonOption, LogOption, settings_of
from publog.settings import Settings
from publog.terminal import say, write_json

if TYPE_CHECKING:
    from denormalizer.kind_graph import KindGraph

app = typer.Typer(no_args_is_help=True, help="The kinds and the views, as data.")


@app.command("check")
def check(
    context: typer.Context, catalog: CatalogOption = None, log: LogOption = None, json: JsonOption = False
) -> None:
    """Check a catalog, and that it can read what the log holds; draw its kinds.

    Example: `publog catalog check --catalog my-catalog`
    """
    # networkx takes half a second to import: only the command that needs it pays.
    from denormalizer.kind_graph import kind_graph

    settings = settings_of(context, log, catalog=catalog)
    found, messages = _catalog(settings)
    graph = kind_graph(found)
    if json:
        write_json({**_described(found), **_graph(graph)})
        return
    _draw(found, graph)
    say(f"the catalog is good: {len(found.kinds)} kinds, {len(found.views)} views; {messages}", style="green")


@app.command("show")
def show(
    context: typer.Context, catalog: CatalogOption = None, log: LogOption = None, json: JsonOption = False
) -> None:
    """Show the catalog in force: its files, or with --json its kinds, references and views."""
    found, _ = _catalog(settings_of(context, log, catalog=catalog))
    if json:
        write_json(_described(found))
        return
    for name, text in found.files.items():
        say(f"--- {name}", style="bold")
        say(text.rstrip())


def _catalog(settings: Settings) -> tuple[Catalog, str]:
    """The catalog in force, and what was compared with it. Nothing is created by looking."""
    path = Path(settings.log.removeprefix("sqlite:"))
    if not settings.log.startswith("sqlite:") or not path.exists():
        return catalog_of(None, settings.catalog), "there is no log yet to compare it with"
    with closing(settings.open_log()) as opened:
        found = settings.load_catalog(opened)
        schemas = opened.schemas()
        check_compatibility(found.kinds, schemas)
    return found, f"it reads all {len(schemas)} schema versions of the log"


def _described(catalog: Catalog) -> dict[str, Any]:
    return {
        "digest": catalog.digest,
        "references": catalog.references,
        "kinds": {
            kind.name: {
                "fields": list(kind.record.fields),
                "references": {reference.path: list(reference.kinds) for reference in kind.references},
            }
            for kind in catalog.kinds.values()
        },
        "views": {
            view.name: {
                "root": view.root,
                "expand": list(view.expand),
                "depth": view.depth,
                "fields": {kind: list(fields) for kind, fields in view.fields.items()},
                "search": {
                    "text": dict(view.search.text),
                    "facets": list(view.search.facets),
                    "date": view.search.date,
                },
            }
            for view in catalog.views.values()
        },
        "interfaces": {
            name: {key: collection.view for key, collection in interface.collections.items()}
            for name, interface in catalog.interfaces.items()
        },
    }


def _graph(graph: "KindGraph") -> dict[str, Any]:
    return {
        "order": [list(group) for group in graph.order],
        "cycles": [list(group) for group in graph.cycles],
        "reach": {view: list(kinds) for view, kinds in graph.views.items()},
    }


def _draw(catalog: Catalog, graph: "KindGraph") -> None:
    for group in graph.order:
        for kind in group:
            say(kind, style="bold")
            for source, path, target in graph.references:
                if source == kind:
                    say(f"  {path} -> {target}")
    for cycle in graph.cycles:
        say("cycle: " + " -> ".join((*cycle, *cycle[:1])), style="yellow")
    for name, interface in catalog.interfaces.items():
        views = ", ".join(f"{key} from {collection.view}" for key, collection in interface.collections.items())
        say(f"interface {name}: {views}")
    for view, kinds in graph.views.items():
        root = catalog.views[view].root
        others = [kind for kind in kinds if kind != root]
        say(f"view {view}: {root}" + (f", touched by {', '.join(others)}" if others else ""))

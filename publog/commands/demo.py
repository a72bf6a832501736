"""`publog demo`: the whole path on a small invented newsroom, told as it goes."""

import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.panel import Panel
from rich.text import Text

from assets.catalog import newsroom_catalog
from assets.fixing import fix_catalog
from assets.gateway import Gateway
from assets.holding import HELD_FILE, Holding
from assets.imports import import_lines
from assets.intake import read_lines
from assets.log.port import Log
from assets.newsroom import demo_history
from indexers import open_index
from indexers.port import Facet, Hit, Query
from indexers.query import parse
from pipeline.as_of import LogViews
from pipeline.run import run_batch
from publog.options import settings_of
from publog.settings import HOME_DEFAULT, Settings, UsedWrongly
from publog.terminal import out, say

SEED_DEFAULT: Final = 1851
REPORTER: Final = "news://byline/ada-okafor"
NEW_NAME: Final = "Ada Okafor-Lindqvist"
STORY: Final = "news://article/rents-rise-fastest-northgate"
CHANGED_AT: Final = "2026-07-01T09:00:00Z"
FEED_STORIES_MAX: Final = 20


def demo(
    context: typer.Context,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed, another history.")] = SEED_DEFAULT,
) -> None:
    """Show the whole path on a small invented newsroom: publish, denormalize, search, change a byline, search again."""
    settings = settings_of(context)
    settings.home.mkdir(parents=True, exist_ok=True)
    with closing(settings.open_log(create=True)) as log:
        _refuse_other(log, settings)
        history = _write(settings.home / "demo" / "history.jsonl", demo_history(seed))
        _step(1, "Publish", "Normalized assets (articles, images, bylines, tags) go into one ordered log.")
        _publish(settings, log, history)
        _sample(log)

        _step(2, "Denormalize", "A Beam pipeline joins them into content views and indexes them.")
        _run(settings, log)

        _step(3, "Search", "publog search 'rents' --view story --facet section")
        _search(settings, "rents")

        _step(4, "Change one asset", f"A reporter marries. Who uses her byline?\npublog dependents {REPORTER}")
        before = log.last_offset()
        touched = sum(
            view.state == "live" for view in LogViews(log, newsroom_catalog()).fold(before).dependents(REPORTER)
        )
        say(f"{touched} views show her name. One message changes it:")
        _publish(settings, log, _write(settings.home / "demo" / "change.jsonl", [_renamed(demo_history(seed))]))
        _run(settings, log)
        _show_change(log)
        _search(settings, f'"{NEW_NAME}"', limit=2)

        _step(5, "Look", "Every story as a page, the newest as feeds, all rendered from the views.")
        folder = _pages(settings, log)
        say(f"open {folder / 'index.html'} in a browser")
    _what_next(settings)


def _refuse_other(log: Log, settings: Settings) -> None:
    first = next(log.read(), None)
    if first is not None and not (first.tx or "").startswith("demo-"):
        raise UsedWrongly(
            f"the log in {settings.home} is not a demo's, and the demo does not write into it;"
            " give it a home of its own: publog --home .publog-demo demo"
        )


def _step(number: int, title: str, text: str) -> None:
    out.print()
    heading = Text(f"{number}  {title}", style="bold").append(f"\n{text}", style="not bold")
    out.print(Panel(heading, expand=False, border_style="cyan"), soft_wrap=False)


def _write(path: Path, messages: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(message) + b"\n" for message in messages))
    return path


def _publish(settings: Settings, log: Log, path: Path) -> None:
    with closing(Holding(settings.home / HELD_FILE)) as holding:
        catalog = newsroom_catalog()
        gateway = Gateway(log, catalog, holding)
        fix_catalog(log, catalog)
        appended = present = 0
        for batch in import_lines(gateway, read_lines(str(path))):
            appended += batch.appended
            present += batch.present
    say(f"publog publish {path}", style="dim")
    say(f"{appended} messages appended" + (f", {present} were there already" if present else ""), style="green")


def _sample(log: Log) -> None:
    shown = [log_message for log_message in log.read(0, min(log.last_offset(), 400)) if log_message.uri == STORY][:1]
    views = LogViews(log, newsroom_catalog())
    for message in shown:
        version = next(views.asset_versions(STORY, message.offset))
        data: dict[str, Any] = orjson.loads(version.data or b"{}")
        say(f"message {message.offset} of the log, {message.uri}:", style="dim")
        for field in ("headline", "bylines", "images", "tags"):
            say(f"  {field}: {orjson.dumps(data[field]).decode()}")


def _run(settings: Settings, log: Log) -> None:
    say("publog run --batch", style="dim")
    manifest = run_batch(log=log.url, index=settings.index, catalog=newsroom_catalog(), folder=settings.home)
    say(
        f"{manifest.last + 1} messages became {manifest.total('live')} live views"
        f" and {manifest.total('gone')} tombstones, {manifest.bytes() / 1e3:,.0f} kB",
        style="green",
    )


def _search(settings: Settings, words: str, limit: int = 4) -> None:
    query = Query(text=parse(words), view="story", facets=[Facet("section", 4)], limit=limit, highlight=True)
    with closing(open_index(settings.index)) as index:
        found = index.search(query)
    say(f"{found.total} stories found for {words}", style="green")
    for hit in found.hits:
        content: dict[str, Any] = orjson.loads(hit.content)
        names = ", ".join(byline["name"] for byline in content["bylines"])
        out.print(Text(f"  {content['headline']}", style="bold").append(f"  {names}", style="not bold dim"))
        _fragment(hit)
    counts = ", ".join(f"{value} {count}" for value, count in found.facets["section"])
    say(f"  by section: {counts}", style="dim")


def _fragment(hit: Hit) -> None:
    for highlight in list(hit.highlights.values())[:1]:
        text = Text(f"    {highlight.fragment}")
        for start, end in highlight.marks:
            text.stylize("bold yellow", start + 4, end + 4)
        out.print(text)


def _renamed(history: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The reporter's last message again, with her new name."""
    last = [message for message in history if message["uri"] == REPORTER and message["op"] == "publish"][-1]
    data: dict[str, Any] = {**last["data"], "name": NEW_NAME, "last_name": NEW_NAME.split(" ", 1)[1]}
    return {**last, "time": CHANGED_AT, "tx": "demo-change", "data": data}


def _show_change(log: Log) -> None:
    views = LogViews(log, newsroom_catalog())
    newest = [version for _, version in zip(range(2), views.versions("story", STORY, log.last_offset()), strict=False)]
    for version in reversed(newest):
        content: dict[str, Any] = orjson.loads(version.content)
        out.print(
            Text(f"  story version {version.version:>4}  ", style="dim")
            .append(content["headline"], style="not dim")
            .append("  by ", style="dim")
            .append(", ".join(byline["name"] for byline in content["bylines"]), style="bold not dim")
        )


def _pages(settings: Settings, log: Log) -> Path:
    from denormalizer.pages import atom_feed, rss_feed, story_page

    folder = settings.home / "demo" / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    views = LogViews(log, newsroom_catalog()).fold(log.last_offset()).emit()
    stories: list[tuple[str, dict[str, Any]]] = [
        (view.uri, orjson.loads(view.content)) for view in views if view.view == "story" and view.state == "live"
    ]
    stories.sort(key=lambda story: (story[1]["published_at"] or "", story[0]), reverse=True)
    for uri, content in stories:
        (folder / f"{uri.rpartition('/')[2]}.html").write_text(story_page(content), encoding="utf-8")
    newest = [content for _, content in stories[:FEED_STORIES_MAX]]
    about: dict[str, Any] = {
        "title": "The newest from the demo newsroom",
        "link": "https://courier.example/",
        "updated": datetime.fromisoformat(CHANGED_AT),
    }
    (folder / "rss.xml").write_text(rss_feed(newest, **about), encoding="utf-8")
    (folder / "atom.xml").write_text(atom_feed(newest, **about), encoding="utf-8")
    front = next(content for uri, content in stories if uri == STORY)
    (folder / "index.html").write_text(story_page(front), encoding="utf-8")
    say(f"{len(stories)} pages, rss.xml and atom.xml in {folder}", style="green")
    return folder


def _what_next(settings: Settings) -> None:
    program = "publog"
    if shutil.which(program) is None:
        # Right after `make demo` it is on nobody's path.
        program = sys.argv[0] if Path(sys.argv[0]).name == program else "python -m publog"
    command = program if settings.home == Path(HOME_DEFAULT) else f"{program} --home {settings.home}"
    out.print()
    out.print(Panel("What to type next", expand=False, border_style="cyan"))
    for arguments, text in (
        ("search 'ferry -night' --facet tags.name", "search as you like"),
        (f"explain story {STORY}", "why does this page say that"),
        (f"history {STORY} --view story", "every version of the story"),
        (f"views --view story --uri {STORY} --as-of 2026-04-01T00:00:00Z", "the story as it was in spring"),
        ("catalog check", "the kinds and views; write your own"),
        ("publish FILE", "your own messages, as JSON Lines"),
        ("doctor --thorough", "prove the index against the log"),
    ):
        out.print(Text(f"  {command} {arguments}", style="bold").append(f"   {text}", style="not bold dim"))

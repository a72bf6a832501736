"""`publog search`: search the index from the terminal."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
import typer
from rich.text import Text

from indexers import open_index
from indexers.dates import Range, parse_range
from indexers.port import Facet, Highlight, Hit, Query, Results, Sort
from indexers.query import parse, replace
from indexers.waiting import wait_for
from publog.options import IndexOption, JsonOption, ViewOption, settings_of
from publog.settings import UsedWrongly
from publog.terminal import out, say, write_json

FRAGMENTS_SHOWN_MAX = 2
WAIT_SECONDS: Final = 10.0
"""How long `--at-least` waits if nothing else is said."""
TITLE_FIELDS = ("headline", "title", "name", "full_name", "web_title")
"""What a document may be called by, whatever its catalog: the first one there is."""


def search(
    context: typer.Context,
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help='Words, "phrases", OR, -not, (groups), field:value; empty: all.')
    ] = "",
    view: ViewOption = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", metavar="FIELD=VALUE", help="An exact value; the same field again: or, another field: and."
        ),
    ] = None,
    facets: Annotated[
        list[str] | None, typer.Option("--facet", metavar="FIELD", help="Count the values of this field.")
    ] = None,
    sort: Annotated[Sort, typer.Option(help="The order of what is found.")] = "relevance",
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Dated on this day or later.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Dated on this day or earlier.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Hits on a page.")] = 10,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    fuzzy: Annotated[
        bool, typer.Option("--fuzzy", help="Also find words with a slip in them; exact hits come first.")
    ] = False,
    at_least: Annotated[
        int | None,
        typer.Option(metavar="OFFSET", min=0, help="Wait until the index reflects this offset: a receipt's, say."),
    ] = None,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long at most.")] = WAIT_SECONDS,
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Search the index.

    Example: `publog search 'flood OR storm' --facet section --sort newest`
    """
    settings = settings_of(context, index=index)
    asked = Query(
        text=parse(query),
        view=view,
        filters=[_filter(text) for text in filters or ()],
        since=_day(since, ">=")[0],
        until=_day(until, "<=")[1],
        facets=[Facet(field) for field in facets or ()],
        sort=sort,
        limit=limit,
        cursor=cursor,
        highlight=True,
        fuzzy=fuzzy,
        correct=True,
    )
    with closing(open_index(settings.index)) as opened:
        if at_least is not None:
            wait_for(opened, at_least, wait)
        found = opened.search(asked)
    meant = replace(query, [(one.match, one.word) for one in found.corrections]) if found.corrections else None
    if json:
        write_json(_described(found, meant))
    else:
        _show(found)
        if meant is not None:
            say(f"did you mean: {meant}")


def _day(text: str | None, operator: str) -> Range:
    try:
        return (None, None) if text is None else parse_range(operator + text)
    except ValueError:
        raise UsedWrongly(f"{text!r} is no date; write 2026, 2026-11 or 2026-11-23") from None


def _filter(text: str) -> tuple[str, str]:
    field, separator, value = text.partition("=")
    if not separator:
        raise UsedWrongly(f"--filter {text}: write FIELD=VALUE")
    return field, value


def _described(found: Results, meant: str | None) -> dict[str, Any]:
    return {
        "total": found.total,
        "applied_through": found.applied_through,
        "generation": found.generation,
        "cursor": found.cursor,
        "facets": {
            field: [{"value": value, "count": count} for value, count in counts]
            for field, counts in found.facets.items()
        },
        "hits": [
            {
                "view": hit.view,
                "uri": hit.uri,
                "version": hit.version,
                "score": hit.score,
                "date": _date(hit),
                "highlights": {
                    path: {"fragment": found.fragment, "marks": [list(mark) for mark in found.marks]}
                    for path, found in hit.highlights.items()
                },
                "content": orjson.Fragment(hit.content),
            }
            for hit in found.hits
        ],
        "did_you_mean": meant,
    }


def _show(found: Results) -> None:
    say(f"{found.total:,} found", style="bold")
    for hit in found.hits:
        out.print()
        day = (_date(hit) or "")[:10]
        title = _title(hit)
        out.print(Text(f"{title}", style="bold"), Text(f"  {day}", style="dim"), sep="")
        say(f"  {hit.view}  {hit.uri}  v{hit.version}", style="dim")
        for fragment in list(hit.highlights.values())[:FRAGMENTS_SHOWN_MAX]:
            out.print(Text("  ").append_text(_marked(fragment)))
    for field, counts in found.facets.items():
        out.print()
        say(field, style="bold")
        for value, count in counts:
            say(f"  {count:>6,}  {value}")
    if found.cursor is not None:
        say()
        say(f"more: --cursor {found.cursor}", style="dim")


def _title(hit: Hit) -> str:
    content: dict[str, Any] = orjson.loads(hit.content)
    return next((str(content[name]) for name in TITLE_FIELDS if content.get(name)), hit.uri)


def _marked(highlight: Highlight) -> Text:
    text = Text(" ".join(highlight.fragment.split()) if not highlight.marks else highlight.fragment)
    for start, end in highlight.marks:
        text.stylize("bold yellow", start, end)
    return text


def _date(hit: Hit) -> str | None:
    return None if hit.date is None else datetime.fromtimestamp(hit.date, UTC).isoformat().replace("+00:00", "Z")

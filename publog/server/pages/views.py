"""A view's page: what it says, why it says that, and what it said before."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import orjson

from denormalizer.pages import story_article
from publog.server import content
from publog.server.content import AsOf, Explained, ExplainParameters, HistoryParameters, PartDocument, Uri, ViewName
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.limits import PARTS_DATED_MAX
from publog.server.log import Entry, entries_at
from publog.server.pages.layout import ask, endpoint, page, redirect, segment, view_path
from publog.server.pages.search import STORIES
from publog.server.pages.titles import title_of, titles_in
from publog.server.problems import Problem
from publog.server.search import Offset


class ViewPage(Parameters, frozen=True):
    view: ViewName
    uri: Uri
    as_of: AsOf = msgspec.UNSET
    at: Annotated[str, msgspec.Meta(description="A time in UTC without a zone, as a form's field gives it.")] = ""
    show: Literal["story", "why", "past"] = "story"
    before: Offset | msgspec.UnsetType = msgspec.UNSET


class Row(NamedTuple):
    """A part of a view, as deep as it stands in it."""

    depth: int
    part: PartDocument
    title: str
    message: Entry | None
    is_cause: bool


async def view(call: Call[ViewPage]) -> Reply:
    asked = call.parameters
    if asked.at:
        return redirect(f"{view_path(asked.view, asked.uri)}?as_of={segment(asked.at)}Z&show=past")
    as_of = asked.as_of or msgspec.UNSET
    record: dict[str, Any] | None = None
    gone: int | None = None
    tag = ""
    try:
        answer = await ask(call, content.view, content.ViewParameters(asked.view, asked.uri, as_of))
        record, tag = orjson.loads(answer.value), answer.headers["ETag"]
    except Problem as problem:
        if problem.status != 410:
            raise
        gone = problem.document.offset
    shown: dict[str, Any] = {} if record is None else record["content"]
    rows: list[Row] = []
    cause: list[str] = []
    if asked.show == "why" and record is not None:
        # Of what is shown: the log may be further than the index.
        shown_at = as_of or str(record["version"])
        explained = await ask(call, content.explain, ExplainParameters(asked.uri, asked.view, shown_at))
        rows = await call.in_thread(_rows, call, explained.value, shown)
        cause = explained.value.cause
    history: content.History | None = None
    messages: dict[int, Entry] = {}
    if asked.show == "past":
        history = (await ask(call, content.history, HistoryParameters(asked.uri, asked.view, asked.before, 20))).value
        assert history is not None
        messages = await call.in_thread(entries_at, call.newsroom, [one.offset for one in history.versions])
    version = gone if record is None else record["version"]
    made_by = (await call.in_thread(entries_at, call.newsroom, [version])).get(version) if version is not None else None
    return await page(
        call,
        "view.html.j2",
        status=410 if record is None else 200,
        asked=asked,
        as_of=as_of or "",
        record=record,
        gone=gone,
        tag=tag,
        made_by=made_by,
        is_story=STORIES in shown,
        article=story_article(shown) if STORIES in shown else "",
        title=title_of(shown) or asked.uri,
        rows=rows,
        cause=cause,
        history=history,
        messages=messages,
        own_path=view_path(asked.view, asked.uri),
    )


def _rows(call: Call[Any], explained: Explained, shown: dict[str, Any]) -> list[Row]:
    titles = titles_in(shown)
    found = list(_flat(explained.root, 0))
    offsets = [part.offset for _, part in found[:PARTS_DATED_MAX] if part.offset is not None]
    messages = entries_at(call.newsroom, offsets)
    return [
        Row(
            depth,
            part,
            titles.get(part.uri, ""),
            None if part.offset is None else messages.get(part.offset),
            part.offset == explained.version,
        )
        for depth, part in found
    ]


def _flat(part: PartDocument, depth: int) -> Iterator[tuple[int, PartDocument]]:
    yield depth, part
    for child in part.parts:
        yield from _flat(child, depth + 1)


PAGES: Final[list[Endpoint[Any]]] = [endpoint("/pages/views/{view}/{uri}", "View", view, ViewPage)]

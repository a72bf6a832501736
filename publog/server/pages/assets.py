"""The asset browser: what was published, what it refers to, who uses it, and what it was before."""

from typing import Any, Final, Literal

import msgspec
import orjson

from assets.model import kind_of
from publog.server import content, log
from publog.server.content import AsOf, AssetParameters, DiffParameters, HistoryParameters, Uri, UriParameters
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.log import LogParameters
from publog.server.pages.layout import ask, asset_path, catalog_of, endpoint, page, redirect
from publog.server.pages.titles import title_of
from publog.server.problems import Problem
from publog.server.search import Offset

_LATEST: Final = 20


class OpenPage(Parameters, frozen=True):
    uri: str = ""


class AssetPage(Parameters, frozen=True):
    uri: Uri
    show: Literal["data", "used-by", "history", "changes"] = "data"
    as_of: AsOf = msgspec.UNSET
    before: Offset | msgspec.UnsetType = msgspec.UNSET
    a: Offset | msgspec.UnsetType = msgspec.UNSET
    b: Offset | msgspec.UnsetType = msgspec.UNSET


async def open_(call: Call[OpenPage]) -> Reply:
    """The box that takes a URI."""
    uri = call.parameters.uri.strip()
    if uri:
        return redirect(asset_path(uri))
    latest = (await ask(call, log.log, LogParameters(limit=_LATEST))).value
    newest = list({message.uri: message for message in latest.messages}.values())[::-1]
    return await page(call, "assets.html.j2", latest=newest)


async def asset(call: Call[AssetPage]) -> Reply:
    asked = call.parameters
    as_of = asked.as_of or msgspec.UNSET
    document: content.AssetDocument | None = None
    problem: Problem | None = None
    try:
        document = (await ask(call, content.asset, AssetParameters(asked.uri, as_of))).value
    except Problem as error:
        if error.status not in (409, 410):
            raise
        problem = error
    data: dict[str, Any] = {} if document is None else orjson.loads(bytes(document.data))
    values: dict[str, Any] = {"touched": None, "history": None, "difference": None}
    match asked.show:
        case "used-by":
            values["touched"] = (await ask(call, content.dependents, UriParameters(asked.uri))).value
        case "history":
            parameters = HistoryParameters(asked.uri, before=asked.before)
            values["history"] = (await ask(call, content.history, parameters)).value
        case "changes" if asked.a is not msgspec.UNSET and asked.b is not msgspec.UNSET:
            parameters = DiffParameters(asked.uri, asked.a, asked.b)
            values["difference"] = (await ask(call, content.diff, parameters)).value
        case _:
            pass
    kind = kind_of(asked.uri)
    views = [name for name, one in (await catalog_of(call)).views.items() if one.root == kind]
    return await page(
        call,
        "asset.html.j2",
        status=200 if problem is None else problem.status,
        asked=asked,
        as_of=as_of or "",
        document=document,
        data=data,
        source=orjson.dumps(data, option=orjson.OPT_INDENT_2).decode(),
        problem=None if problem is None else problem.document,
        title=title_of(data) or asked.uri,
        kind=kind,
        views=views,
        unset=msgspec.UNSET,
        own_path=asset_path(asked.uri),
        **values,
    )


PAGES: Final[list[Endpoint[Any]]] = [
    endpoint("/pages/assets", "Assets", open_, OpenPage),
    endpoint("/pages/assets/{uri}", "Asset", asset, AssetPage),
]

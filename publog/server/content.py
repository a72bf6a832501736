"""Views and assets over HTTP: as they are, as they were, what they are made of and who uses them."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Annotated, Any, Final, Literal

import msgspec
import orjson

from assets.model import NEVER, URI_PATTERN, check_uri, rfc3339
from denormalizer.changes import ABSENT, changes
from denormalizer.view import View
from pipeline.as_of import watermark_of
from publog.server.endpoints import Call, Endpoint, Parameters, Reply, tagged
from publog.server.limits import VERSIONS_MAX
from publog.server.messages import Touched, touched
from publog.server.newsroom import Reader
from publog.server.problems import NotThere, Problem, Unusable
from publog.server.search import Offset

Uri = Annotated[
    str,
    msgspec.Meta(
        description="An asset's URI, percent-encoded whole (`/` as %2F).",
        examples=["news://article/1"],
        extra_json_schema={"pattern": "^" + URI_PATTERN},
    ),
]
ViewName = Annotated[str, msgspec.Meta(min_length=1, description="A view of the catalog.")]
AsOf = (
    Annotated[
        str,
        msgspec.Meta(
            description="An offset, or an RFC 3339 time: as it was then.",
            examples=["1200"],
            extra_json_schema={
                "pattern": "^([0-9]{1,18}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))$"
            },
        ),
    ]
    | msgspec.UnsetType
)


class ViewParameters(Parameters, frozen=True):
    view: ViewName
    uri: Uri
    as_of: AsOf = msgspec.UNSET


class AssetParameters(Parameters, frozen=True):
    uri: Uri
    as_of: AsOf = msgspec.UNSET


class UriParameters(Parameters, frozen=True):
    uri: Uri


class HistoryParameters(Parameters, frozen=True):
    uri: Uri
    view: ViewName | msgspec.UnsetType = msgspec.UNSET
    before: Annotated[Offset, msgspec.Meta(description="Only versions before this offset.")] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    limit: Annotated[int, msgspec.Meta(ge=1, le=VERSIONS_MAX, description="Versions on a page.")] = 20


class ExplainParameters(Parameters, frozen=True):
    uri: Uri
    view: ViewName
    as_of: AsOf = msgspec.UNSET


class DiffParameters(Parameters, frozen=True):
    uri: Uri
    a: Annotated[Offset, msgspec.Meta(description="An offset.")]
    b: Annotated[Offset, msgspec.Meta(description="Another.")]
    view: ViewName | msgspec.UnsetType = msgspec.UNSET


class ViewRecord(msgspec.Struct, omit_defaults=True):
    """A view at a watermark."""

    view: str
    uri: str
    version: int
    """The highest offset of any message of the assets in the closure."""
    state: Literal["live", "gone"]
    content: dict[str, Any]
    sources: dict[str, int | None]
    """The closure, each asset with its last offset."""
    bounds: list[str] = []
    """The bounds that cut it short."""


class Version(msgspec.Struct, omit_defaults=True):
    """A version of an asset, or of a view."""

    offset: int
    state: Literal["published", "unpublished", "live", "gone"]
    content: msgspec.Raw | None
    time: str | None = None
    """When the asset was published."""
    problem: str | None = None
    """Why it can't be read."""


class AssetDocument(msgspec.Struct):
    """An asset."""

    uri: str
    kind: str
    offset: int
    time: str
    data: msgspec.Raw


class History(msgspec.Struct):
    """Versions, newest first."""

    uri: str
    versions: list[Version]
    before: int | None
    """For the next page; null on the last."""


class Change(msgspec.Struct, omit_defaults=True):
    """A place where two versions differ; a side is missing where it has nothing there."""

    path: str
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET


class Difference(msgspec.Struct):
    """What changed from one offset to another."""

    uri: str
    a: int | None
    """The version there was at a; null: none yet."""
    b: int | None
    changes: list[Change]


class PartDocument(msgspec.Struct):
    """An asset where it stands in a view."""

    path: str
    uri: str
    standing: Literal["live", "unpublished", "missing", "cycle", "beyond depth"]
    offset: int | None
    parts: list["PartDocument"]


class Explained(msgspec.Struct):
    """Why a view says what it says."""

    version: int
    cause: list[str]
    """From the root to the asset whose message made the version."""
    root: PartDocument


async def view(call: Call[ViewParameters]) -> Reply:
    return await call.in_thread(_view, call)


def _view(call: Call[ViewParameters]) -> Reply:
    asked = call.parameters
    check_uri(asked.uri)
    if asked.as_of is not msgspec.UNSET:
        with call.newsroom.reading() as reader:
            _check_view(reader, asked.view)
            last = watermark_of(reader.log, asked.as_of)
            found = next(reader.views.at(last).views(asked.uri, asked.view), None) if last > NEVER else None
            return _record(call, found)
    found = call.newsroom.index.get(asked.view, asked.uri)
    if found is None:
        with call.newsroom.reading() as reader:
            _check_view(reader, asked.view)
    return _record(call, found)


def _record(call: Call[ViewParameters], found: View | None) -> Reply:
    asked = call.parameters
    if found is None:
        raise NotThere(f"there is no view {asked.view} of {asked.uri}")
    if found.state == "gone":
        raise _gone(asked.uri, found.version)
    line = found.to_line()
    # By another catalog the same version is made of other bytes.
    return tagged(call, f"{found.version}-{blake2b(line, digest_size=8).hexdigest()}", line)


async def asset(call: Call[AssetParameters]) -> Reply:
    return await call.in_thread(_asset, call)


def _asset(call: Call[AssetParameters]) -> Reply:
    asked = call.parameters
    kind = check_uri(asked.uri)
    with call.newsroom.reading() as reader:
        last = reader.log.last_offset() if asked.as_of is msgspec.UNSET else watermark_of(reader.log, asked.as_of)
        found = next(_asset_versions(reader, asked.uri, kind, last), None)
        digest = reader.catalog.digest
    if found is None:
        raise NotThere(f"{asked.uri} was never published")
    if found.state == "unpublished":
        raise _gone(asked.uri, found.offset)
    if found.content is None:
        raise Problem(
            409, "unreadable", "The asset can't be read", f"message {found.offset} can't be read: {found.problem}"
        )
    return tagged(
        call,
        f"{found.offset}-{digest[:24]}",
        AssetDocument(asked.uri, kind, found.offset, found.time or "", found.content),
    )


async def history(call: Call[HistoryParameters]) -> Reply:
    return await call.in_thread(_history, call)


def _history(call: Call[HistoryParameters]) -> Reply:
    asked = call.parameters
    with call.newsroom.reading() as reader:
        last = reader.log.last_offset()
        if asked.before is not msgspec.UNSET:
            last = min(last, asked.before - 1)
        found = list(islice(_versions(reader, asked.uri, asked.view or None, last), asked.limit + 1))
    page = found[: asked.limit]
    return Reply(History(asked.uri, page, page[-1].offset if len(found) > len(page) else None))


async def diff(call: Call[DiffParameters]) -> Reply:
    return await call.in_thread(_diff, call)


def _diff(call: Call[DiffParameters]) -> Reply:
    asked = call.parameters
    with call.newsroom.reading() as reader:
        a, b = (next(_versions(reader, asked.uri, asked.view or None, offset), None) for offset in (asked.a, asked.b))
    found = [
        Change(
            change.path,
            msgspec.UNSET if change.before is ABSENT else change.before,
            msgspec.UNSET if change.after is ABSENT else change.after,
        )
        for change in changes(_content(a), _content(b))
    ]
    return Reply(Difference(asked.uri, None if a is None else a.offset, None if b is None else b.offset, found))


async def dependents(call: Call[UriParameters]) -> Reply:
    check_uri(call.parameters.uri)
    await call.newsroom.caught_up()
    return Reply(await call.in_thread(touched, call.newsroom, [call.parameters.uri]))


async def explain(call: Call[ExplainParameters]) -> Reply:
    return await call.in_thread(_explain, call)


def _explain(call: Call[ExplainParameters]) -> Reply:
    # networkx takes half a second to import: only who asks waits for it.
    from denormalizer.explain import explain as explain_view

    asked = call.parameters
    check_uri(asked.uri)
    with call.newsroom.reading() as reader:
        _check_view(reader, asked.view)
        last = reader.log.last_offset() if asked.as_of is msgspec.UNSET else watermark_of(reader.log, asked.as_of)
        plan = next(plan for plan in reader.views.plan.views if plan.definition.name == asked.view)
        found = explain_view(reader.views.at(last), plan, asked.uri)
        if found is None:
            raise NotThere(f"there is no view {asked.view} of {asked.uri}")
        root = msgspec.convert(found.root, PartDocument, from_attributes=True)
        return Reply(Explained(found.version, [part.uri for part in found.cause], root))


def _versions(reader: Reader, uri: str, view: str | None, last: int) -> Iterator[Version]:
    """Newest first."""
    kind = check_uri(uri)
    if view is None:
        yield from _asset_versions(reader, uri, kind, last)
        return
    _check_view(reader, view)
    for record in reader.views.versions(view, uri, min(last, reader.log.last_offset())):
        yield Version(record.version, record.state, msgspec.Raw(record.content) if record.state == "live" else None)


def _asset_versions(reader: Reader, uri: str, kind: str, last: int) -> Iterator[Version]:
    if kind not in reader.catalog.kinds:
        raise NotThere(f"the catalog has no kind {kind}; it has {', '.join(sorted(reader.catalog.kinds))}")
    for message, data, problem in reader.views.asset_versions(uri, last):
        yield Version(
            message.offset,
            "unpublished" if message.value is None else "published",
            None if data is None else msgspec.Raw(data),
            rfc3339(message.time),
            problem,
        )


def _content(version: Version | None) -> Any:
    return ABSENT if version is None or version.content is None else orjson.loads(bytes(version.content))


def _check_view(reader: Reader, view: str) -> None:
    if view not in reader.catalog.views:
        known = sorted(reader.catalog.views)
        raise Unusable(f"view: the catalog has no view {view[:100]!r}", "view", known)


def _gone(uri: str, version: int) -> Problem:
    return Problem(
        410, "gone", "It was unpublished", f"{uri} was unpublished; as_of shows it as it was", offset=version
    )


def _get(path: str, name: str, summary: str, handle: Any, answer: tuple[str, Any], parameters: Any) -> Endpoint[Any]:
    return Endpoint(
        "GET", path, name, summary, handle, {200: answer}, parameters, scopes=("search",), problems=(404, 409, 410, 503)
    )


ENDPOINTS: Final = [
    _get(
        "/v1/views/{view}/{uri}",
        "view",
        "A view, now or as it was",
        view,
        ("The view's record", ViewRecord),
        ViewParameters,
    ),
    _get(
        "/v1/assets/{uri}", "asset", "An asset, now or as it was", asset, ("The asset", AssetDocument), AssetParameters
    ),
    _get(
        "/v1/assets/{uri}/history",
        "history",
        "The versions of an asset or of a view",
        history,
        ("Newest first", History),
        HistoryParameters,
    ),
    _get(
        "/v1/assets/{uri}/dependents",
        "dependents",
        "The views that a change of this asset would touch",
        dependents,
        ("The views, counted", Touched),
        UriParameters,
    ),
    _get(
        "/v1/assets/{uri}/explain",
        "explain",
        "Why a view says what it says",
        explain,
        ("Its parts as a tree", Explained),
        ExplainParameters,
    ),
    _get(
        "/v1/assets/{uri}/diff",
        "diff",
        "What changed between two offsets",
        diff,
        ("The innermost places that differ", Difference),
        DiffParameters,
    ),
]

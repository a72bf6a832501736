"""Errors as problem+json (RFC 9457): every error that leaves the server has this shape, whatever raised it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from assets.errors import (
    AssetsError,
    Conflict,
    InvalidMessage,
    InvalidUri,
    LogBusy,
    LogUnreachable,
    MissingReferences,
    NotAllowed,
)
from indexers.errors import IndexBehind, IndexersError, InvalidQuery, NoIndex, UnknownField, UnknownView
from indexers.errors import TransientError as IndexTransient
from pipeline.as_of import NoWatermark
from pipeline.errors import JobRunning, UnusableJob
from publog.server.limits import RETRY_AFTER_SECONDS

PROBLEM_TYPE: Final = "application/problem+json"
_PREFIX: Final = "urn:publog:problem:"


class Place(msgspec.Struct, omit_defaults=True):
    """One thing that is wrong, and where."""

    detail: str
    field: str | None = None
    """A dotted path from a message's root, or a parameter's name."""
    line: int | None = None
    """Of an NDJSON body, from 1; of a JSON array its item, from 1."""
    type: str | None = None
    offset: int | None = None
    """With a conflict: where the asset is now; -1 when it was never published."""


class ProblemDocument(msgspec.Struct, omit_defaults=True):
    """What went wrong (RFC 9457)."""

    type: str
    """Stable: programs decide by it."""
    title: str
    status: int
    detail: str
    request_id: str = ""
    field: str | None = None
    line: int | None = None
    position: int | None = None
    """Of a query's text, in characters from 0."""
    known: list[str] | None = None
    """What could have stood there instead."""
    offset: int | None = None
    """With a conflict: where the asset is now; -1 when it was never published."""
    lag: int | None = None
    """With an index that is behind: by how many messages, or how many offsets behind the one that was asked for."""
    errors: list[Place] | None = None
    """Everything that is wrong, where it is more than one thing or has places."""


class Problem(Exception):
    """An answer that is an error."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        field: str | None = None,
        line: int | None = None,
        position: int | None = None,
        known: list[str] | None = None,
        offset: int | None = None,
        lag: int | None = None,
        errors: list[Place] | None = None,
    ) -> None:
        super().__init__(detail)
        self.headers = dict(headers or {})
        self.document = ProblemDocument(
            _PREFIX + code,
            title,
            status,
            detail,
            field=field,
            line=line,
            position=position,
            known=known,
            offset=offset,
            lag=lag,
            errors=errors,
        )

    @property
    def status(self) -> int:
        return self.document.status

    def response(self, request_id: str) -> Response:
        document = msgspec.structs.replace(self.document, request_id=request_id)
        return Response(msgspec.json.encode(document), self.status, self.headers, PROBLEM_TYPE)


class Unusable(Problem):
    """A parameter, or a body, that can't be used as it is."""

    def __init__(self, detail: str, field: str | None = None, known: list[str] | None = None) -> None:
        super().__init__(422, "invalid-parameter", "A parameter can't be used", detail, field=field, known=known)


class NotThere(Problem):
    """What was asked for does not exist."""

    def __init__(self, detail: str) -> None:
        super().__init__(404, "not-found", "There is nothing here", detail)


def of_status(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for a plain HTTP status."""
    title = HTTPStatus(status).phrase
    return Problem(status, title.lower().replace(" ", "-"), title, detail, headers=headers)


def of_message(error: InvalidMessage, line: int | None = None) -> Place:
    """What is wrong with one message."""
    code = "invalid-message"
    offset = None
    if isinstance(error, Conflict):
        code, offset = "conflict", -1 if error.present is None else error.present
    elif isinstance(error, NotAllowed):
        code = "forbidden"
    elif isinstance(error, MissingReferences):
        code = "missing-references"
    return Place(error.rule, error.field or None, line, _PREFIX + code, offset)


def refused(places: list[Place]) -> Problem:
    """The problem with messages of which nothing was taken; the first says what kind of problem it is."""
    # The others were refused only because they share a transaction with it.
    first = next(place for place in places if place.type is not None)
    code = (first.type or "").removeprefix(_PREFIX)
    status, title = {
        "conflict": (409, "The asset has moved on"),
        "forbidden": (403, "The key does not allow this"),
        "missing-references": (422, "Something it refers to was never published"),
    }.get(code, (422, "The message can't be taken"))
    detail = f"{first.field}: {first.detail}" if first.field else first.detail
    return Problem(status, code, title, detail, field=first.field, line=first.line, offset=first.offset, errors=places)


def problem_of(error: Exception) -> Problem | None:
    """The problem that an error of the packages below is; None where it is nobody's fault but our own."""
    match error:
        case Problem():
            return error
        case InvalidMessage():
            return refused([of_message(error)])
        case InvalidUri():
            return Problem(422, "invalid-uri", "This is no asset's URI", str(error), field="uri")
        case InvalidQuery():
            known = list(error.known) if isinstance(error, UnknownField | UnknownView) else None
            return Problem(
                422, "invalid-query", "The search means nothing", str(error), position=error.position, known=known
            )
        case NoWatermark():
            return Unusable(f"as_of: {error}", "as_of")
        case UnusableJob():
            return Problem(409, "unusable-job", "This can't be done as it is", str(error))
        case JobRunning():
            return _later("job-running", "Another job is at work", str(error))
        case IndexBehind():
            return _later("index-behind", "The index is behind", str(error), lag=error.lag)
        case NoIndex():
            return _later("no-index", "There is no index yet", str(error))
        case LogBusy():
            return _later("log-busy", "The log is being written", "Another writer holds the log; try again.")
        case LogUnreachable():
            return _later(
                "log-unreachable",
                "The log can't be reached",
                "The log doesn't answer; try again, with the same ids: nothing is appended twice.",
            )
        case IndexTransient():
            return _later("index-unavailable", "The index can't be used now", "The index can't be used now; try again.")
        case AssetsError() | IndexersError() | _:
            return None


def _later(code: str, title: str, detail: str, lag: int | None = None) -> Problem:
    return Problem(503, code, title, detail, lag=lag, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def fault() -> Problem:
    """A fault of our own: the log of the server says more, the answer does not."""
    return Problem(
        500,
        "fault",
        "The server is at fault",
        "A fault in publog itself; its log has the details under this request id.",
    )

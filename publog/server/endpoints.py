"""What an endpoint is: one declaration that requests are parsed by and that the OpenAPI description is made from."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import parse_qsl, unquote

import anyio
import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from publog.keys import Key
from publog.server.limits import FEEDS_MAX, PARAMETERS_MAX, SEARCHES_MIN, THREADS_MAX
from publog.server.newsroom import Newsroom
from publog.server.problems import PROBLEM_TYPE, Problem, ProblemDocument, Unusable

Scope = Literal["publish", "search", "admin"]
"""What a key may allow."""

JSON_TYPE: Final = "application/json"
EVENTS_TYPE: Final = "text/event-stream"

_MISSING: Final = "Object missing required field "
_IN_PATH: Final = re.compile(r"\{(\w+)(?::\w+)?\}")


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Of an endpoint that takes none. The fields of a subclass are its parameters.

    Those named in its path are one percent-encoded segment each, the others are the query's.
    """


P = TypeVar("P", bound=Parameters)
R = TypeVar("R")


@dataclass(frozen=True)
class Reply:
    """An answer that is no error: a value that msgspec can write, or bytes of another type."""

    value: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    media_type: str = JSON_TYPE

    def response(self) -> Response:
        body = self.value if isinstance(self.value, bytes) else msgspec.json.encode(self.value)
        return Response(body, self.status, dict(self.headers), self.media_type)


@dataclass(frozen=True)
class Events:
    """An answer that goes on: server-sent events."""

    events: AsyncIterator[bytes]
    on_end: Callable[[], None]

    def response(self) -> Response:
        return _Events(self.events, self.on_end)


class _Events(StreamingResponse):
    def __init__(self, events: AsyncIterator[bytes], on_end: Callable[[], None]) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store"}, media_type=EVENTS_TYPE)
        self._on_end = on_end

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


@dataclass(frozen=True)
class Manners:
    """How an API of others has it: the shape of its errors, and where its clients put their key."""

    error: Any
    """The type of its errors."""
    of_problem: Callable[[Problem], Any]
    statuses: Mapping[int, int] = field(default_factory=dict[int, int])
    """A problem's status to the one that its clients know instead."""
    media_type: str = JSON_TYPE
    key_parameter: str | None = None
    """A parameter of the query that may hold the key."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def status(self, problem: int) -> int:
        """What a problem's status is here."""
        return self.statuses.get(problem, problem)

    def response(self, problem: Problem) -> Response:
        """A problem as its clients know it."""
        status = self.status(problem.status)
        return Response(
            msgspec.json.encode(self.of_problem(problem)), status, {**problem.headers, **self.headers}, self.media_type
        )


@dataclass(frozen=True)
class Call(Generic[P]):
    """One request to one endpoint."""

    newsroom: Newsroom
    request: Request
    parameters: P
    threads: "Threads"
    key: Key | None = None
    """That was shown, and is good for this."""
    readmit: Callable[[], object] = lambda: None
    """Admit it again: raises where the key was good, and is not any more."""

    @property
    def kinds(self) -> frozenset[str] | None:
        """The kinds that may be published; None for every kind."""
        return None if self.key is None else self.key.kinds

    async def in_thread(self, work: Callable[..., R], *arguments: Any) -> R:
        """Do what blocks where it does not stop the others."""
        return await run_sync(partial(work, *arguments), limiter=self.threads.many)

    async def searching(self, work: Callable[..., R], *arguments: Any) -> R:
        """Search: as many at a time as there are processors, since more would only take turns and keep each other up."""
        return await run_sync(partial(work, *arguments), limiter=self.threads.searching)

    async def alone(self, work: Callable[..., R], *arguments: Any) -> R:
        """Publish: one request at a time does, and the others wait without a thread of theirs."""
        return await run_sync(partial(work, *arguments), limiter=self.threads.one)


@dataclass(frozen=True)
class Endpoint(Generic[P]):
    """One method of one path."""

    method: Literal["GET", "POST"]
    path: str
    """Its parameters in braces."""
    name: str
    """What a program calls it by."""
    summary: str
    handle: Callable[[Call[P]], Awaitable[Reply | Events]]
    answers: Mapping[int, tuple[str, Any]]
    """Status to what it means and the type of its value; `bytes` for what is not JSON."""
    parameters: type[P]
    scopes: tuple[Scope, ...] = ()
    """A key must allow one of these; with none, nobody is asked."""
    bodies: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Media type to the type of what may be sent."""
    problems: tuple[int, ...] = ()
    """Statuses of errors that only this one has."""
    media_type: str = JSON_TYPE
    has_events: bool = False
    """Whether it answers with server-sent events those who accept them."""
    is_page: bool = False
    """For people: its errors are pages too, it takes who signed in for who shows the key, and no program needs to know it."""
    manners: Manners | None = None
    """Of an API of others; None for our own."""

    @property
    def in_path(self) -> list[str]:
        return _IN_PATH.findall(self.path)

    @property
    def in_query(self) -> list[str]:
        return [name for name in self.parameters.__struct_encode_fields__ if name not in self.in_path]

    @property
    def shown_path(self) -> str:
        """The path as it is described: without how much of it a parameter takes."""
        return _IN_PATH.sub(r"{\1}", self.path)

    @property
    def error(self) -> tuple[str, Any]:
        """The media type and the type of its errors."""
        return (
            (PROBLEM_TYPE, ProblemDocument) if self.manners is None else (self.manners.media_type, self.manners.error)
        )

    def failed(self, problem: Problem, request_id: str) -> Response:
        """An answer that is an error."""
        return problem.response(request_id) if self.manners is None else self.manners.response(problem)


class Threads:
    """The threads that may be at work for requests."""

    def __init__(self) -> None:
        self.many = anyio.CapacityLimiter(THREADS_MAX)
        self.one = anyio.CapacityLimiter(1)
        self.feeds = anyio.CapacityLimiter(FEEDS_MAX)
        self.searching = anyio.CapacityLimiter(max(os.cpu_count() or 1, SEARCHES_MIN))


def tagged(call: Call[Any], tag: str, value: Any) -> Reply:
    """A value that stays the same for as long as its tag does; whoever has it gets nothing again."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    known = [text.strip().removeprefix("W/") for text in call.request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known or known == ["*"]:
        return Reply(b"", 304, headers)
    return Reply(value, headers=headers)


def parse(endpoint: Endpoint[P], request: Request) -> P:
    """The typed parameters of a request.

    Raises:
        Problem: one is unknown, repeated, missing or not what it should be.
    """
    known = endpoint.in_query
    values: dict[str, Any] = {}
    try:
        for name in endpoint.in_path:
            values[name] = unquote(request.path_params[name], errors="strict")
        query = request.scope["query_string"].decode("ascii")
        given = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except UnicodeDecodeError:
        raise Unusable("the address is not percent-encoded UTF-8") from None
    except ValueError:
        raise Unusable(f"there are more than {PARAMETERS_MAX} parameters") from None
    repeatable = _repeatable(endpoint.parameters)
    for name, value in given:
        if name not in known:
            told = f"use {', '.join(known)}" if known else "there are none here"
            raise Unusable(f"{name[:100]!r} is no parameter of this; {told}", name[:100], known)
        if name in repeatable:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise Unusable(f"{name} is given more than once", name, known)
        else:
            values[name] = value
    try:
        return msgspec.convert(values, endpoint.parameters, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(error, known) from None


@cache
def _repeatable(parameters: type[Parameters]) -> set[str]:
    info = msgspec.inspect.type_info(parameters)
    assert isinstance(info, msgspec.inspect.StructType)
    return {field.encode_name for field in info.fields if isinstance(_bare(field.type), msgspec.inspect.VarTupleType)}


def _bare(type_: msgspec.inspect.Type) -> msgspec.inspect.Type:
    return _bare(type_.type) if isinstance(type_, msgspec.inspect.Metadata) else type_


def _explained(error: msgspec.ValidationError, known: list[str]) -> Problem:
    reason, _, place = str(error).partition(" - at `$.")
    if reason.startswith(_MISSING):
        missing = reason.removeprefix(_MISSING).strip("`")
        return Unusable(f"{missing} is required", missing, known)
    name = place.rstrip("`").partition("[")[0]
    reason = reason.replace("`", "").replace("str ", "text ")
    return Unusable(f"{name}: {reason[:1].lower()}{reason[1:]}", name, known)

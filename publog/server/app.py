"""The application: a table of endpoints behind the door."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from publog.server import (
    backfills,
    changes,
    compatible,
    content,
    dead_letters,
    health,
    key_ring,
    log,
    messages,
    openapi,
    pages,
    search,
    status,
)
from publog.server.admission import admit
from publog.server.cross_site import refuse_cross_site
from publog.server.door import Door, exchange_of, faults, misdirected
from publog.server.endpoints import Call, Endpoint, Threads, parse
from publog.server.metrics import Metrics
from publog.server.newsroom import Newsroom
from publog.server.pages.layout import problem_page, takes_pages
from publog.server.problems import fault, of_status, problem_of
from publog.server.rates import Rates
from publog.server.session import signed_in

Answer = Callable[[Request], Awaitable[Response]]


def table(metrics: Metrics) -> list[Endpoint[Any]]:
    """Every endpoint there is."""
    endpoints = [
        *health.endpoints(metrics),
        *messages.ENDPOINTS,
        *search.ENDPOINTS,
        *content.ENDPOINTS,
        *changes.ENDPOINTS,
        *status.ENDPOINTS,
        *log.ENDPOINTS,
        *backfills.ENDPOINTS,
        *dead_letters.ENDPOINTS,
        *key_ring.ENDPOINTS,
        *pages.FEEDS,
        *compatible.ENDPOINTS,
    ]
    described = openapi.endpoint([*endpoints, compatible.EVERY_PATH])
    return [*endpoints, described, *pages.PAGES, compatible.EVERY_PATH]


def build_app(newsroom: Newsroom, *, is_loopback: bool = True, metrics: Metrics | None = None) -> ASGIApp:
    """The application for one newsroom.

    Args:
        is_loopback: Whether it is reached from this machine only.
        metrics: What it counts in; its own where none are given.
    """
    metrics = metrics or Metrics(newsroom)
    answering = partial(_answering, newsroom=newsroom, threads=Threads(), rates=Rates(), is_loopback=is_loopback)
    *endpoints, every_path = table(metrics)

    def routed(endpoints: Iterable[Endpoint[Any]], otherwise: int) -> Starlette:
        app = Starlette(
            routes=[
                Route(path, _by_method(answers), methods=list(answers))
                for path, answers in _by_path(endpoints, answering).items()
            ],
            exception_handlers={HTTPException: _plain_problem},
        )
        app.router.redirect_slashes = False
        app.router.default = _otherwise(answering(every_path), otherwise)
        return app

    app = routed(endpoints, 404)
    # For another host's name there are only the APIs of others.
    elsewhere = routed([endpoint for endpoint in endpoints if endpoint.manners is not None], 421)
    return Door(app, elsewhere, metrics, newsroom.tracing, is_loopback=is_loopback)


def _by_path(
    endpoints: Iterable[Endpoint[Any]], answering: Callable[[Endpoint[Any]], Answer]
) -> dict[str, dict[str, Answer]]:
    """Path to method to what answers it."""
    paths: dict[str, dict[str, Answer]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method] = answering(endpoint)
    return paths


def _by_method(answers: Mapping[str, Answer]) -> Answer:
    """One answer for all methods of a path: what a method that it does not take is told names them all."""

    async def answer(request: Request) -> Response:
        return await answers["GET" if request.method == "HEAD" else request.method](request)

    return answer


def _answering(
    endpoint: Endpoint[Any], newsroom: Newsroom, threads: Threads, rates: Rates, *, is_loopback: bool
) -> Answer:
    async def answer(request: Request) -> Response:
        exchange = exchange_of(request.scope)
        exchange.route = endpoint.shown_path
        try:
            refuse_cross_site(request)
            shown = signed_in(newsroom.sessions, request) if endpoint.is_page or request.method != "POST" else request
            admitted = partial(admit, newsroom.keys, shown, endpoint, is_loopback=is_loopback)
            # Keys are looked up in a file, and a thread for nothing takes as long as a small search.
            is_plain = request.method == "GET" and "authorization" not in shown.headers
            key = admitted() if is_plain else await run_sync(admitted, limiter=threads.many)
            if key is not None:
                exchange.key = key.id
                rates.count(key)
            call = Call(newsroom, request, parse(endpoint, request), threads, key, admitted)
            return (await endpoint.handle(call)).response()
        except Exception as error:  # noqa: BLE001 - no error leaves as anything but a problem
            problem = problem_of(error)
            if problem is None:
                faults.exception("request %s", exchange.request_id)
                problem = fault()
            if endpoint.is_page and takes_pages(request):
                return problem_page(problem, request, exchange.request_id)
            return endpoint.failed(problem, exchange.request_id)

    return answer


def _otherwise(answer: Answer, status: int) -> ASGIApp:
    """What is done with a path that no route has: an API that takes every path has its turn, else it is this status."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        # Who shows no key does not speak that API, in which one always does.
        if request.method not in ("GET", "HEAD") or not _shows_key(request):
            raise HTTPException(status)
        scope["path_params"] = {"id": scope["path"].removeprefix("/")}
        await (await answer(request))(scope, receive, send)

    return handle


def _shows_key(request: Request) -> bool:
    return "authorization" in request.headers or "api-key" in request.query_params


async def _plain_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {
        404: "There is nothing at this path. /openapi.json has every path; a URI in one is percent-encoded whole, / too.",
        405: f"This path does not take {request.method}.",
    }
    if error.status_code == 421:
        return misdirected().response(exchange_of(request.scope).request_id)
    problem = of_status(error.status_code, details.get(error.status_code, error.detail), error.headers)
    request_id = exchange_of(request.scope).request_id
    return problem_page(problem, request, request_id) if takes_pages(request) else problem.response(request_id)

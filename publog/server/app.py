"""The application: a table of endpoints behind the door."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from publog.server import (
    backfills,
    changes,
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
from publog.server.door import Door, exchange_of, faults
from publog.server.endpoints import Call, Endpoint, Threads, parse
from publog.server.metrics import Metrics
from publog.server.newsroom import Newsroom
from publog.server.pages.layout import problem_page, takes_pages
from publog.server.problems import fault, of_status, problem_of
from publog.server.rates import Rates
from publog.server.session import signed_in


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
    ]
    return [*endpoints, openapi.endpoint(endpoints), *pages.PAGES]


def build_app(newsroom: Newsroom, *, is_loopback: bool = True) -> ASGIApp:
    """The application for one newsroom.

    Args:
        is_loopback: Whether it is reached from this machine only.
    """
    metrics = Metrics(newsroom)
    threads = Threads()
    rates = Rates()
    app = Starlette(
        routes=[
            Route(
                endpoint.path,
                _answering(endpoint, newsroom, threads, rates, is_loopback=is_loopback),
                methods=[endpoint.method],
            )
            for endpoint in table(metrics)
        ],
        exception_handlers={HTTPException: _plain_problem},
    )
    app.router.redirect_slashes = False
    return Door(app, metrics, is_loopback=is_loopback)


def _answering(
    endpoint: Endpoint[Any], newsroom: Newsroom, threads: Threads, rates: Rates, *, is_loopback: bool
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        exchange = exchange_of(request.scope)
        exchange.route = endpoint.path
        try:
            refuse_cross_site(request)
            shown = signed_in(newsroom.sessions, request) if endpoint.is_page or request.method != "POST" else request
            admitted = partial(admit, newsroom.keys, shown, endpoint.scopes, is_loopback=is_loopback)
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
            return problem.response(exchange.request_id)

    return answer


async def _plain_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {
        404: "There is nothing at this path. /openapi.json has every path; a URI in one is percent-encoded whole, / too.",
        405: f"This path does not take {request.method}.",
    }
    problem = of_status(error.status_code, details.get(error.status_code, error.detail), error.headers)
    request_id = exchange_of(request.scope).request_id
    return problem_page(problem, request, request_id) if takes_pages(request) else problem.response(request_id)

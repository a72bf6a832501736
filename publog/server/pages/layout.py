"""What every page has: its frame, its headers, the strip that says how the newsroom is; and errors as pages."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from assets.catalog import Catalog
from assets.errors import InvalidUri
from assets.model import check_uri
from publog.server.endpoints import Call, Endpoint, Parameters, Reply, Scope
from publog.server.pages.moments import moment
from publog.server.problems import Problem, problem_of
from publog.server.session import COOKIE, cookie
from publog.server.status import status_of

HTML: Final = "text/html"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing inline, no page of another site around it."""

# Not `no-referrer`: browsers then say `Origin: null` of this server's own forms.
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

P = TypeVar("P", bound=Parameters)


async def ask(call: Call[Any], handle: Callable[[Call[Any]], Any], parameters: Parameters) -> Reply:
    """What an endpoint for programs answers to this: pages know nothing that it does not."""
    # What a browser has kept of the page says nothing about that answer.
    headers = [pair for pair in call.request.scope["headers"] if pair[0].lower() != b"if-none-match"]
    request = Request({**call.request.scope, "headers": headers}, call.request.receive)
    return await handle(replace(call, parameters=parameters, request=request))


async def catalog_of(call: Call[Any]) -> Catalog:
    """The catalog that the log is read with now."""
    return await call.in_thread(_catalog, call)


def _catalog(call: Call[Any]) -> Catalog:
    with call.newsroom.reading() as reader:
        return reader.catalog


async def page(call: Call[Any], template: str, *, status: int = 200, has_strip: bool = True, **values: Any) -> Reply:
    """A page in the frame."""
    return await call.in_thread(partial(_page, call, template, status, values, has_strip=has_strip))


def _page(call: Call[Any], template: str, status: int, values: Mapping[str, Any], *, has_strip: bool) -> Reply:
    try:
        standing = status_of(call) if has_strip else None
    except Exception as error:
        # The strip is missing where what it tells of can't be read now.
        if problem_of(error) is None:
            raise
        standing = None
    text = _ENVIRONMENT.get_template(template).render(
        standing=standing,
        sees_all=may(call, "admin"),
        publishes=may(call, "publish"),
        follows=may(call, "search"),
        key=call.key,
        is_signed_in=COOKIE in call.request.cookies,
        path=call.request.scope["path"],
        **values,
    )
    return html(text, status)


def may(call: Call[Any], scope: Scope) -> bool:
    """Whether who asks may do this too: what the page asks of an endpoint is not asked of its door again."""
    return call.key is None or call.key.allows(scope)


def html(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A page that is ready."""
    # What no encoding can write is text of the log, or of a request, all the same.
    return Reply(text.encode("utf-8", "replace"), status, {**_HEADERS, **(headers or {})}, HTML)


def redirect(address: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Go there, and read."""
    return Reply(b"", 303, {"Location": address, **_HEADERS, **(headers or {})}, HTML)


def takes_pages(request: Request) -> bool:
    """Whether who asks is a person's browser."""
    return HTML in request.headers.get("accept", "")


def problem_page(problem: Problem, request: Request, request_id: str) -> Response:
    """An error for a person."""
    headers = {**_HEADERS, **problem.headers}
    if problem.status == 401 and COOKIE in request.cookies:
        headers |= cookie(request, "")
    text = _ENVIRONMENT.get_template("problem.html.j2").render(
        standing=None,
        # What is known of who asks stands in the problem: it may be that nothing is.
        sees_all=True,
        publishes=True,
        follows=False,
        key=None,
        is_signed_in=False,
        path=request.scope["path"],
        problem=problem.document,
        request_id=request_id,
    )
    return Response(text.encode("utf-8", "replace"), problem.status, headers, HTML)


def endpoint(
    path: str,
    name: str,
    handle: Any,
    parameters: type[Parameters] = Parameters,
    scopes: tuple[Scope, ...] = ("search",),
    *,
    posts: bool = False,
) -> Endpoint[Any]:
    """A page."""
    return Endpoint(
        "POST" if posts else "GET",
        path,
        f"{'post' if posts else 'show'}{name}",
        name,
        handle,
        {200: ("A page", bytes)},
        parameters,
        scopes,
        media_type=HTML,
        is_page=True,
    )


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="", errors="replace")


def is_uri(value: object) -> bool:
    """Whether a text is an asset's URI, so that it can be opened."""
    if not isinstance(value, str) or "://" not in value:
        return False
    try:
        check_uri(value)
    except InvalidUri:
        return False
    return True


def asset_path(uri: str) -> str:
    """Where an asset's page is."""
    return f"/pages/assets/{segment(uri)}"


def view_path(view: str, uri: str) -> str:
    """Where a view's page is."""
    return f"/pages/views/{segment(view)}/{segment(uri)}"


def _marked(fragment: str, marks: list[tuple[int, int]]) -> Markup:
    """A fragment with its hits marked."""
    made, behind = Markup(), 0
    for begin, end in marks:
        made += fragment[behind:begin]
        made += Markup("<mark>{}</mark>").format(fragment[begin:end])
        behind = end
    return made + fragment[behind:]


def _environment() -> Environment:
    environment = Environment(
        # `select_autoescape` goes by the name's end and leaves *.html.j2 unescaped.
        autoescape=True,
        loader=PackageLoader("publog.server.pages"),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = {
        "asset_path": asset_path,
        "marked": _marked,
        "moment": moment,
        "segment": segment,
        "view_path": view_path,
    }
    environment.filters.update(filters)
    environment.tests["uri"] = is_uri
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


_ENVIRONMENT: Final = _environment()

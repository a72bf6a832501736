"""What another site's page may not make a browser do here: change anything."""

from starlette.requests import Request

from publog.server.problems import Problem

_READING = ("GET", "HEAD")


def refuse_cross_site(request: Request) -> None:
    """Let requests that change something in only where they come from a page of this server, or from no page at all.

    Browsers say where a request comes from (Sec-Fetch-Site, and Origin in those that do not send it); no page can make
    them say something else. What is no browser sends neither.

    Raises:
        Problem: it comes from another site's page.
    """
    if request.method in _READING:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if site in (None, "same-origin", "none") and (origin is None or _is_same(origin, own)):
        return
    raise Problem(
        403,
        "cross-site",
        "Another site's page asked for this",
        "What changes something is taken from this server's own pages, and from programs, which send neither Origin nor"
        " Sec-Fetch-Site.",
    )


def _is_same(origin: str, own: str) -> bool:
    # Behind a proxy that ends TLS this server does not know its scheme.
    return origin.partition("://")[2].lower() == own.partition("://")[2].lower() != ""

"""The pages: what the endpoints answer, for people, made here and complete before they leave.

They work without a script; a script makes them follow what happens. They have no logic of their own: what they show,
an endpoint for programs says too.
"""

from typing import Any, Final

from publog.server.endpoints import Endpoint
from publog.server.pages import (
    assets,
    feeds,
    generations,
    keys,
    letters,
    log,
    publish,
    search,
    sign_in,
    static,
    views,
)

PAGES: Final[list[Endpoint[Any]]] = [
    *search.PAGES,
    *assets.PAGES,
    *views.PAGES,
    *publish.PAGES,
    *log.PAGES,
    *generations.PAGES,
    *letters.PAGES,
    *keys.PAGES,
    *sign_in.PAGES,
    *static.PAGES,
    *feeds.PAGES,
]

FEEDS: Final = feeds.ENDPOINTS

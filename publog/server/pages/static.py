"""The files that pages are made with: style, scripts, the sign."""

from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from publog.server.endpoints import Call, Endpoint, Parameters, Reply, tagged
from publog.server.pages.layout import endpoint
from publog.server.problems import NotThere

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FILES: Final = {file.name: file.read_bytes() for file in files("publog.server.pages").joinpath("static").iterdir()}
_TAGS: Final = {name: sha256(body).hexdigest()[:24] for name, body in _FILES.items()}


class StaticFile(Parameters, frozen=True):
    name: str


async def show(call: Call[StaticFile]) -> Reply:
    name = call.parameters.name
    if name not in _FILES:
        raise NotThere(f"there is no file {name[:100]!r}")
    reply = tagged(call, _TAGS[name], _FILES[name])
    return Reply(reply.value, reply.status, reply.headers, _TYPES[name.rpartition(".")[2]])


PAGES: Final[list[Endpoint[Any]]] = [endpoint("/pages/static/{name}", "File", show, StaticFile, ())]

"""APIs of others over this newsroom's log and index, as their clients know them: their paths, shapes and errors.

What of a view fills which of their fields is the catalog's to say (interfaces.toml); what a person typed becomes typed
expressions, never an engine's syntax.
"""

from typing import Any, Final

from publog.server.compatible import guardian, guardian_tags, newswire, nyt, registry
from publog.server.endpoints import Endpoint

ENDPOINTS: Final[list[Endpoint[Any]]] = [
    *nyt.ENDPOINTS,
    *newswire.ENDPOINTS,
    *registry.ENDPOINTS,
    *guardian.ENDPOINTS,
    *guardian_tags.ENDPOINTS,
]

EVERY_PATH: Final[Endpoint[Any]] = guardian.ITEM
"""It takes every path that no other endpoint has."""

"""A server in this process, as the server's own tests have it."""

from tests.publog.server.conftest import client, newsroom

__all__ = ["client", "newsroom"]

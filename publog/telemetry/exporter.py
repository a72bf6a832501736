"""A port of its own where Prometheus reads a process's metrics."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from publog.settings import UsedWrongly
from publog.terminal import note

_ADDRESS: Final = re.compile(r"(?:(?P<host>[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>\d{1,5})")


def registry() -> CollectorRegistry:
    """A registry that has the process's own memory, processor and file handles in it."""
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    return made


@contextmanager
def exporting(address: str | None, shown: CollectorRegistry | None = None) -> Generator[CollectorRegistry | None]:
    """This registry, or a new one, is exported while the block lasts; None where no address was given.

    Raises:
        UsedWrongly: nothing can listen there.
    """
    if address is None:
        yield None
        return
    host, port = parse_address(address)
    made = registry() if shown is None else shown
    try:
        server, thread = start_http_server(port, host, made)
    except OSError as error:
        raise UsedWrongly(f"can't show metrics on {address}: {error.strerror or error}; name another port") from None
    try:
        name = f"[{host}]" if ":" in host else host
        note(f"metrics on http://{name}:{server.server_port}/metrics")
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def parse_address(text: str) -> tuple[str, int]:
    """Host and port.

    Raises:
        UsedWrongly: it is none.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise UsedWrongly(f"--metrics {text}: write PORT or HOST:PORT, with a port from 0 to 65535")
    return (found["host"] or "127.0.0.1").strip("[]"), int(found["port"])

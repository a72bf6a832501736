"""`publog serve`: the newsroom over HTTP, until stopped."""

import logging
import signal
import socket
from collections.abc import Generator
from contextlib import closing, contextmanager, nullcontext
from ipaddress import ip_address
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from publog.options import CatalogOption, IndexOption, LogOption, settings_of
from publog.settings import UsedWrongly
from publog.terminal import say

if TYPE_CHECKING:
    import uvicorn

PORT_DEFAULT: Final = 8420
CONNECTIONS_WAITING_MAX: Final = 128


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="0 takes one that is free, and says which.")
    ] = PORT_DEFAULT,
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Don't follow the log into the index: `publog run --stream` does.")
    ] = False,
    log: LogOption = None,
    index: IndexOption = None,
    catalog: CatalogOption = None,
) -> None:
    """Publish, search and ask why over HTTP, as a program or in a browser, until stopped (Ctrl-C, SIGTERM).

    With the embedded log and index it also keeps the index up to date, in a process of its own.

    Example: `publog serve --port 0`
    """
    import uvicorn

    from publog.server.app import build_app
    from publog.server.limits import STOP_SECONDS_MAX
    from publog.server.newsroom import Newsroom
    from publog.server.stream import StreamProcess

    settings = settings_of(context, log, index, catalog)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with _listening(host, port) as listener, closing(Newsroom(settings)) as newsroom:
        app = build_app(newsroom, is_loopback=is_loopback(host))
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_SECONDS_MAX,
            )
        )
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        embedded = settings.log.startswith("sqlite:") and settings.index.startswith("tantivy:")
        with _ended_by_signals(server), nullcontext() if no_stream or not embedded else StreamProcess(settings):
            say(f"listening on {_url(listener)}; Ctrl-C stops")
            server.run(sockets=[listener])
    say("stopped", style="green")


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=CONNECTIONS_WAITING_MAX)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsedWrongly(f"can't listen on {host} port {port}: {error}; name another with --host and --port") from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _ended_by_signals(server: "uvicorn.Server") -> Generator[None]:
    """SIGTERM and SIGINT end the server before it runs and after, when it hands on those that it has seen."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""`publog serve`: the newsroom over HTTP, until stopped."""

import gc
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager, nullcontext
from ipaddress import ip_address
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from publog.options import CatalogOption, IndexOption, LogOption, MetricsOption, settings_of
from publog.settings import UsedWrongly
from publog.terminal import say

if TYPE_CHECKING:
    import uvicorn

PORT_DEFAULT: Final = 8420
CONNECTIONS_WAITING_MAX: Final = 128
SWITCH_SECONDS: Final = 0.0005
"""How long one thread may keep the others waiting while it runs Python; its default of 5 ms is as long as two searches."""


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
    metrics: MetricsOption = None,
) -> None:
    """Publish, search and ask why over HTTP, as a program or in a browser, until stopped (Ctrl-C, SIGTERM).

    With the embedded log and index it also keeps the index up to date, in a process of its own.

    Example: `publog serve --port 0`
    """
    import uvicorn

    from publog.server.app import build_app
    from publog.server.limits import CONNECTIONS_MAX, STOP_SECONDS_MAX
    from publog.server.listening import Protocol, Server
    from publog.server.logs import logging_lines
    from publog.server.metrics import Metrics
    from publog.server.newsroom import Newsroom
    from publog.server.stream import StreamProcess
    from publog.telemetry.exporter import exporting
    from publog.telemetry.traces import tracing

    settings = settings_of(context, log, index, catalog)
    sys.setswitchinterval(SWITCH_SECONDS)
    with (
        logging_lines() as form,
        listening(host, port) as listener,
        tracing("publog-serve") as traces,
        closing(Newsroom(settings, traces)) as newsroom,
    ):
        counted = Metrics(newsroom)
        app = build_app(newsroom, is_loopback=is_loopback(host), metrics=counted)
        server = Server(
            newsroom.watch.end,
            uvicorn.Config(
                app,
                http=Protocol,
                limit_concurrency=CONNECTIONS_MAX,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_SECONDS_MAX,
            ),
        )
        embedded = settings.log.startswith("sqlite:") and settings.index.startswith("tantivy:")
        # What is there by now stays: looking through it for garbage again and again would hold requests up by 30 ms.
        gc.freeze()
        following = nullcontext() if no_stream or not embedded else StreamProcess(settings, form)
        with _ended_by_signals(server), exporting(metrics, counted.registry), following:
            say(f"listening on {_url(listener)}; Ctrl-C stops")
            server.run(sockets=[listener])
    say("stopped", style="green")


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections there; port 0 takes one that is free.

    Raises:
        UsedWrongly: there can be none.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=CONNECTIONS_WAITING_MAX)
        # What is accepted takes it over. asyncio sets it only on sockets that name their protocol, and these do not: an
        # answer's body would wait 40 ms until its head is acknowledged.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsedWrongly(f"can't listen on {host} port {port}: {error}; name another with --host and --port") from None
    return listener


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

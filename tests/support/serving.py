"""Servers on a small newsroom: in a test's own process, or as the real command."""

import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfileobj
from threading import Thread
from typing import IO

import uvicorn
from starlette.testclient import TestClient

from assets.model import NEVER
from publog.server.app import build_app
from publog.server.endpoints import Endpoint
from publog.server.listening import Protocol, Server
from publog.server.newsroom import Newsroom
from tests.support.newsroom import Json, article, byline, image, process, unpublish
from tests.support.streaming import until

BASE = "http://127.0.0.1:8420"
ADA, FLOOD, PICTURE = "news://byline/ada", "news://article/flood", "news://image/flood"

HISTORY = [
    byline("ada", name="Ada"),
    image("flood", credit=ADA),
    article("flood", headline="Flood at the mill", byline=ADA, images=[PICTURE], tx="t"),
    article("storm", headline="Storm over the hills", byline=ADA, tx="t"),
    unpublish("news://article/storm"),
    byline("ada", name="Ada Lovelace"),
    article("calm", headline="Calm after the flood"),
    article("a/b 100%25/history", headline="An awkward name"),
]


def client_of(newsroom: Newsroom, *, is_loopback: bool = True) -> TestClient:
    return TestClient(build_app(newsroom, is_loopback=is_loopback), base_url=BASE)


def index_now(newsroom: Newsroom) -> None:
    """Bring the index to the end of the log."""
    with newsroom.reading() as reader:
        last = reader.log.last_offset()
        if newsroom.index.applied_through() == NEVER:
            newsroom.index.load([], catalog=reader.catalog, applied_through=NEVER)
        newsroom.index.write(reader.views.fold(last).emit(), applied_through=last)


@contextmanager
def listening(newsroom: Newsroom) -> Generator[str]:
    """A server in a thread of this process, and its address."""
    config = uvicorn.Config(build_app(newsroom), port=0, lifespan="off", log_config=None, http=Protocol)
    server = Server(newsroom.watch.end, config)
    thread = Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def check_problem(answer: Json, status: int, code: str) -> Json:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:publog:problem:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


def check_refused(answer: Json, endpoint: Endpoint[Json], status: int, code: str) -> None:
    """Refused as the endpoint's API refuses: our own by a problem, those of others in their shapes."""
    if endpoint.manners is None:
        check_problem(answer, status, code)
        return
    assert answer.status_code == status, answer.text
    told = answer.json()
    match endpoint.path.split("/")[1]:
        case "svc":
            assert told["fault"]["faultstring"]
            assert told["fault"]["detail"]["errorcode"] == f"urn:publog:problem:{code}"
        case "subjects" | "schemas" | "config" | "mode":
            assert told["error_code"] == status
            assert told["message"]
            assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
        case _:
            assert told == {"message": told["message"], "response": {"status": "error", "message": told["message"]}}
            assert told["message"]


@contextmanager
def serving(folder: Path, *arguments: Json, is_busy: bool = False) -> Generator["tuple[subprocess.Popen[str], str]"]:
    """`publog serve` and its address. What a busy one logs is more than a pipe holds: it is kept in `serve.txt`."""
    server = process("serve", "--port", 0, *arguments, folder=folder)
    try:
        assert server.stdout is not None
        found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+); Ctrl-C stops\n", server.stdout.readline())
        assert found, server.communicate()
        if is_busy:
            assert server.stderr is not None
            Thread(target=_keep, args=(server.stderr, folder / "serve.txt"), daemon=True).start()
        yield server, found[1]
    finally:
        server.kill()
        server.wait()
        for pipe in (server.stdout, server.stderr):
            assert pipe is not None
            pipe.close()


def _keep(said: IO[str], path: Path) -> None:
    # It ends with the server, or when the pipe is closed.
    with path.open("a") as file, suppress(ValueError):
        copyfileobj(said, file)

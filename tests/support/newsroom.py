"""A small newsroom for tests of what people do with publog: its catalog, its messages, and the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from assets.validation import Envelope, parse_message
from publog.cli import run_command

Json = Any
ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("PUBLOG_SHARED", ROOT.parent / "shared"))
"""Where real histories lie that are too large for the repository."""

TIME = "2026-11-23T09:00:00Z"


def reference(*kinds: str) -> Json:
    return {"type": "string", "logicalType": "asset-ref", "kinds": list(kinds)}


def record(name: str, *fields: Json) -> Json:
    return {"type": "record", "name": name, "fields": list(fields)}


def field(name: str, type_: Json, *default: Json) -> Json:
    return {"name": name, "type": type_, **({"default": default[0]} if default else {})}


def nullable(name: str, type_: Json) -> Json:
    return field(name, ["null", type_], None)


CATALOG: Mapping[str, str] = {
    "kinds/article.avsc": json.dumps(
        record(
            "article",
            field("headline", "string"),
            nullable("byline", reference("byline")),
            field("images", {"type": "array", "items": reference("image")}, []),
        )
    ),
    "kinds/byline.avsc": json.dumps(record("byline", field("name", "string"), nullable("photo", reference("image")))),
    "kinds/image.avsc": json.dumps(record("image", field("path", "string"), nullable("credit", reference("byline")))),
    "views.toml": """
        [views.story]
        root = "article"
        expand = ["images.credit", "byline.photo"]
        search.text = ["headline^3", "byline.name"]
        search.facets = ["byline.name"]

        [views.person]
        root = "byline"
        expand = ["photo.credit"]
        search.text = ["name"]
    """,
}
"""Articles, bylines and images; a portrait may refer back to whom it shows."""


def write_catalog(folder: Path, files: Mapping[str, str] = CATALOG) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def publish(uri: str, *, time: str = TIME, **rest: Json) -> dict[str, Json]:
    """A message; what is no part of the envelope is data."""
    envelope = {name: rest.pop(name) for name in ("tx", "id", "expect") if name in rest}
    return {"uri": uri, "kind": uri.split("/")[2], "op": "publish", "time": time, **envelope, "data": rest}


def unpublish(uri: str, *, time: str = TIME, **envelope: Json) -> dict[str, Json]:
    return {"uri": uri, "kind": uri.split("/")[2], "op": "unpublish", "time": time, **envelope}


def article(number: Json, **rest: Json) -> dict[str, Json]:
    return publish(f"news://article/{number}", **{"headline": f"Article {number}", **rest})


def byline(number: Json, **rest: Json) -> dict[str, Json]:
    return publish(f"news://byline/{number}", **{"name": f"Byline {number}", **rest})


def image(number: Json, **rest: Json) -> dict[str, Json]:
    return publish(f"news://image/{number}", **{"path": f"/{number}.jpg", **rest})


def lines(messages: Iterable[Mapping[str, Json]]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def write_lines(path: Path, *messages: Mapping[str, Json]) -> Path:
    path.write_bytes(lines(messages))
    return path


def envelope(message: Mapping[str, Json]) -> Envelope:
    return parse_message(json.dumps(message).encode())


class Ran(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        return json.loads(self.out)

    @property
    def records(self) -> list[Json]:
        return [json.loads(line) for line in self.out.splitlines()]


class Shell:
    """The command line in this process, in a folder and a home of its own. No answer may be a traceback."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.home = folder / ".publog"
        self._capsys = capsys
        monkeypatch.chdir(folder)
        for name in os.environ.keys() - quiet_environment().keys():
            monkeypatch.delenv(name)

    def __call__(self, *arguments: Json, code: int | None = 0) -> Ran:
        self._capsys.readouterr()
        ended = run_command([str(argument) for argument in arguments])
        ran = Ran(ended, *self._capsys.readouterr())
        check_manners(ran)
        if code is not None:
            assert ran.code == code, ran
        return ran


def check_manners(ran: Ran) -> None:
    assert "Traceback" not in ran.err
    assert "a fault in publog itself" not in ran.err, ran.err


def process(*arguments: Json, folder: Path, **environment: str) -> "subprocess.Popen[str]":
    """The real command, running."""
    return subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env={**quiet_environment(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_process(*arguments: Json, folder: Path, stdin: str | None = None, **environment: str) -> Ran:
    """The real command, to its end."""
    ended = subprocess.run(
        command(*arguments),
        cwd=folder,
        env={**quiet_environment(), **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    ran = Ran(ended.returncode, ended.stdout, ended.stderr)
    check_manners(ran)
    return ran


def command(*arguments: Json) -> list[str]:
    return [sys.executable, "-m", "publog", *map(str, arguments)]


def quiet_environment() -> dict[str, str]:
    """This process's environment without settings of publog."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PUBLOG_")}

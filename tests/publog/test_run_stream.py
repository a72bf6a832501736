"""`publog run --stream`, `search --at-least` and replays beside a stream, as a person meets them."""

import json
import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from assets.catalog import parse_catalog
from assets.codec import Codec
from assets.limits import MESSAGE_BYTES_MAX
from assets.log import open_log
from assets.model import Draft, Transaction, microseconds
from indexers import open_index
from tests.support.newsroom import (
    CATALOG,
    Json,
    Ran,
    Shell,
    article,
    byline,
    check_manners,
    command,
    envelope,
    process,
    quiet_environment,
    write_catalog,
    write_lines,
)
from tests.support.streaming import PATIENCE_SECONDS, until

ADA = "news://byline/ada"
OLDER_BYLINE = {"type": "record", "name": "byline", "fields": [{"name": "name", "type": "string"}]}
NEXT_SCHEMA = 4


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A home with a byline and an article in its log."""
    write_catalog(tmp_path / "catalog")
    write_lines(tmp_path / "history.jsonl", byline("ada", name="Ada"), article(1, byline=ADA))
    made = Shell(tmp_path, capsys, monkeypatch)
    made("publish", "history.jsonl", "--catalog", "catalog")
    return made


class Streaming:
    """The real command at work."""

    def __init__(self, shell: Shell, *arguments: Json) -> None:
        self.process = process("run", "--stream", *arguments, folder=shell.folder)
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()

    def end(self, number: signal.Signals = signal.SIGTERM) -> Ran:
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        ran = Ran(self.process.returncode, self.first + out, err)
        check_manners(ran)
        return ran


@contextmanager
def streaming(shell: Shell, *arguments: Json) -> Generator[Streaming]:
    one = Streaming(shell, *arguments)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()
        for pipe in (one.process.stdout, one.process.stderr):
            assert pipe is not None
            pipe.close()


def publish(shell: Shell, *messages: Json, code: int = 0) -> int:
    """The last offset."""
    write_lines(shell.folder / "more.jsonl", *messages)
    shell("publish", "more.jsonl", "--receipts", "receipts.jsonl", code=code)
    receipt = (shell.folder / "receipts.jsonl").read_text().splitlines()[-1]
    return json.loads(receipt)["offset"]


def append(shell: Shell, uri: str, value: bytes | None) -> int:
    """Past the gateway, straight into the log."""
    time = microseconds(envelope(article(1)).time)
    with closing(open_log(f"sqlite:{shell.home / 'log.sqlite'}")) as log, log.writing():
        (receipt,) = log.append([Transaction(None, [Draft(uri, time, f"{uri} {time} {hash(value)}", value)])])
        return receipt.offset


# -------------------------------------------------------------------------------------------------------------- stream


def test_a_stream_says_what_it_follows_and_what_it_did(shell: Shell) -> None:
    with streaming(shell) as stream:
        assert stream.first == (
            "following sqlite:.publog/log.sqlite into tantivy:.publog/index from offset 1; Ctrl-C stops\n"
        )
        offset = publish(shell, article(2, headline="Ferry is back", byline=ADA))
        found = shell("search", "ferry", "--at-least", offset, "--json").json
        assert [hit["uri"] for hit in found["hits"]] == ["news://article/2"]
        assert found["applied_through"] == offset
        ran = stream.end(signal.SIGINT)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "stopped at offset 2: 1 messages applied, 1 views written"
    assert ran.err == ""
    assert shell("doctor", "--thorough").code == 0


def test_a_stream_for_a_program_answers_in_json_lines(shell: Shell) -> None:
    with streaming(shell, "--json") as stream:
        offset = publish(shell, article(2))
        shell("search", "--at-least", offset)
        events = stream.end().records
    assert events[0] == {
        "event": "following",
        "log": "sqlite:.publog/log.sqlite",
        "index": "tantivy:.publog/index",
        "offset": 1,
    }
    assert {event["event"] for event in events[1:-1]} <= {"progress"}
    assert events[-1] == {
        "event": "stopped",
        "offset": offset,
        "messages": 1,
        "views": 1,
        "dead_letters": 0,
        "bounded": 0,
    }


def test_on_a_terminal_a_live_line_says_how_it_is(shell: Shell) -> None:
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        command("run", "--stream"),
        cwd=shell.folder,
        env={**quiet_environment(), "TERM": "xterm", "COLUMNS": "120"},
        stdout=secondary,
        stderr=secondary,
    )
    os.close(secondary)
    seen = b""
    try:
        while not re.search(rb"offset 1, 0 messages behind, 0 views/s", seen):
            seen += os.read(primary, 4096)
        process.send_signal(signal.SIGINT)
        while b"stopped at offset 1" not in seen:
            seen += os.read(primary, 4096)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(primary)
    assert b"following sqlite:.publog/log.sqlite" in seen


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say what to run: publog run --batch, or publog run --stream"),
        (["--batch", "--stream"], "say what to run"),
        (["--batch", "--micro-batch", "3"], "--micro-batch goes with --stream"),
        (["--stream", "--runner", "DaskRunner"], "--runner DaskRunner runs batches and backfills"),
        (["--stream", "--runner", "PrismRunner", "--prism_location=nowhere", "--shrads=2"], "--shrads=2: neither"),
        (["--stream", "--runner", "PortableRunner"], "--runner PortableRunner needs a job service: --job_endpoint"),
        (["--stream", "--direct_num_workers=2"], "a stream keeps its folds in its own process"),
        (["--stream", "--shrads", "2"], "--shrads 2: neither publog nor Beam knows this option"),
        (["--stream", "--shards", "5000"], "use a number from 1 to 1024"),
        (["--stream", "--shards", "two"], "--shards two: write a number, or which of how many, as in 2/3"),
        (
            ["--stream", "--shards", "0/3"],
            "--shards 0/3: write a number from 1 on, or which of how many, from 1/3 to 3/3",
        ),
        (["--stream", "--shards", "4/3"], "from 1/3 to 3/3"),
        (["--batch", "--shards", "1/3"], "--shards I/N goes with --stream"),
        (["--stream", "--shards", "1/3"], "one process at a time writes it. Several need an index on Elasticsearch"),
        (["--stream", "--shards", "2/3", "--index", "jsonl:x.jsonl"], "one process at a time writes it."),
    ],
)
def test_what_can_not_be_run_is_refused_with_a_sentence(arguments: list[str], said: str, shell: Shell) -> None:
    ran = shell("run", *arguments, code=2)
    assert ran.err.startswith("error: ")
    assert said in " ".join(ran.err.split())


def test_a_stream_without_a_log_says_what_to_do_first(tmp_path: Path, shell: Shell) -> None:
    assert "publish something first" in shell("--home", "elsewhere", "run", "--stream", code=2).err


def test_an_index_of_another_catalog_is_refused_and_backfill_named(shell: Shell) -> None:
    shell("run", "--batch")
    views = {**CATALOG, "views.toml": CATALOG["views.toml"].replace("^3", "^2")}
    ran = shell("run", "--stream", "--catalog", write_catalog(shell.folder / "new", views), code=2)
    assert ran.err.startswith("error: the index was built with another catalog")
    assert "publog backfill" in ran.err


def test_a_stream_ends_with_its_input_where_it_is_told_to(shell: Shell) -> None:
    started = subprocess.Popen(
        command("run", "--stream", "--until-input-ends"),
        cwd=shell.folder,
        env=quiet_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline().startswith("following")
    out, _ = started.communicate(timeout=PATIENCE_SECONDS)
    assert out.startswith("stopped at offset 1")
    assert started.returncode == 0
    shell("run", "--batch", "--until-input-ends", code=2)


def test_a_second_stream_is_refused(shell: Shell) -> None:
    with streaming(shell):
        ran = shell("run", "--stream", code=1)
        assert "Another process is writing to" in ran.err


# ------------------------------------------------------------------------------------------------------ search, waiting


def test_a_search_says_how_far_behind_the_index_is(shell: Shell) -> None:
    shell("run", "--batch")
    ran = shell("search", "--at-least", 7, "--wait", "0.1", code=1)
    assert " reflects offset 1, 6 behind the 7 that was asked for, after 0.1 s of waiting." in ran.err
    assert "publog run --stream" in ran.err
    assert shell("search", "--at-least", 1, "--wait", 0).out.startswith("2 found")


def test_a_search_in_an_index_that_was_never_loaded_waits_too(shell: Shell) -> None:
    assert "was never loaded" in shell("search", "--at-least", 0, "--wait", "0.05", code=1).err


def test_a_search_goes_on_as_soon_as_the_index_is_there(shell: Shell) -> None:
    shell("run", "--batch")
    with closing(open_index(f"tantivy:{shell.home / 'index'}")) as index:
        later = threading.Timer(0.3, lambda: index.write([], applied_through=9))
        later.start()
        assert shell("search", "--at-least", 9, "--json").json["applied_through"] == 9
        later.join()


@pytest.mark.parametrize("arguments", [["--at-least", "-1"], ["--at-least", "x"], ["--wait", "-1"]])
def test_an_offset_or_a_time_that_is_none_is_used_wrongly(arguments: list[str], shell: Shell) -> None:
    shell("search", *arguments, code=2)


# -------------------------------------------------------------------------------------------------------------- poison


def test_poison_in_a_stream_is_kept_apart_and_a_replay_beside_it_heals_what_it_can(shell: Shell) -> None:
    codec = Codec(parse_catalog(CATALOG).kinds, [])
    good = codec.encode("article", 1, {"headline": "Good", "byline": None, "images": []})
    with streaming(shell) as stream:
        append(shell, "news://article/cut", good[:-1])
        append(shell, "news://article/huge", good + b"x" * MESSAGE_BYTES_MAX)
        append(shell, ADA, b"\0" + NEXT_SCHEMA.to_bytes(4, "big") + b"\x18Ada K. Byron")
        last = append(shell, "news://article/behind", good)
        assert shell("search", "good", "--at-least", last, "--json").json["total"] == 1
        listed = shell("dead-letters", "list").out.splitlines()
        assert [line.split()[:3] for line in listed[:3]] == [
            ["2", "malformed-avro", "news://article/cut"],
            ["3", "too-large", "news://article/huge"],
            ["4", "unknown-schema", ADA],
        ]
        ran = shell("dead-letters", "replay", code=1)
        assert ran.out == "0 processed, 0 views brought up to date\n"
        with closing(open_log(f"sqlite:{shell.home / 'log.sqlite'}")) as log:
            assert log.register_schema("byline", json.dumps(OLDER_BYLINE)).id == NEXT_SCHEMA
        ran = shell("dead-letters", "replay", code=1)
        assert ran.out == "1 processed, 2 views brought up to date\n"
        assert ran.err == "2 still can't be processed: publog dead-letters list\n"
        assert by_key(shell("views", "--from", "index")) == by_key(shell("views"))
        # A message that names it now is read at once; and what the stream makes later has what was healed in it.
        append(shell, "news://byline/bob", b"\0" + NEXT_SCHEMA.to_bytes(4, "big") + b"\x06Bob")
        shell("search", "--at-least", publish(shell, article(3, byline=ADA)))
        assert by_key(shell("views", "--from", "index")) == by_key(shell("views"))
        assert stream.end().code == 0
    with streaming(shell) as stream:
        shell("search", "--at-least", publish(shell, article(4, byline=ADA)))
        assert "Ada K. Byron" in shell("views", "--from", "index", "--uri", "news://article/4").out
        assert "1 messages applied, 1 views written" in stream.end().out
    assert by_key(shell("views", "--from", "index")) == by_key(shell("views"))
    assert shell("dead-letters", "list").out.splitlines()[-1] == "2 dead letters"
    # As if it had always been readable.
    before = by_key(shell("views", "--from", "index"))
    shell("run", "--batch", code=1)
    assert by_key(shell("views", "--from", "index")) == before


def test_a_replay_without_a_stream_is_known_to_the_next_one(shell: Shell) -> None:
    with streaming(shell):
        last = append(shell, ADA, b"\0" + NEXT_SCHEMA.to_bytes(4, "big") + b"\x18Ada K. Byron")
        shell("search", "--at-least", last)
        until(lambda: bool(list((shell.home / "state").rglob("*.sqlite"))))
    with closing(open_log(f"sqlite:{shell.home / 'log.sqlite'}")) as log:
        log.register_schema("byline", json.dumps(OLDER_BYLINE))
    assert shell("dead-letters", "replay").out == "1 processed, 2 views brought up to date\n"
    with streaming(shell):
        shell("search", "--at-least", publish(shell, article(4, byline=ADA)))
    assert by_key(shell("views", "--from", "index")) == by_key(shell("views"))
    assert "Ada K. Byron" in shell("views", "--uri", "news://article/4").out


def by_key(ran: Ran) -> dict[tuple[str, str], Json]:
    return {(record["view"], record["uri"]): record for record in ran.records}

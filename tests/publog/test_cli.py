"""The command line: what each command answers to a person and to a program, and what it says when it can't."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Any

import pytest

from assets.catalog import newsroom_catalog, parse_catalog
from assets.codec import COMPILED, Codec
from assets.log import open_log
from assets.model import Draft, Transaction, microseconds
from publog import VERSION
from tests.support.newsroom import (
    CATALOG,
    Ran,
    Shell,
    article,
    byline,
    command,
    envelope,
    image,
    process,
    quiet_environment,
    run_process,
    unpublish,
    write_catalog,
    write_lines,
)

Json = Any

ADA, FLOOD, STORM, CALM = "news://byline/ada", "news://article/flood", "news://article/storm", "news://article/calm"
PICTURE = "news://image/flood"


def at(second: int) -> str:
    return f"2026-11-23T09:00:{second:02}Z"


HISTORY = [
    byline("ada", name="Ada", time=at(0)),
    image("flood", credit=ADA, time=at(1)),
    article("flood", headline="Flood at the mill", byline=ADA, images=[PICTURE], tx="t", time=at(2)),
    article("storm", headline="Storm over the hills", byline=ADA, tx="t", time=at(3)),
    unpublish(STORM, time=at(4)),
    byline("ada", name="Ada Lovelace", time=at(5)),
    article("calm", headline="Calm after the flood", time=at(6)),
]


def story(uri: str, version: int, headline: str, by: Json, images: list[Json], **sources: int) -> Json:
    return {
        "view": "story",
        "uri": uri,
        "version": version,
        "state": "live",
        "content": {"uri": uri, "headline": headline, "byline": by, "images": images},
        "sources": sources,
    }


def person(name: str) -> Json:
    return {"uri": ADA, "name": name, "photo": None}


def flood(version: int, name: str, ada: int) -> Json:
    picture = {"uri": PICTURE, "path": "/flood.jpg", "credit": person(name)}
    sources = {FLOOD: 2, PICTURE: 1, ADA: ada}
    return story(FLOOD, version, "Flood at the mill", person(name), [picture], **sources)


CALM_NOW = story(CALM, 6, "Calm after the flood", None, [], **{CALM: 6})
STORM_GONE = {"view": "story", "uri": STORM, "version": 4, "state": "gone", "content": {}, "sources": {STORM: 4}}
PERSON_NOW = {
    "view": "person",
    "uri": ADA,
    "version": 5,
    "state": "live",
    "content": person("Ada Lovelace"),
    "sources": {ADA: 5},
}


def by_key(records: list[Json]) -> dict[tuple[str, str], Json]:
    found = {(record["view"], record["uri"]): record for record in records}
    assert len(found) == len(records)
    return found


NOW = by_key([flood(5, "Ada Lovelace", 5), CALM_NOW, PERSON_NOW])


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    write_catalog(tmp_path / "catalog")
    write_lines(tmp_path / "history.jsonl", *HISTORY)
    return Shell(tmp_path, capsys, monkeypatch)


@pytest.fixture
def published(shell: Shell) -> Shell:
    shell("publish", "history.jsonl", "--catalog", "catalog")
    return shell


@pytest.fixture(scope="module")
def indexed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a log and an index, made by the real command; nothing may be changed in it."""
    folder = tmp_path_factory.mktemp("indexed")
    write_catalog(folder / "catalog")
    write_lines(folder / "history.jsonl", *HISTORY)
    assert run_process("publish", "history.jsonl", "--catalog", "catalog", folder=folder).code == 0
    assert run_process("run", "--batch", folder=folder).code == 0
    return folder


@pytest.fixture
def indexed(indexed_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(indexed_folder, capsys, monkeypatch)


# ---------------------------------------------------------------------------------------------------------- as a whole

COMMANDS = [
    "demo",
    "publish",
    "run",
    "views",
    "history",
    "diff",
    "explain",
    "dependents",
    "search",
    "serve",
    "catalog check",
    "catalog show",
    "log info",
    "log tail",
    "log verify",
    "log create",
    "log copy",
    "dead-letters list",
    "dead-letters replay",
    "keys add",
    "keys list",
    "keys revoke",
    "keys rotate",
    "doctor",
]


def test_help_lists_every_command(shell: Shell) -> None:
    shown = shell("--help").out
    assert all(name.split()[0] in shown for name in COMMANDS)
    assert "publog demo" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_creates_nothing(name: str, shell: Shell) -> None:
    shown = shell(*name.split(), "--help").out
    assert f"publog {name}" in shown
    assert not shell.home.exists()


def test_the_version_is_said(shell: Shell) -> None:
    assert shell("--version").out == f"publog {VERSION}\n"


@pytest.mark.parametrize(
    "arguments", [[], ["nope"], ["--nope"], ["views", "--nope"], ["publish"], ["--home"], ["diff", ADA, "x", "1"]]
)
def test_what_is_no_command_is_used_wrongly(arguments: list[str], shell: Shell) -> None:
    ran = shell(*arguments, code=2)
    assert "Usage" in ran.out + ran.err or "Error" in ran.err


NO_LOG = (
    "error: there is no log at sqlite:.publog/log.sqlite yet; publish something first (publog publish FILE), try publog"
    " demo, or name another home or log (publog --home DIR ..., --log URL)\n"
)


@pytest.mark.parametrize(
    "line",
    [
        "views",
        f"history {ADA}",
        f"diff {ADA} 0 1",
        f"explain story {FLOOD}",
        f"dependents {ADA}",
        "run --batch",
        "log info",
        "log tail",
        "log verify",
        "dead-letters replay",
        "doctor",
    ],
)
def test_without_a_log_a_command_says_how_to_get_one_and_makes_none(line: str, shell: Shell) -> None:
    assert shell(*line.split(), code=2).err == NO_LOG
    assert not shell.home.exists()


URI_RULE = "it must be SCHEME://KIND/ID, with RFC 3986 path characters (and inner spaces) in ID"
NO_TIME = "give an offset, or a time like 2026-11-23T09:00:00Z"
WRONG = [
    # command, exit code, what is said
    ("views --view nope", 2, "the catalog has no view nope; it has person, story"),
    ("views --uri nope", 2, f"'nope' is not an asset's URI: {URI_RULE}"),
    ("views --as-of 7", 2, "--as-of 7: the log's last offset is 6"),
    ("views --as-of 99999999999999999999999", 2, "--as-of 99999999999999999999999: the log's last offset is 6"),
    ("views --as-of -1", 2, f"--as-of -1: {NO_TIME}"),
    ("views --as-of ²", 2, f"--as-of ²: {NO_TIME}"),
    ("views --as-of yesterday", 2, f"--as-of yesterday: {NO_TIME}"),
    (
        "views --as-of 2026-11-23T09:00:00",
        2,
        "--as-of 2026-11-23T09:00:00: say the time's zone, as in 2026-11-23T09:00:00Z",
    ),
    (
        "views --from index --as-of 3",
        2,
        "the index has only the present; leave --as-of out, or take the views --from log",
    ),
    ("views --from index --view nope", 2, "There is no view 'nope'. Use one of person, story."),
    ("history nope", 2, f"'nope' is not an asset's URI: {URI_RULE}"),
    ("history news://video/1", 2, "the catalog has no kind video; it has article, byline, image"),
    (f"history {FLOOD} --view nope", 2, "the catalog has no view nope; it has person, story"),
    ("diff nope 0 1", 2, f"'nope' is not an asset's URI: {URI_RULE}"),
    (f"explain nope {FLOOD}", 2, "the catalog has no view nope; it has person, story"),
    ("explain story nope", 2, f"'nope' is not an asset's URI: {URI_RULE}"),
    (f"explain story {FLOOD} --as-of 70", 2, "--as-of 70: the log's last offset is 6"),
    ("dependents nope", 2, f"'nope' is not an asset's URI: {URI_RULE}"),
    ("search ((", 2, "There is nothing between the brackets (at character 2). Leave them out."),
    ("search flood --view nope", 2, "There is no view 'nope'. Use one of person, story."),
    ("search --filter byline.name", 2, "--filter byline.name: write FIELD=VALUE"),
    ("search --filter nope=1", 2, "There is no field 'nope' to filter by."),
    ("search --facet nope", 2, "There is no field 'nope'"),
    ("search --since soon", 2, "'soon' is no date; write 2026, 2026-11 or 2026-11-23"),
    ("search --cursor nope", 2, "The cursor is damaged."),
    ("search --limit 5000", 2, "A page can't have 5000 hits."),
    ("run", 2, "say what to run: publog run --batch"),
    ("run --batch --nope 1", 2, "--nope 1: neither publog nor Beam knows this option; see publog run --help"),
    ("run --batch --direct_num_workers=x", 2, "argument --direct_num_workers: invalid int value: 'x'"),
    ("run --batch --runner Nope", 2, "Unexpected pipeline runner: Nope."),
    ("run --stream --memory 1GiB", 2, "--memory goes with --batch"),
    ("run --batch --index nope:views", 2, "nope:views: there is no kind of index called 'nope'."),
    ("run --batch --index views", 2, "views: this is no index's URL."),
    ("run --batch --index http://127.0.0.1:9/x", 1, "http://127.0.0.1:9/x could not be used: "),
    ("run --batch --index jsonl:no/where/views", 1, "no/where/views: nothing can be written there"),
    ("run --batch --shards 2 --index jsonl:no/where/views", 1, "no/where/views: nothing can be written there"),
    ("publish - -", 2, "-: standard input can be read once"),
    ("views --log nope:log", 2, "'nope:log' names no log: "),
    ("views --log sqlite:catalog", 2, "catalog is not a file"),
    ("views --log sqlite:history.jsonl", 2, "history.jsonl is no log of publog"),
    (
        "--log memory:nobodys views",
        2,
        "there is no log memory:nobodys in this process; publish something into it first",
    ),
    (
        "views --catalog nowhere",
        1,
        "the catalog can't be used:\nnowhere: there is no such folder. Name a catalog's folder.",
    ),
    ("search flood --index jsonl:nowhere", 1, "There is no index at jsonl:"),
]


@pytest.mark.parametrize(("line", "code", "said"), WRONG, ids=[line for line, _, _ in WRONG])
def test_what_can_not_be_done_is_told_in_a_sentence(line: str, code: int, said: str, indexed: Shell) -> None:
    ran = indexed(*line.split(" "), code=code)
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert said in ran.err


def test_an_unreadable_setting_is_told_with_its_file(published: Shell) -> None:
    settings = published.home / "publog.toml"
    for text, said in (
        ("log = ", f"{settings}: not TOML: "),
        (b"log = '\xff'", f"{settings}: not TOML: "),
        ("colour = 'red'", f"{settings}: unknown setting colour; known are log, index, catalog"),
        ("log = 5", f"{settings}: log must be a string"),
    ):
        settings.write_bytes(text if isinstance(text, bytes) else text.encode())
        assert said.replace(f"{published.folder}/", "") in published("views", code=2).err


def test_something_else_in_place_of_a_file_is_told_and_left_alone(published: Shell) -> None:
    for name, what, line in (
        ("held.sqlite", "held messages", "publish history.jsonl"),
        ("held.sqlite", "held messages", "doctor"),
        ("dead-letters.sqlite", "dead letters", "dead-letters list"),
        ("dead-letters.sqlite", "dead letters", "doctor"),
        ("dead-letters.sqlite", "dead letters", "run --batch"),
    ):
        path = published.home / name
        path.write_text("somebody's notes")
        ran = published(*line.split(), code=None)
        assert ran.code in (1, 2)
        assert ran.err == (
            f"error: .publog/{name}, where {what} are kept, can't be used (file is not a database); see to it and try again\n"
        )
        assert path.read_text() == "somebody's notes"
        path.unlink()
    assert not (published.home / "index").exists()


def test_a_fault_of_publog_itself_is_told_as_one(published: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("publog.commands.views.settings_of", fault)
    with pytest.raises(AssertionError, match="a fault in publog itself: ZeroDivisionError: division by zero"):
        published("views")


def test_a_reader_that_has_enough_is_no_failure(tmp_path: Path) -> None:
    write_catalog(tmp_path / "catalog")
    write_lines(tmp_path / "many.jsonl", *(article(number, headline="x" * 500) for number in range(1_000)))
    assert run_process("publish", "many.jsonl", "--catalog", "catalog", folder=tmp_path).code == 0
    for arguments in (["views"], ["log", "tail", "-n", "1000"], ["log", "tail", "-n", "1000", "--json"]):
        with process(*arguments, folder=tmp_path) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            assert running.stdout.readline()
            running.stdout.close()
            assert running.stderr.read() == ""
        assert running.returncode == 0


def test_a_command_runs_in_any_folder_and_as_a_module(tmp_path: Path) -> None:
    ran = run_process("--version", folder=tmp_path)
    assert ran == Ran(0, f"publog {VERSION}\n", "")
    installed = Path(command()[0]).parent / "publog"
    assert subprocess.run([installed, "--version"], cwd=tmp_path, check=True, capture_output=True).stdout.startswith(
        b"publog"
    )


# ------------------------------------------------------------------------------------------------------------ settings


def log_in_force(shell: Shell, *arguments: Json, before: tuple[Json, ...] = ()) -> str:
    url: str = shell(*before, "log", "info", *arguments, "--json").json["url"]
    return url.removeprefix(f"sqlite:{shell.folder}/")


def test_flags_win_over_the_environment_over_the_file_over_the_home(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("flag", "before", "environment", "home/file", "home/log"):
        shell("publish", "history.jsonl", "--catalog", "catalog", "--log", f"sqlite:{name}.sqlite")
    monkeypatch.setenv("PUBLOG_HOME", "home")
    assert log_in_force(shell) == "home/log.sqlite"
    # Paths in the file count from the folder that it is in.
    Path("home/publog.toml").write_text('log = "sqlite:file.sqlite"')
    assert log_in_force(shell) == "home/file.sqlite"
    monkeypatch.setenv("PUBLOG_LOG", "sqlite:environment.sqlite")
    assert log_in_force(shell) == "environment.sqlite"
    assert log_in_force(shell, before=("--log", "sqlite:before.sqlite")) == "before.sqlite"
    assert log_in_force(shell, "--log", "sqlite:flag.sqlite", before=("--log", "sqlite:before.sqlite")) == "flag.sqlite"


def test_the_home_is_given_before_the_command(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLOG_HOME", "other")
    shell("--home", "here/there", "publish", "history.jsonl", "--catalog", "catalog")
    assert Path("here/there/log.sqlite").exists()
    assert log_in_force(shell, before=("--home", "here/there")) == "here/there/log.sqlite"
    shell("views", "--home", "here/there", code=2)
    assert not Path("other").exists()


def test_the_file_may_name_catalog_and_index(shell: Shell) -> None:
    shell.home.mkdir()
    (shell.home / "publog.toml").write_text('catalog = "../catalog"\nindex = "jsonl:views.jsonl"')
    shell("publish", "history.jsonl")
    shell("run", "--batch")
    assert (shell.home / "views.jsonl").exists()
    assert by_key(shell("views", "--from", "index").records) == NOW


def test_an_empty_environment_variable_is_none(published: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PUBLOG_HOME", "PUBLOG_LOG", "PUBLOG_INDEX", "PUBLOG_CATALOG"):
        monkeypatch.setenv(name, "")
    assert log_in_force(published) == ".publog/log.sqlite"


# ------------------------------------------------------------------------------------------------------------- publish


def test_publish_counts_what_became_of_the_lines(shell: Shell) -> None:
    assert shell("publish", "history.jsonl", "--catalog", "catalog").out == (
        "7 appended, 0 already there, 0 held, 0 refused\n"
    )
    assert shell("publish", "history.jsonl").out == "0 appended, 7 already there, 0 held, 0 refused\n"
    assert shell("publish", "history.jsonl", "--json").json == {
        "appended": 0,
        "already_there": 7,
        "held": 0,
        "refused": 0,
        "released": 0,
        "dangling_references": 0,
        "refused_lines": [],
    }


def test_publish_names_what_it_refuses_file_by_file(published: Shell) -> None:
    write_lines(Path("a.jsonl"), article(1), article(2, byline="news://byline/9"))
    write_lines(Path("b.jsonl"), {**article(3), "op": "print"}, article(4))
    ran = published("publish", "a.jsonl", "b.jsonl", code=1)
    assert ran.out == (
        "2 appended, 0 already there, 0 held, 2 refused\n"
        "correct them in a file of their own: in this one, each line without an id behind a change would be new\n"
    )
    assert ran.err == (
        "a.jsonl:2: data.byline: refers to news://byline/9, which nobody has published; publish it first or in the same"
        " transaction, or use --references hold or allow\n"
        "b.jsonl:1: op: invalid enum value 'print', must be one of publish, unpublish\n"
    )
    answer = published("publish", "b.jsonl", "--json", code=1).json
    assert (answer["already_there"], answer["refused"]) == (1, 1)
    assert answer["refused_lines"] == [
        {"file": "b.jsonl", "line": 1, "reason": "op: invalid enum value 'print', must be one of publish, unpublish"}
    ]


def test_publish_holds_and_allows_as_it_is_told(published: Shell) -> None:
    write_lines(Path("late.jsonl"), article(1, byline="news://byline/9"))
    assert published("publish", "late.jsonl", code=1).out.startswith("0 appended, 0 already there, 0 held, 1 refused\n")
    assert published("publish", "late.jsonl", "--references", "hold").out == (
        "0 appended, 0 already there, 1 held, 0 refused\n"
    )
    assert published("doctor", code=1).out.count("ok  held: 1 messages wait for what they refer to\n") == 1
    write_lines(Path("other.jsonl"), article(2, byline="news://byline/9"))
    assert published("publish", "other.jsonl", "--references", "allow").out == (
        "1 appended, 0 already there, 0 held, 0 refused\n"
        "1 references point at what nobody has published; views show a hole there\n"
    )
    write_lines(Path("byline.jsonl"), byline(9))
    assert published("publish", "byline.jsonl").out == (
        "1 appended, 0 already there, 0 held, 0 refused\n"
        "1 held before were released: what they waited for is there now\n"
    )
    assert "Invalid value for '--references'" in published("publish", "byline.jsonl", "--references", "x", code=2).err


def test_receipts_are_written_for_each_message_that_is_durable(published: Shell) -> None:
    write_lines(Path("more.jsonl"), article(1, id="one"), article(2, headline=5), article(3, id="three"))
    published("publish", "history.jsonl", "more.jsonl", "--receipts", "receipts.jsonl", code=1)
    receipts = [json.loads(line) for line in Path("receipts.jsonl").read_bytes().splitlines()]
    assert [(receipt["uri"], receipt["offset"]) for receipt in receipts] == [
        *((message["uri"], offset) for offset, message in enumerate(HISTORY)),
        ("news://article/1", 7),
        ("news://article/3", 8),
    ]
    assert [receipt["id"] for receipt in receipts[7:]] == ["one", "three"]


def test_publish_reads_standard_input(tmp_path: Path) -> None:
    write_catalog(tmp_path / "catalog")
    text = write_lines(tmp_path / "history.jsonl", *HISTORY).read_text()
    ran = run_process("publish", "-", "--catalog", "catalog", folder=tmp_path, stdin=text)
    assert ran == Ran(0, "7 appended, 0 already there, 0 held, 0 refused\n", "")


def test_publish_stopped_by_ctrl_c_keeps_what_it_did_and_goes_on(tmp_path: Path) -> None:
    write_catalog(tmp_path / "catalog")
    messages = [image(number) for number in range(6_000)]
    text = write_lines(tmp_path / "images.jsonl", *messages).read_bytes()
    receipts = tmp_path / "receipts.jsonl"
    running = subprocess.Popen(
        command("publish", "-", "--catalog", "catalog", "--receipts", receipts),
        cwd=tmp_path,
        env=quiet_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdin is not None
    running.stdin.write(text)
    running.stdin.flush()
    wait_until(lambda: receipts.exists() and receipts.stat().st_size > 0)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate()
    assert running.returncode == 130
    assert err.decode() == "error: stopped; what was acknowledged is kept, and the same command goes on from there\n"
    assert out.decode() == "4096 appended, 0 already there, 0 held, 0 refused\n"
    ran = run_process("publish", "images.jsonl", folder=tmp_path)
    assert ran.out == "1904 appended, 4096 already there, 0 held, 0 refused\n"


def wait_until(is_so: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


# ------------------------------------------------------------------------------------------------------------- catalog


def test_the_first_publish_fixes_the_catalog_of_its_log(published: Shell) -> None:
    assert published("catalog", "show", "--json").json["digest"] == parse_catalog(CATALOG).digest
    assert [*published("catalog", "show", "--json").json["kinds"]] == ["article", "byline", "image"]
    published("publish", "history.jsonl")
    assert by_key(published("views").records) == NOW
    # Another log in the same home has the built-in one.
    write_lines(Path("tag.jsonl"), {**byline("x"), "uri": "news://tag/x", "kind": "tag"})
    published("publish", "tag.jsonl", "--log", "sqlite:other.sqlite")
    digest = published("catalog", "show", "--json", "--log", "sqlite:other.sqlite").json["digest"]
    assert digest == newsroom_catalog().digest


def test_a_compatible_catalog_takes_the_place_of_the_old_one(published: Shell) -> None:
    schema = json.loads(CATALOG["kinds/image.avsc"])
    schema["fields"].append({"name": "alt", "type": ["null", "string"], "default": None})
    write_catalog(Path("new"), {**CATALOG, "kinds/image.avsc": json.dumps(schema)})
    write_lines(Path("more.jsonl"), image("mill", alt="The mill"))
    assert published("publish", "more.jsonl", code=1).err.startswith("more.jsonl:1: data.alt: is unknown")
    published("publish", "more.jsonl", "--catalog", "new")
    (version,) = published("history", "news://image/mill", "--json").records
    assert version["data"]["alt"] == "The mill"
    assert "image v2" in published("log", "info").out


def test_an_incompatible_catalog_is_refused_and_changes_nothing(published: Shell) -> None:
    schema = CATALOG["kinds/image.avsc"].replace('"path", "type": "string"', '"path", "type": "int"')
    assert schema != CATALOG["kinds/image.avsc"]
    write_catalog(Path("new"), {**CATALOG, "kinds/image.avsc": schema})
    before = (published("log", "info", "--json").json, published("catalog", "show").out)
    for arguments in (["publish", "history.jsonl"], ["catalog", "check"]):
        ran = published(*arguments, "--catalog", "new", code=1)
        assert ran.err == (
            "error: kinds/image.avsc can't read what the log holds under version 1 of image: path was string, is int."
            " Give new fields a default and keep the types of old ones.\n"
        )
    assert (published("log", "info", "--json").json, published("catalog", "show").out) == before


def test_catalog_check_draws_the_kinds(indexed: Shell) -> None:
    shown = indexed("catalog", "check").out
    for line in (
        "article\n  byline -> byline\n  images -> image\n",
        "byline\n  photo -> image\n",
        "image\n  credit -> byline\n",
        "view story: article, touched by byline, image\n",
        "the catalog is good: 3 kinds, 2 views; it reads all 3 schema versions of the log\n",
    ):
        assert line in shown
    assert re.search(r"cycle: (byline -> image -> byline|image -> byline -> image)\n", shown)
    answer = indexed("catalog", "check", "--json").json
    assert [sorted(cycle) for cycle in answer["cycles"]] == [["byline", "image"]]
    assert sorted(answer["reach"]) == ["person", "story"]
    assert answer["views"]["story"]["expand"] == ["images.credit", "byline.photo"]
    assert answer["kinds"]["article"]["references"] == {"byline": ["byline"], "images": ["image"]}


def test_catalog_check_names_file_line_and_remedy_of_every_problem(shell: Shell) -> None:
    views = '[views.story]\nroot = "article"\nexpand = ["pictures"]\ndepth = 100\n'
    write_catalog(Path("bad"), {**CATALOG, "kinds/image.avsc": "{", "views.toml": views})
    ran = shell("catalog", "check", "--catalog", "bad", code=1)
    assert ran.err.startswith("error: the catalog can't be used:\n")
    assert re.search(r"^kinds/image\.avsc:1: not JSON: .*\. Correct the syntax\.$", ran.err, re.MULTILINE)
    assert re.search(r"^views\.toml:3: view story expands 'pictures', but article has no field", ran.err, re.MULTILINE)
    assert "views.toml:4: view story has depth 100. Use a whole number from 0 to 64.\n" in ran.err
    assert not shell.home.exists()


def test_catalog_show_gives_the_files(shell: Shell) -> None:
    shown = shell("catalog", "show", "--catalog", "catalog").out
    assert all(f"--- {name}\n{text.rstrip()}\n" in shown for name, text in CATALOG.items())
    assert "--- kinds/tag.avsc" in shell("catalog", "show").out
    assert not shell.home.exists()


# --------------------------------------------------------------------------------------------------------------- views


def test_views_are_records_one_a_line(published: Shell) -> None:
    ran = published("views")
    assert by_key(ran.records) == NOW
    assert ran.err == ""


def test_views_from_the_index_are_those_from_the_log(indexed: Shell) -> None:
    assert sorted(indexed("views", "--from", "index", "--gone").out.splitlines()) == sorted(
        indexed("views", "--gone").out.splitlines()
    )
    assert indexed("views", "--from", "index", "--uri", FLOOD).records == [flood(5, "Ada Lovelace", 5)]
    assert indexed("views", "--from", "index", "--view", "person").records == [PERSON_NOW]


def test_views_of_one_definition_or_one_root(published: Shell) -> None:
    assert by_key(published("views", "--view", "story").records) == by_key([flood(5, "Ada Lovelace", 5), CALM_NOW])
    assert published("views", "--uri", ADA).records == [PERSON_NOW]
    assert published("views", "--uri", ADA, "--view", "story") == Ran(
        0, "", f"there is no view of {ADA}: it was not published, or no view has its kind as root\n"
    )
    assert published("views", "--uri", "news://article/nope").err.startswith("there is no view of news://article/nope")


def test_views_as_of_an_offset(published: Shell) -> None:
    assert published("views", "--uri", FLOOD, "--as-of", 1).records == []
    for offset in (2, 3, 4):
        assert published("views", "--uri", FLOOD, "--as-of", offset).records == [flood(2, "Ada", 0)]
    assert published("views", "--uri", FLOOD, "--as-of", 5).records == [flood(5, "Ada Lovelace", 5)]
    assert by_key(published("views", "--as-of", 2).records).keys() == {("person", ADA), ("story", FLOOD)}
    assert by_key(published("views", "--as-of", 6).records) == NOW


def test_views_as_of_a_time_are_those_at_the_last_offset_published_by_then(published: Shell) -> None:
    for offset in range(7):
        by_time = published("views", "--as-of", at(offset), "--gone").out
        assert by_time == published("views", "--as-of", offset, "--gone").out
    assert published("views", "--as-of", "2026-11-23T10:00:02.5+01:00").out == published("views", "--as-of", 2).out
    assert published("views", "--as-of", "2030-01-01T00:00:00Z").out == published("views").out
    assert published("views", "--as-of", "2020-01-01T00:00:00Z").out == ""


def test_gone_views_are_shown_only_when_asked_for(published: Shell) -> None:
    assert by_key(published("views", "--gone").records) == {**NOW, ("story", STORM): STORM_GONE}
    assert published("views", "--uri", STORM, "--gone").records == [STORM_GONE]
    assert published("views", "--uri", STORM) == Ran(
        0, "", f"{STORM} is unpublished; --gone shows what is left of it\n"
    )


# ---------------------------------------------------------------------------------------------------- history and diff


def test_history_lists_every_version_of_an_asset(published: Shell) -> None:
    assert published("history", ADA).out.splitlines() == [
        "        0  2026-11-23T09:00:00Z  published  27 bytes",
        "        5  2026-11-23T09:00:05Z  published  36 bytes",
    ]
    assert published("history", STORM).out.splitlines()[1] == "        4  2026-11-23T09:00:04Z  unpublished"
    assert published("history", STORM, "--json").records[1] == {
        "uri": STORM,
        "offset": 4,
        "time": "2026-11-23T09:00:04Z",
        "op": "unpublish",
        "data": None,
    }
    assert [version["data"]["name"] for version in published("history", ADA, "--json").records] == [
        "Ada",
        "Ada Lovelace",
    ]
    assert published("history", "news://byline/nope") == Ran(0, "", "news://byline/nope was never published\n")


def test_history_lists_every_version_of_a_view_at_the_end_of_transactions(published: Shell) -> None:
    answer = published("history", FLOOD, "--view", "story", "--json").records
    assert [(version["version"], version["state"]) for version in answer] == [(2, "live"), (5, "live")]
    assert [version["content"]["byline"]["name"] for version in answer] == ["Ada", "Ada Lovelace"]
    storm = published("history", STORM, "--view", "story", "--json").records
    assert [(version["version"], version["state"]) for version in storm] == [(3, "live"), (4, "gone")]
    assert published("history", FLOOD, "--view", "person").err == f"there was never a view person of {FLOOD}\n"


def test_diff_says_what_changed(published: Shell) -> None:
    assert published("diff", ADA, 0, 6).out.splitlines() == [
        "at 0: version 0, published",
        "at 6: version 5, published",
        "name",
        '  - "Ada"',
        '  + "Ada Lovelace"',
    ]
    assert published("diff", ADA, 0, 4).out.splitlines()[-1] == "no difference"
    changes = published("diff", FLOOD, 2, 5, "--view", "story", "--json").records
    assert sorted((change["path"], change["before"], change["after"]) for change in changes) == [
        ("byline.name", "Ada", "Ada Lovelace"),
        ("images[0].credit.name", "Ada", "Ada Lovelace"),
    ]
    assert published("diff", STORM, 3, 4).out.splitlines()[:2] == [
        "at 3: version 3, published",
        "at 4: version 4, unpublished",
    ]
    (appeared,) = published("diff", CALM, 0, 6, "--json").records
    assert "before" not in appeared
    assert appeared["after"]["headline"] == "Calm after the flood"


# ---------------------------------------------------------------------------------------------- explain and dependents


def test_explain_shows_the_parts_and_what_made_the_last_version(published: Shell) -> None:
    shown = published("explain", "story", FLOOD).out
    assert shown.splitlines()[0] == f"{FLOOD}  @2"
    assert f"byline: {ADA}  @5" in shown
    assert f"images: {PICTURE}  @1" in shown
    assert f"credit: {ADA}  @5" in shown
    assert f"version 5: {ADA} was published at 2026-11-23T09:00:05Z\n" in shown
    answer = published("explain", "story", FLOOD, "--json").json
    assert answer["version"] == 5
    assert answer["cause"][0] == FLOOD
    assert answer["cause"][-1] == ADA
    assert answer["root"]["standing"] == "live"
    assert published("explain", "story", FLOOD, "--as-of", 3).out.endswith(
        f"version 2: {FLOOD} was published at 2026-11-23T09:00:02Z\n"
    )
    assert published("explain", "story", STORM).out == (
        f"{STORM}  @4  (unpublished)\nversion 4: {STORM} was unpublished at 2026-11-23T09:00:04Z\n"
    )


def test_explain_shows_holes(published: Shell) -> None:
    write_lines(Path("hole.jsonl"), article("hole", byline="news://byline/nobody"))
    published("publish", "hole.jsonl", "--references", "allow")
    assert "byline: news://byline/nobody  (missing)\n" in published("explain", "story", "news://article/hole").out


def test_explain_of_no_view_finds_something_wrong(published: Shell) -> None:
    for view, uri in (("story", "news://article/nope"), ("story", ADA), ("person", FLOOD)):
        assert published("explain", view, uri, code=1) == Ran(
            1, "", f"there is no view {view} of {uri}: it was never published, or is of another kind\n"
        )


def test_dependents_counts_what_a_change_would_touch(published: Shell) -> None:
    assert published("dependents", ADA).out.splitlines() == [
        f"a change of {ADA} touches 2 views",
        "  person: 1",
        f"    {ADA}",
        "  story: 1",
        f"    {FLOOD}",
    ]
    assert published("dependents", PICTURE, "--json").json == {
        "uri": PICTURE,
        "counts": {"story": 1},
        "views": [{"view": "story", "uri": FLOOD}],
    }
    assert published("dependents", STORM).out == f"a change of {STORM} touches 0 views\n"
    assert published("dependents", "news://byline/nope").out.endswith("touches 0 views\n")


# ------------------------------------------------------------------------------------------------------ run and search


def test_run_fills_the_index_and_says_with_what(shell: Shell) -> None:
    shell("publish", "history.jsonl", "--catalog", "catalog")
    ran = shell("run", "--batch", "--index", "jsonl:views.jsonl")
    assert ran.out.startswith("7 messages, 3 live views and 1 gone, 0.0 MB into jsonl:views.jsonl\n")
    records = [json.loads(line) for line in Path("views.jsonl").read_bytes().splitlines()]
    assert by_key(records) == {**NOW, ("story", STORM): STORM_GONE}
    assert shell("run", "--batch", "--index", "jsonl:views.jsonl", "--json").json["dead_letters"] == 0


def test_run_over_an_empty_log_makes_an_empty_index(shell: Shell) -> None:
    Path("nothing.jsonl").touch()
    shell("publish", "nothing.jsonl", "--catalog", "catalog")
    assert shell("run", "--batch").out.startswith("0 messages, 0 live views and 0 gone")
    assert shell("search").out == "0 found\n"


def test_search_finds_ranks_and_counts(indexed: Shell) -> None:
    assert indexed("search", "flood").out.startswith("2 found\n")
    answer = indexed("search", "flood mill", "--json").json
    assert [(hit["view"], hit["uri"], hit["version"]) for hit in answer["hits"]] == [("story", FLOOD, 5)]
    assert answer["hits"][0]["content"] == flood(5, "Ada Lovelace", 5)["content"]
    assert (answer["total"], answer["applied_through"], answer["cursor"]) == (1, 6, None)
    assert indexed("search", "storm").out == "0 found\n"
    assert indexed("search", "lovelace", "--view", "person", "--json").json["hits"][0]["uri"] == ADA
    by = indexed("search", "--view", "story", "--facet", "byline.name", "--json").json
    assert by["facets"] == {"byline.name": [{"value": "Ada Lovelace", "count": 1}]}
    only = indexed("search", "flood", "--filter", "byline.name=Ada Lovelace", "--json").json
    assert [hit["uri"] for hit in only["hits"]] == [FLOOD]


def test_search_puts_up_with_slips_or_says_what_may_be_meant(indexed: Shell) -> None:
    assert indexed("search", "folod").out == "0 found\ndid you mean: flood\n"
    assert indexed("search", "folod mill", "--json").json["did_you_mean"] == "flood mill"
    assert indexed("search", "folod", "--fuzzy").out.startswith("2 found\n")
    assert indexed("search", "flood", "--json").json["did_you_mean"] is None


def test_search_pages_with_a_cursor(indexed: Shell) -> None:
    whole = [hit["uri"] for hit in indexed("search", "--json").json["hits"]]
    assert len(whole) == 3
    found: list[str] = []
    cursor: list[str] = []
    while True:
        page = indexed("search", "--limit", 1, *cursor, "--json").json
        found += [hit["uri"] for hit in page["hits"]]
        if page["cursor"] is None:
            break
        cursor = ["--cursor", page["cursor"]]
    assert found == whole


# ----------------------------------------------------------------------------------------------------------------- log


def test_log_info_says_how_long_it_is(indexed: Shell) -> None:
    assert indexed("log", "info", "--json").json == {
        "url": f"sqlite:{indexed.home / 'log.sqlite'}",
        "messages": 7,
        "last_offset": 6,
        "first_time": at(0),
        "last_time": at(6),
        "catalog": parse_catalog(CATALOG).digest,
        "schemas": [{"id": n, "kind": kind, "version": 1} for n, kind in enumerate(("article", "byline", "image"), 1)],
    }
    assert "7 messages, the last at offset 6\n" in indexed("log", "info").out


def test_log_copy_makes_the_same_log_elsewhere(indexed: Shell, tmp_path: Path) -> None:
    old, new = f"sqlite:{indexed.home}/log.sqlite", f"sqlite:{tmp_path}/copy.db"
    assert indexed("log", "copy", old, new, "--json").json == {"present": False, "messages": 7, "verified": 7}
    assert indexed("log", "copy", old, new).out == "0 messages copied, all 7 compared and the same\n"
    assert indexed("log", "tail", "--log", new, "--json").records == indexed("log", "tail", "--json").records
    assert "publish something into it first" in indexed("log", "copy", f"sqlite:{tmp_path}/none.db", new, code=2).err


def test_log_create_makes_a_log_once(shell: Shell, tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/log.db"
    assert shell("log", "create", url).out == f"made {url}\n"
    assert shell("log", "create", url).out == f"{url} is there already\n"
    assert "is no log on Kafka" in shell("log", "create", url, "--replication", "3", code=2).err


def test_log_tail_shows_the_last_messages(indexed: Shell) -> None:
    assert [message["offset"] for message in indexed("log", "tail", "--json").records] == list(range(7))
    assert [message["offset"] for message in indexed("log", "tail", "-n", 2, "--json").records] == [5, 6]
    assert indexed("log", "tail", "-n", 0).out == ""
    (unpublished,) = (message for message in indexed("log", "tail", "--json").records if message["op"] == "unpublish")
    assert (unpublished["uri"], unpublished["bytes"]) == (STORM, None)
    lines = indexed("log", "tail", "-n", 5).out.splitlines()
    assert re.fullmatch(rf" +2  2026-11-23T09:00:02Z  publish    {FLOOD}  \d+ bytes  tx t", lines[0])
    assert re.fullmatch(rf" +4  2026-11-23T09:00:04Z  unpublish  {STORM}", lines[2])


def lines_of(stream: IO[str]) -> "Queue[str]":
    """Its lines as they come, so that waiting for one can end."""
    queue: Queue[str] = Queue()

    def read() -> None:
        for line in stream:
            queue.put(line)

    Thread(target=read, daemon=True).start()
    return queue


@pytest.mark.parametrize("json_too", [False, True])
def test_log_tail_follows_another_process(json_too: bool, published: Shell) -> None:
    arguments = ["log", "tail", "-n", "1", "-f", *(["--json"] if json_too else [])]
    following = process(*arguments, folder=published.folder)
    assert following.stdout is not None
    seen = lines_of(following.stdout)
    assert CALM in seen.get(timeout=60)
    for number in (1, 2, 3):
        write_lines(Path("more.jsonl"), article(f"more-{number}"))
        published("publish", "more.jsonl")
        assert f"news://article/more-{number}" in seen.get(timeout=60)
    following.send_signal(signal.SIGINT)
    assert following.wait(60) == 130
    assert following.stderr is not None
    assert following.stderr.read().startswith("error: stopped")
    following.stdout.close()
    following.stderr.close()


def test_log_verify_reads_every_payload(indexed: Shell) -> None:
    assert indexed("log", "verify").out == "all 7 messages are in order and can be read\n"
    assert indexed("log", "verify", "--json").json == {"messages": 7, "problems": []}


# ------------------------------------------------------------------------------------------------ poison, dead letters

OLDER_BYLINE = {"type": "record", "name": "byline", "fields": [{"name": "name", "type": "string"}]}
NEXT_SCHEMA = 4


def draft(uri: str, value: bytes | None, *, time: int | None = None) -> Draft:
    moment = microseconds(envelope(article(1)).time) if time is None else time
    return Draft(uri, moment, f"poison {uri}", value)


@pytest.fixture
def poisoned(published: Shell) -> Shell:
    """Put past the gateway: bytes that say nothing, a schema that nobody knows yet, a key that is no URI, no time."""
    codec = Codec(parse_catalog(CATALOG).kinds, [])
    good = codec.encode("article", 1, {"headline": "Good", "byline": None, "images": []})
    header = b"\0" + NEXT_SCHEMA.to_bytes(4, "big")
    append(
        published,
        draft(FLOOD, b"poison"),
        draft(ADA, header + b"\x18Ada K. Byron"),
        draft("nonsense", good),
        draft("news://article/late", good, time=10**18),
        draft("news://article/cut", good[:-1]),
        draft("news://article/behind", good),
    )
    return published


def append(shell: Shell, *drafts: Draft) -> None:
    log = open_log(f"sqlite:{shell.home / 'log.sqlite'}")
    with log.writing():
        log.append([Transaction(None, [one]) for one in drafts])
    log.close()


def test_poison_goes_to_the_dead_letters_and_what_is_behind_it_is_applied(poisoned: Shell) -> None:
    ran = poisoned("run", "--batch", code=1)
    assert ran.out.startswith("13 messages, 5 live views and 1 gone")
    assert ran.err == "4 messages could not be processed: publog dead-letters list\n"
    listed = poisoned("dead-letters", "list").out.splitlines()
    assert [line.split()[:3] for line in listed[:4]] == [
        ["7", "bad-framing", FLOOD],
        ["8", "unknown-schema", ADA],
        ["9", "bad-uri", "nonsense"],
        ["11", "malformed-avro", "news://article/cut"],
    ]
    assert listed[4:] == ["4 dead letters"]
    first = poisoned("dead-letters", "list", "--json").records[0]
    assert first == {
        "offset": 7,
        "uri": FLOOD,
        "code": "bad-framing",
        "reason": "it does not begin with magic 0 and a schema id",
        "value": "cG9pc29u",
    }
    found = by_key(poisoned("views").records)
    assert found["story", "news://article/behind"]["version"] == 12
    assert found["story", FLOOD] == flood(5, "Ada Lovelace", 5)
    assert by_key(poisoned("views", "--from", "index").records) == found


def test_every_command_lives_with_poison(poisoned: Shell) -> None:
    poisoned("run", "--batch", code=1)
    assert len(poisoned("log", "tail", "-n", 20).out.splitlines()) == 13
    assert [message["kind"] for message in poisoned("log", "tail", "-n", 5, "--json").records][1] is None
    assert "1000000000000000000 microseconds after" in poisoned("history", "news://article/late").out
    assert "bad-framing: it does not begin" in poisoned("history", FLOOD).out.splitlines()[1]
    assert poisoned("history", FLOOD, "--json").records[1]["problem"].startswith("bad-framing: ")
    poisoned("log", "info")
    poisoned("diff", FLOOD, 2, 12)
    poisoned("explain", "story", FLOOD)
    poisoned("dependents", FLOOD)
    verified = poisoned("log", "verify", code=1)
    assert "offset 7 (news://article/flood): its value is not in Confluent wire format" in verified.err
    assert len(poisoned("log", "verify", "--json", code=1).json["problems"]) >= 3
    checked = poisoned("doctor", "--thorough", code=1).out
    assert (
        "!!  dead letters: 1 bad-framing, 1 bad-uri, 1 malformed-avro, 1 unknown-schema; see publog dead-letters"
        in checked
    )
    assert "all are as the log says\n" in checked


def test_replay_heals_what_can_be_read_by_now_and_keeps_the_rest(poisoned: Shell) -> None:
    poisoned("run", "--batch", code=1)
    ran = poisoned("dead-letters", "replay", code=1)
    assert ran.out == "0 processed, 0 views brought up to date\n"
    assert ran.err == "4 still can't be processed: publog dead-letters list\n"
    log = open_log(f"sqlite:{poisoned.home / 'log.sqlite'}")
    assert log.register_schema("byline", json.dumps(OLDER_BYLINE)).id == NEXT_SCHEMA
    log.close()
    ran = poisoned("dead-letters", "replay", code=1)
    assert ran.out == "1 processed, 2 views brought up to date\n"
    assert ran.err == "3 still can't be processed: publog dead-letters list\n"
    assert [letter["offset"] for letter in poisoned("dead-letters", "list", "--json").records] == [7, 9, 11]
    healed = by_key(poisoned("views", "--from", "index").records)
    assert healed["person", ADA]["content"]["name"] == "Ada K. Byron"
    assert healed["story", FLOOD]["version"] == 8
    assert healed == by_key(poisoned("views").records)
    # As if it had always been readable.
    assert poisoned("run", "--batch", code=1).err.startswith("3 messages")
    assert by_key(poisoned("views", "--from", "index").records) == healed


def test_without_dead_letters_there_is_nothing_to_replay(indexed: Shell) -> None:
    assert indexed("dead-letters", "list") == Ran(0, "no dead letters\n", "")
    assert indexed("dead-letters", "list", "--json").out == ""
    assert indexed("dead-letters", "replay") == Ran(0, "0 processed, 0 views brought up to date\n", "")


def test_replay_into_an_index_that_was_never_built_is_refused(poisoned: Shell) -> None:
    poisoned("run", "--batch", code=1)
    ran = poisoned("dead-letters", "replay", "--index", "jsonl:other.jsonl", code=2)
    assert ran.err == "error: there is no index yet to bring up to date; build it: publog run --batch\n"


# -------------------------------------------------------------------------------------------------------------- doctor


PAYLOADS = (
    "read and written by the compiled module"
    if COMPILED
    else "read and written by libraries alone, which takes twice as long; with a C compiler, install publog again"
)


def test_doctor_finds_everything_in_order(indexed: Shell) -> None:
    assert indexed("doctor", "--thorough").out.splitlines() == [
        "ok  log: 7 messages, storage in order",
        "ok  catalog: 3 kinds, 2 views",
        f"ok  payloads: {PAYLOADS}",
        "ok  dead letters: none",
        "ok  held: none",
        "ok  index: 3 live documents, applied through 6",
        "ok  views: 4 documents checked against the log at offset 6",
        "all are as the log says",
    ]
    answer = indexed("doctor", "--json").json
    assert answer["good"] is True
    assert [finding["what"] for finding in answer["findings"]] == [
        "log",
        "catalog",
        "payloads",
        "dead letters",
        "held",
        "index",
    ]


def test_doctor_says_what_to_do(published: Shell) -> None:
    assert "!!  index: empty; fill it with publog run --batch\n" in published("doctor", code=1).out
    published("run", "--batch")
    published("doctor")
    write_lines(Path("more.jsonl"), article(1))
    published("publish", "more.jsonl")
    assert (
        "!!  index: 1 messages behind the log; publog run --batch brings it up to date, publog run --stream keeps it so\n"
        in published("doctor", code=1).out
    )
    views = {**CATALOG, "views.toml": CATALOG["views.toml"].replace("^3", "^2")}
    published("publish", "more.jsonl", "--catalog", write_catalog(Path("new"), views))
    assert (
        "!!  index: built with another catalog; build it again with publog run --batch\n"
        in published("doctor", code=1).out
    )


def test_doctor_finds_a_document_that_is_not_as_the_log_says(published: Shell) -> None:
    path = Path("views.jsonl")
    index = ["--index", f"jsonl:{path}"]
    published("run", "--batch", *index)
    stamp = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes().replace(b"Calm after", b"Calm befor"))
    os.utime(path, ns=(stamp, stamp))
    published("doctor", *index)
    ran = published("doctor", "--thorough", *index, code=1)
    assert f"content    story {CALM}\n1 are not\n" in ran.out


# ---------------------------------------------------------------------------------------------------------------- demo

DEMO_SECONDS_MAX = 90


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran, float]:
    folder = tmp_path_factory.mktemp("demo")
    started = time.monotonic()
    ran = run_process("demo", folder=folder, COLUMNS="120")
    return folder, ran, time.monotonic() - started


def test_demo_shows_the_whole_path(demo: tuple[Path, Ran, float]) -> None:
    folder, ran, seconds = demo
    assert (ran.code, ran.err) == (0, "")
    assert seconds < DEMO_SECONDS_MAX
    for step in ("Publish", "Denormalize", "Search", "Change one asset", "Look", "What to type next"):
        assert step in ran.out
    assert re.search(r"\d+ messages appended\n", ran.out)
    assert re.search(r"\d+ stories found for rents\n", ran.out)
    # The change reaches the views.
    assert len(re.findall(r"story version .* by .*Ada Okafor(-Lindqvist)?", ran.out)) == 2
    pages = folder / ".publog" / "demo" / "pages"
    assert "Ada Okafor-Lindqvist" in (pages / "index.html").read_text()
    assert (pages / "rss.xml").exists()


def test_demo_again_says_what_is_there_already(demo: tuple[Path, Ran, float]) -> None:
    folder, first, _ = demo
    again = run_process("demo", folder=folder)
    assert (again.code, again.err) == (0, "")
    assert re.search(r"0 messages appended, \d+ were there already\n", again.out)
    assert again.out.splitlines()[-3:] == first.out.splitlines()[-3:]


def test_everything_that_demo_says_to_type_next_works(
    demo: tuple[Path, Ran, float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ran, _ = demo
    shell = Shell(folder, capsys, monkeypatch)
    typed = re.findall(r"^  (?:python -m |\S*/)?publog (.*?)   \w", ran.out, re.MULTILINE)
    assert len(typed) >= 6
    for line in typed:
        if "FILE" not in line:
            arguments = [part.strip("'") for part in re.findall(r"'[^']*'|\S+", line)]
            assert shell(*arguments).out, line


def test_demo_does_not_write_into_a_log_that_is_not_its_own(published: Shell) -> None:
    ran = published("demo", code=2)
    assert "is not a demo's" in ran.err
    assert "publog --home .publog-demo demo" in ran.err
    assert len(published("log", "tail").out.splitlines()) == 7

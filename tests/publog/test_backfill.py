"""`publog backfill` and its parts, as a person and a program meet them."""

import json
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from assets.log import open_log
from assets.model import Draft, Transaction
from backfill.record import Records
from indexers import Index, open_index
from tests.support.newsroom import (
    CATALOG,
    Json,
    Ran,
    Shell,
    article,
    byline,
    image,
    unpublish,
    write_catalog,
    write_lines,
)
from tests.support.streaming import StreamProcess, applied_through, until

ADA, BOB = "news://byline/ada", "news://byline/bob"
PORTRAIT = "news://image/1"
HISTORY = [
    byline("ada", name="Ada"),
    byline("bob", name="Bob"),
    image(1, path="/ada.jpg", credit=BOB),
    article("flood", headline="Flood at the mill", byline=ADA, images=[PORTRAIT]),
    article("calm", headline="Calm after the flood", byline=BOB),
    article("storm", headline="Storm over the hills", byline=ADA),
    unpublish("news://article/storm"),
    byline("ada", name="Ada Lovelace", photo=PORTRAIT),
]
LAST = len(HISTORY) - 1
PICTURES = """
        [views.picture]
        root = "image"
        expand = ["credit"]
        search.text = ["path", "credit.name"]
"""
WITH_PICTURES = {**CATALOG, "views.toml": CATALOG["views.toml"] + PICTURES}
"""Another view."""
WITHOUT_PHOTOS = {
    **CATALOG,
    "views.toml": CATALOG["views.toml"]
    .replace('search.facets = ["byline.name"]', 'fields.byline = ["name"]\n        search.date = "headline"')
    .replace('        search.date = "headline"', ""),
}
"""Fewer fields in a view, and another mapping."""


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A home with a little history in its log, and no index."""
    write_catalog(tmp_path / "catalog")
    write_catalog(tmp_path / "new", WITH_PICTURES)
    write_lines(tmp_path / "history.jsonl", *HISTORY)
    made = Shell(tmp_path, capsys, monkeypatch)
    made("publish", "history.jsonl", "--catalog", "catalog")
    # Processes take longer to start than so little takes: who wants some says so.
    monkeypatch.setattr("publog.commands.backfill._cores", lambda: 1)
    return made


def index_of(shell: Shell) -> Index:
    return open_index(f"tantivy:{shell.home / 'index'}")


def current(shell: Shell, *index: str) -> str:
    return shell("backfill", "status", "--json", *index).json["current"]


def generations(shell: Shell, *index: str) -> set[str]:
    return {about["name"] for about in shell("backfill", "generations", "--json", *index).json}


def begun(shell: Shell, *index: str) -> str:
    """The generation of the last backfill."""
    return shell("backfill", "status", "--json", *index).json["backfill"]["generation"]


def records(ran: Ran) -> dict[tuple[str, str], Json]:
    found = {(record["view"], record["uri"]): record for record in ran.records}
    assert len(found) == len(ran.records)
    return found


def assert_as_the_log_says(shell: Shell, *index: str) -> None:
    """With the log's own catalog."""
    right = records(shell("views", "--gone"))
    assert records(shell("views", "--gone", "--from", "index", *index)) == right


def publish(shell: Shell, *messages: Mapping[str, Json], code: int = 0) -> None:
    write_lines(shell.folder / "more.jsonl", *messages)
    shell("publish", "more.jsonl", code=code)


def said(ran: Ran) -> str:
    """What was complained of, however it was wrapped."""
    return " ".join(ran.err.split())


# ------------------------------------------------------------------------------------------------------- all in one go


def test_the_first_backfill_fills_an_index_that_was_never_loaded(shell: Shell) -> None:
    ran = shell("backfill", "--shards", 1)
    lines = ran.out.splitlines()
    name = current(shell)
    assert lines[0].startswith("8 messages become 5 views in tantivy:")
    assert f"generation {name}: messages up to offset 7, 1 shards" in lines
    assert "5 documents checked against the log at offset 7" in lines
    assert "all are as the log says" in lines
    assert lines[-1] == f"searches go to generation {name}"
    assert ran.err == ""
    assert shell("search", "flood", "--json").json["total"] == 2
    assert_as_the_log_says(shell)
    assert shell("doctor", "--thorough").code == 0
    # What it worked with is not left behind.
    assert not (shell.home / "backfill" / name).exists()


def test_a_new_view_answers_a_new_question_from_old_messages(shell: Shell) -> None:
    shell("run", "--batch")
    former = current(shell)
    assert "no view 'picture'" in said(shell("search", "bob", "--view", "picture", code=2))
    ran = shell("backfill", "--catalog", "new")
    assert "  view picture is added, rooted at image" in ran.out.splitlines()
    assert f"{former} is kept; back to it: publog backfill rollback" in ran.out
    assert generations(shell) == {former, current(shell)}
    found = shell("search", "bob", "--view", "picture", "--json").json
    assert [hit["uri"] for hit in found["hits"]] == [PORTRAIT]
    # From here on, the log is read with the catalog that the index was made by.
    assert shell("views", "--view", "picture").records[0]["content"]["credit"]["name"] == "Bob"
    assert_as_the_log_says(shell)
    stream = StreamProcess(shell.home)
    try:
        publish(shell, byline("bob", name="Robert"))
        until(lambda: applied_through(f"tantivy:{shell.home / 'index'}") == LAST + 1 or not stream.is_running())
        assert shell("search", "robert", "--view", "picture", "--json").json["total"] == 1
        assert stream.stop() == 0, stream.said
    finally:
        if stream.is_running():
            stream.kill()
    assert_as_the_log_says(shell)


def test_rollback_returns_to_the_former_catalog_and_forward_again_brought_up_to_date(shell: Shell) -> None:
    shell("backfill")
    former = current(shell)
    shell("backfill", "--catalog", "new")
    new = current(shell)
    publish(shell, article("late", headline="Late edition"), image(2, path="/late.jpg", credit=BOB))
    ran = shell("backfill", "rollback")
    assert ran.out.splitlines() == [
        f"searches go to generation {former} again",
        f"{new} is kept; back to it: publog backfill rollback",
    ]
    assert current(shell) == former
    assert shell("search", "late", "--json").json["total"] == 1
    shell("search", "bob", "--view", "picture", code=2)
    assert_as_the_log_says(shell)
    shell("backfill", "verify")
    publish(shell, byline("bob", name="Robert"))
    assert shell("backfill", "rollback", "--json").json == {"current": new, "former": former}
    found = shell("search", "robert", "--view", "picture", "--json").json
    assert {hit["uri"] for hit in found["hits"]} == {PORTRAIT, "news://image/2"}
    assert_as_the_log_says(shell)
    shell("backfill", "verify")


@pytest.mark.parametrize(
    ("files", "changed"),
    [
        ({**CATALOG, "views.toml": CATALOG["views.toml"].replace("^3", "^2")}, "headline"),
        ({**CATALOG, "views.toml": CATALOG["views.toml"].replace('expand = ["images.credit", "byline.photo"]', 'expand = ["byline"]')}, "story"),
    ],
    ids=["mapping", "fields"],
)  # fmt: skip
def test_a_view_that_changes_is_made_anew(files: Mapping[str, str], changed: str, shell: Shell) -> None:
    shell("backfill")
    before = current(shell)
    write_catalog(shell.folder / "changed", files)
    ran = shell("backfill", "--catalog", "changed")
    assert changed in ran.out[ran.out.index("the catalog changes:") :].splitlines()[1]
    assert current(shell) != before
    assert_as_the_log_says(shell)
    shell("backfill", "verify")
    assert shell("backfill", "plan", "--json").json["catalog_changes"] == []


def test_a_plain_backfill_in_json_answers_in_json(shell: Shell) -> None:
    shell("backfill")
    former = current(shell)
    answer = shell("backfill", "--json").json
    assert answer.keys() == {"current", "former", "seconds"}
    assert (answer["current"], answer["former"]) == (current(shell), former)


@pytest.mark.parametrize("shards", [1, 2])
def test_an_empty_log_gives_an_empty_generation(shards: int, shell: Shell) -> None:
    empty = f"sqlite:{shell.folder / 'empty.sqlite'}"
    open_log(empty, create=True).close()
    home = shell.folder / "other"
    for _ in range(2):
        shell("--home", home, "backfill", "--log", empty, "--catalog", "catalog", "--shards", shards)
    assert shell("--home", home, "search", "flood", "--json").json["total"] == 0
    status = shell("--home", home, "backfill", "status", "--log", empty, "--json").json
    assert (status["applied_through"], status["last_offset"]) == (-1, -1)
    shell("--home", home, "backfill", "verify", "--log", empty)
    shell("--home", home, "backfill", "rollback", "--log", empty)


def test_an_index_in_a_file_is_backfilled_as_well(shell: Shell) -> None:
    index = "--index", f"jsonl:{shell.folder / 'views.jsonl'}"
    shell("backfill", *index)
    former = current(shell, *index)
    shell("backfill", "start", "--catalog", "new", *index)
    publish(shell, byline("bob", name="Robert"))
    shell("backfill", "verify", *index)
    shell("backfill", "cutover", *index)
    assert_as_the_log_says(shell, *index)
    lines = (shell.folder / "views.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["view"] == "picture" for line in lines) == 1
    shell("backfill", "rollback", *index)
    assert current(shell, *index) == former
    assert_as_the_log_says(shell, *index)
    shell("backfill", "generations", "--remove", begun(shell, *index), *index)
    assert generations(shell, *index) == {former}


# --------------------------------------------------------------------------------------------------------- step by step


def test_step_by_step(shell: Shell) -> None:
    shell("backfill")
    former = current(shell)
    ran = shell("backfill", "start", "--catalog", "new", "--shards", 2)
    name = re.match(r"generation (\S+): messages up to offset 7, 2 shards\n", ran.out)
    assert name is not None
    assert f"generation {name[1]} is built, applied through 7" in ran.out
    assert ran.out.splitlines()[-1] == "next: publog backfill verify, then publog backfill cutover"
    # Nothing of it is seen yet: neither by searches nor by who reads the log.
    assert current(shell) == former
    shell("search", "bob", "--view", "picture", code=2)
    assert not [record for record in shell("views").records if record["view"] == "picture"]
    publish(shell, article("late", headline="Late edition"))
    out = shell("backfill", "status").out.splitlines()
    assert out == [
        f"searched: {former}, applied through 7 of 8",
        f"{name[1]}: built, applied through 7, 1 messages behind; nobody is at work on it",
        "next: publog backfill cutover",
    ]
    status = shell("backfill", "status", "--json").json
    assert status["backfill"]["phase"] == "built"
    assert status["backfill"]["applied_through"] == 7
    assert (status["at_work"], status["build"]) == (False, None)
    with Records(shell.home).at_work():
        assert shell("backfill", "status", "--json").json["at_work"] is True
        assert shell("backfill", "status").out.splitlines()[1:] == [
            out[1].replace("nobody is at work on it", "at work")
        ]
    resumed = shell("backfill", "resume", "--json").json
    assert (resumed["generation"], resumed["applied_through"]) == (name[1], 8)
    ran = shell("backfill", "verify")
    assert ran.out.splitlines() == ["7 documents checked against the log at offset 8", "all are as the log says"]
    assert shell("backfill", "verify", "--json").json["passed"] is True
    assert shell("backfill", "verify", "--generation", former, "--json").json["watermark"] == 7
    ran = shell("backfill", "cutover", "--json")
    assert (ran.json["current"], ran.json["former"]) == (name[1], former)
    assert_as_the_log_says(shell)
    out = shell("backfill", "status").out
    assert f"{name[1]}: done, begun 20" in out
    listed = shell("backfill", "generations").out.splitlines()
    assert {tuple(line.split()[:2]) for line in listed} == {(former, "complete"), (name[1], "searched")}
    assert shell("backfill", "generations", "--remove", former).out == f"removed {former}\n"
    assert generations(shell) == {name[1]}
    assert "no former generation" in shell("backfill", "rollback", code=1).err


def test_a_plan_starts_nothing(shell: Shell) -> None:
    shell("backfill")
    before = generations(shell)
    ran = shell("backfill", "plan", "--catalog", "new", "--shards", 1)
    assert ran.out.startswith("8 messages become 6 views in ")
    assert "view picture is added" in ran.out
    answer = shell("backfill", "plan", "--catalog", "new", "--json").json
    assert [change["text"] for change in answer["catalog_changes"]] == ["view picture is added, rooted at image"]
    assert answer["messages"] == 8
    assert generations(shell) == before
    assert shell("backfill", "status", "--json").json["backfill"]["phase"] == "current"


def test_a_plain_backfill_goes_on_with_what_was_started(shell: Shell) -> None:
    shell("backfill")
    shell("backfill", "start", "--catalog", "new")
    name = begun(shell)
    shell("backfill")
    assert (current(shell), begun(shell)) == (name, name)
    assert_as_the_log_says(shell)


# ----------------------------------------------------------------------------------------------------- what is refused


def test_without_a_backfill_there_is_nothing_to_go_on_with(shell: Shell) -> None:
    for command in ("resume", "cutover"):
        ran = shell("backfill", command, code=1)
        assert ran.err == "error: there is no backfill to go on with; begin one: publog backfill start\n"
    assert shell("backfill", "status").out.splitlines() == [
        "searched: nothing yet, applied through -1 of 7",
        "no backfill was begun here: publog backfill plan",
    ]
    assert shell("backfill", "status", "--json").json["backfill"] is None
    assert shell("backfill", "generations").out == "none yet\n"
    assert shell("backfill", "generations", "--json").json == []
    assert "There is no index at" in shell("backfill", "verify", code=1).err
    assert "no former generation to return to" in shell("backfill", "rollback", code=1).err


def test_without_a_log_it_says_what_to_do_first(shell: Shell) -> None:
    for command in ([], ["plan"], ["start"], ["status"], ["rollback"]):
        assert "publish something first" in said(shell("--home", "elsewhere", "backfill", *command, code=2))


def test_one_backfill_at_a_time(shell: Shell) -> None:
    shell("backfill")
    shell("backfill", "start")
    name = begun(shell)
    ran = shell("backfill", "start", code=1)
    assert f"the backfill of generation {name} is not finished" in said(ran)
    assert "publog backfill resume" in said(ran)
    shell("--catalog", "new", "backfill", code=2)
    ran = shell("backfill", "--catalog", "new", code=2)
    assert f"generation {name} is being built with another catalog" in said(ran)
    assert f"publog backfill generations --remove {name}" in said(ran)
    shell("backfill", "generations", "--remove", name)
    assert shell("backfill", "status", "--json").json["backfill"] is None
    shell("backfill", "--catalog", "new")
    assert shell("search", "bob", "--view", "picture", "--json").json["total"] == 1


def test_a_generation_that_is_not_built_is_not_cut_over(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Json, **__: Json) -> None:
        raise OSError(28, "No space left on device")

    shell("backfill")
    before = current(shell)
    with monkeypatch.context() as patched:
        patched.setattr("backfill.run.run_build", fails)
        assert "No space left on device" in shell("backfill", "start", "--shards", 1, code=1).err
    name = begun(shell)
    status = shell("backfill", "status").out
    assert f"{name}: building since" in status
    assert "nobody is at work on it\nnext: publog backfill resume\n" in status
    assert shell("backfill", "status", "--json").json["build"]["applied"] == 0
    ran = shell("backfill", "cutover", code=2)
    assert f"generation {name} is not built yet: publog backfill resume" in said(ran)
    # An unfinished one is neither verified nor returned to.
    assert "not finished" in said(shell("backfill", "verify", "--generation", name, code=1))
    assert "no former generation" in shell("backfill", "rollback", code=1).err
    assert current(shell) == before
    shell("backfill", "resume")
    shell("backfill", "cutover")
    assert current(shell) == name


def test_what_is_searched_is_not_removed(shell: Shell) -> None:
    shell("backfill")
    assert "current" in said(shell("backfill", "generations", "--remove", current(shell), code=1))
    assert "has no generation 'nope'" in said(shell("backfill", "generations", "--remove", "nope", code=1))
    assert "has no generation 'nope'" in said(shell("backfill", "verify", "--generation", "nope", code=1))
    assert_as_the_log_says(shell)


def test_who_has_the_lease_is_named(shell: Shell) -> None:
    shell("backfill")
    shell("backfill", "start")
    with closing(index_of(shell)) as index, index.lease("Ada, on her laptop"):
        for command in ([], ["start"], ["resume"], ["cutover"], ["rollback"], ["generations", "--remove", "x"]):
            ran = shell("backfill", *command, code=1)
            assert "Ada, on her laptop" in said(ran)
        # To look takes no lease.
        for command in (["plan"], ["status"], ["verify"], ["generations"]):
            shell("backfill", *command)
    shell("backfill", "cutover")


def test_a_catalog_that_can_not_read_the_log_is_refused(shell: Shell) -> None:
    shell("backfill")
    before = generations(shell)
    numbered = json.loads(CATALOG["kinds/byline.avsc"])
    numbered["fields"][0]["type"] = "int"
    write_catalog(shell.folder / "bad", {**CATALOG, "kinds/byline.avsc": json.dumps(numbered)})
    for command in ([], ["start"]):
        ran = shell("backfill", *command, "--catalog", "bad", code=1)
        assert "byline" in ran.err
        assert "Traceback" not in ran.err
    assert generations(shell) == before
    assert shell("backfill", "status", "--json").json["backfill"]["phase"] == "current"


def test_options_that_nobody_knows_are_refused(shell: Shell) -> None:
    shell("backfill")
    before = generations(shell)
    ran = shell("backfill", "--shrads", 2, code=2)
    assert "--shrads" in said(ran)
    shell("backfill", "plam", code=2)
    shell("backfill", "start", "--shards", 0, code=2)
    assert generations(shell) == before


@pytest.mark.parametrize("option", [["--catalog", "new"], ["--index", "jsonl:x"], ["--shards", 1], ["--json"]])
def test_an_option_before_a_subcommand_is_not_forgotten_without_a_word(option: list[Json], shell: Shell) -> None:
    ran = shell("backfill", *option, "start", code=2)
    assert ran.err == "error: options go behind the subcommand: publog backfill start ...\n"
    assert generations(shell) == set()


# --------------------------------------------------------------------------------------------- damage behind its back


def test_damage_is_named_searches_stay_and_repair_makes_it_pass(shell: Shell) -> None:
    shell("backfill")
    former = current(shell)
    shell("backfill", "start", "--catalog", "new")
    name = begun(shell)
    gone, altered, extra = ("story", "news://article/calm"), ("person", ADA), ("story", "news://article/invented")
    with closing(index_of(shell)) as index, closing(index.generation(name)) as generation:
        one, other = generation.get(*altered), generation.get(*gone)
        assert one is not None
        assert other is not None
        views = [
            one._replace(content=one.content.replace(b"Ada Lovelace", b"Eve Lovelace")),
            other._replace(uri=extra[1], content=other.content.replace(b"calm", b"invented")),
        ]
        generation.write(views, applied_through=LAST, repair=True, remove=[gone, altered])
    wanted = {(*gone, "missing"), (*altered, "content"), (*extra, "unexpected")}
    ran = shell("backfill", "verify", "--json", code=1)
    assert {(one["view"], one["uri"], one["what"]) for one in ran.json["differences"]} == wanted
    assert (ran.json["passed"], ran.json["different"]) == (False, 3)
    ran = shell("backfill", "verify", code=1)
    named = re.findall(r"^  (missing|content|unexpected) +(\S+) (\S+)$", ran.out, re.MULTILINE)
    assert {(view, uri, what) for what, view, uri in named} == wanted
    assert ran.out.splitlines()[-1] == "next: publog backfill verify --repair"
    for command in (["cutover"], []):
        ran = shell("backfill", *command, code=1)
        assert f"generation {name} is not what the log says: 3 documents differ. Searches stay where they are" in said(
            ran
        )
        assert "publog backfill verify --repair" in said(ran)
        assert current(shell) == former
    assert shell("search", "calm", "--json").json["total"] == 1
    ran = shell("backfill", "verify", "--repair")
    assert "3 documents were written again; once more:\n" in ran.out
    assert ran.out.splitlines()[-1] == "all are as the log says"
    shell("backfill", "cutover")
    assert current(shell) == name
    assert_as_the_log_says(shell)


# ------------------------------------------------------------------------------------ a switch that ends half-way, and streams


def half_way(shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Searches go to the other generation, and then the disk is full."""

    def fails(*_: Json) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("backfill.run.fix_catalog", fails)
        assert "No space left on device" in shell("backfill", command, code=1).err


def test_a_rollback_that_ended_half_way_is_ended_by_the_next_and_not_turned_back(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("backfill")
    former = current(shell)
    shell("backfill", "--catalog", "new")
    half_way(shell, monkeypatch, "rollback")
    assert current(shell) == former
    assert f"searches go to generation {former} again" in shell("backfill", "rollback").out
    assert_as_the_log_says(shell)


def test_a_backfill_behind_a_rollback_that_ended_half_way_is_made_with_its_catalog(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("backfill")
    shell("backfill", "--catalog", "new")
    half_way(shell, monkeypatch, "rollback")
    shell("backfill")
    shell("search", "bob", "--view", "picture", code=2)
    assert_as_the_log_says(shell)


@pytest.mark.parametrize("command", [["cutover"], [], ["resume", "cutover"], ["rollback", "rollback"]])
def test_a_cutover_that_ended_half_way_is_ended_by_whatever_comes_next(
    command: list[str], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("backfill")
    shell("backfill", "start", "--catalog", "new")
    name = begun(shell)
    half_way(shell, monkeypatch, "cutover")
    assert current(shell) == name
    if not command:
        shell("backfill")
    for word in command:
        shell("backfill", word)
    assert current(shell) == name
    assert_as_the_log_says(shell)
    assert shell("backfill", "status", "--json").json["backfill"]["phase"] == "current"
    assert "no backfill to go on with" in shell("backfill", "cutover", code=1).err


def test_the_states_left_for_the_stream_are_of_as_many_shards_as_it_has(shell: Shell) -> None:
    stream = StreamProcess(shell.home, "--shards", 2)
    try:
        until(lambda: "following" in stream.said or not stream.is_running())
        publish(shell, article("late", headline="Late edition"))
        until(lambda: applied_through(f"tantivy:{shell.home / 'index'}") == LAST + 1 or not stream.is_running())
        assert stream.stop() == 0, stream.said
    finally:
        if stream.is_running():
            stream.kill()
    shell("backfill", "--shards", 1)
    left = {path.name for path in (shell.home / "state" / current(shell)).glob("*.sqlite")}
    assert left == {"0-of-2.sqlite", "1-of-2.sqlite"}


def test_each_catalog_has_its_own_dead_letters_beside_a_stream(shell: Shell) -> None:
    note = {"type": "record", "name": "note", "fields": [{"name": "text", "type": "string"}]}
    files = {"kinds/note.avsc": json.dumps(note), "views.toml": CATALOG["views.toml"] + '[views.note]\nroot = "note"\n'}
    write_catalog(shell.folder / "notes", {**CATALOG, **files})
    index = f"tantivy:{shell.home / 'index'}"
    stream = StreamProcess(shell.home)
    try:
        until(lambda: "following" in stream.said or not stream.is_running())
        # The former catalog knows nothing of notes.
        append(shell, "news://note/1", b"bad")
        last = append(shell, "news://article/cut", b"bad")
        until(lambda: applied_through(index) == last or not stream.is_running())
        assert dead_letters(shell) == ["news://article/cut"]
        shell("backfill", "--catalog", "notes")
        last = append(shell, "news://note/2", b"bad")
        until(lambda: applied_through(index) == last or not stream.is_running())
        notes = ["news://note/1", "news://article/cut", "news://note/2"]
        assert dead_letters(shell) == notes
        shell("backfill", "rollback")
        last = append(shell, "news://article/late", b"bad")
        until(lambda: applied_through(index) == last or not stream.is_running())
        assert dead_letters(shell) == ["news://article/cut", "news://article/late"]
        shell("backfill", "rollback")
        assert dead_letters(shell) == [*notes, "news://article/late"]
        assert stream.stop() == 0, stream.said
    finally:
        if stream.is_running():
            stream.kill()
    assert_as_the_log_says(shell)


def append(shell: Shell, uri: str, value: bytes) -> int:
    """Past the gateway, straight into the log."""
    with closing(open_log(f"sqlite:{shell.home / 'log.sqlite'}")) as log, log.writing():
        (receipt,) = log.append([Transaction(None, [Draft(uri, 0, uri, value)])])
        return receipt.offset


def dead_letters(shell: Shell) -> list[str]:
    lines = shell("dead-letters", "list").out.splitlines()
    return [line.split()[2] for line in lines[:-1]]

"""Switches the generations of a home, killed before each step in turn that leaves a trace on the disk, or every so many.

`python -m tests.faults.backfill_killer kill COMMAND FOLDER EVERY` says at how many steps COMMAND (cutover or rollback) was
killed, and `... race FOLDER ROUNDS` how often one of two commands at once was told to wait, or what it found wrong. Each
life is a fork of a process that has done no more than import what is needed.
"""

import io
import itertools
import json
import os
import shutil
import sys
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from assets.catalog import parse_catalog
from assets.log import open_log
from assets.model import Draft, Transaction
from backfill.record import Records
from backfill.verify import as_text, verify
from denormalizer.fold import DeadLetter
from indexers import open_index
from pipeline.beam_loading import load_beam
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from publog.cli import run_command
from tests.faults.index_killer import KILLED, STEPS, fork, killing, live
from tests.support.newsroom import CATALOG, article, byline, field, record, unpublish, write_catalog, write_lines

OTHER = {
    **CATALOG,
    "kinds/note.avsc": json.dumps(record("note", field("text", "string"))),
    "views.toml": CATALOG["views.toml"] + '[views.note]\nroot = "note"\n',
}
NOTE = "news://note/1"
"""Nobody can read it; the former catalog does not know its kind, the latter has a dead letter of it."""

OLD_LETTER = DeadLetter(0, "news://byline/ada", "marked", "as the former catalog has it", b"")


def main() -> None:
    load_beam()
    __import__("backfill.run")
    match sys.argv[1:]:
        case ["kill", command, folder, every]:
            sys.stdout.write(f"{kill(command, Path(folder), int(every))}\n")
        case ["race", folder, rounds]:
            sys.stdout.write(f"{race(Path(folder), int(rounds))}\n")
        case other:
            raise AssertionError(other)


def kill(command: str, folder: Path, every: int) -> int:
    first = folder / "first"
    live(lambda: prepare(first, command))
    start, target = names(first) if command == "cutover" else names(first)[::-1]
    for count in itertools.count(0, every):
        home = Path(shutil.copytree(first, folder / str(count)))
        is_killed = live(lambda home=home, count=count: switch(home, command, count)) == KILLED
        live(lambda home=home: check_between(home, {start, target}))
        live(lambda home=home: again(home, command, target))
        live(lambda home=home: check(home, target))
        shutil.rmtree(home)
        if not is_killed:
            return count
    raise AssertionError


def race(folder: Path, rounds: int) -> int:
    """Two at once, again and again."""
    refused = 0
    for first, second in [("backfill", "backfill"), ("cutover", "rollback"), ("rollback", "rollback")]:
        for number in range(rounds):
            home = folder / f"{first}-{second}-{number}"
            live(lambda: prepare(home, "cutover" if first == "cutover" else "rollback"))  # noqa: B023
            if first == "cutover":
                live(lambda: third(home))  # noqa: B023
            before = {about.name for about in generations(home)}
            ready, go = os.pipe()
            pids = [fork(lambda word=word: contend(home, word, ready)) for word in (first, second)]  # noqa: B023
            os.write(go, b"..")
            codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
            os.close(ready)
            os.close(go)
            assert set(codes) <= {0, 1}, codes
            assert 0 in codes, "one wins"
            refused += 1 in codes
            live(lambda: check_between(home, None))  # noqa: B023
            live(lambda: check_all(home))  # noqa: B023
            assert before <= {about.name for about in generations(home)}, "nothing is lost"
    return refused


def contend(home: Path, word: str, ready: int) -> None:
    os.read(ready, 1)
    code, said = run(
        home, "backfill", *([] if word == "backfill" else [word]), *(["--shards", 1] if word == "backfill" else [])
    )
    if code:
        # The other one has the lease, or has just switched.
        assert code == 1, said
        assert "publog backfill" in said, said
        assert "process" in said or "Another" in said or "no backfill" in said, said
        os._exit(1)


# ------------------------------------------------------------------------------------------------------------ the lives


def run(home: Path, *arguments: Any) -> tuple[int, str]:
    said = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with redirect_stdout(said), redirect_stderr(said):
        code = run_command(["--home", str(home), *map(str, arguments)])
    said.seek(0)
    return code, said.read()


def done(home: Path, *arguments: Any) -> None:
    code, said = run(home, *arguments)
    assert code == 0, said


def prepare(home: Path, command: str) -> None:
    """A home with a generation of each catalog: the latter one is current already if the command is to roll it back."""
    home.mkdir()
    write_catalog(home / "former")
    write_catalog(home / "latter", OTHER)
    history = [byline("ada", name="Ada"), *(article(n, byline="news://byline/ada") for n in range(20))]
    write_lines(home / "history.jsonl", *history, unpublish("news://article/3"))
    done(home, "publish", home / "history.jsonl", "--catalog", home / "former")
    with closing(open_log(f"sqlite:{home / 'log.sqlite'}")) as log, log.writing():
        log.append([Transaction(None, [Draft(NOTE, 0, "poison", b"\1")])])
    done(home, "run", "--batch")
    with closing(DeadLetters(home / DEAD_LETTERS_FILE)) as letters:
        letters.replace([OLD_LETTER])
    if command == "rollback":
        done(home, "backfill", "--catalog", home / "latter", "--shards", 1)
    else:
        done(home, "backfill", "start", "--catalog", home / "latter", "--shards", 1)
    # There is something to catch up with.
    write_lines(home / "more.jsonl", byline("ada", name="Ada Lovelace"), article(3, byline="news://byline/ada"))
    done(home, "publish", home / "more.jsonl")


def third(home: Path) -> None:
    """One generation to cut over to, and one to roll back to."""
    done(home, "backfill", "cutover")
    done(home, "backfill", "start", "--shards", 1)


def switch(home: Path, command: str, kill_at: int) -> None:
    left = itertools.count(kill_at, -1)
    for name in STEPS:
        setattr(os, name, killing(getattr(os, name), left))
    for method in ("replace", "add"):
        setattr(DeadLetters, method, killing(getattr(DeadLetters, method), left))
    done(home, "backfill", command)


def again(home: Path, command: str, target: str) -> None:
    """The same command ends what was killed, unless that had done all but say so."""
    switched = Records(home).switched()
    if switched is not None and switched.settled and switched.current == target:
        backfilled = Records(home).read()
        if command == "rollback" or (backfilled is not None and backfilled.phase == "current"):
            return
    done(home, "backfill", command)


# ------------------------------------------------------------------------------------------------------------ the checks


def index_of(home: Path) -> str:
    return f"tantivy:{home / 'index'}"


def generations(home: Path) -> list[Any]:
    with closing(open_index(index_of(home))) as index:
        return [about for about in index.generations() if about.complete]


def names(home: Path) -> list[str]:
    """The former generation's, the latter's."""
    former = parse_catalog(CATALOG).digest
    return [about.name for about in sorted(generations(home), key=lambda about: about.catalog_digest != former)]


def check_between(home: Path, expected: set[str] | None) -> None:
    """Whatever is current is whole, and so is what is not."""
    with closing(open_index(index_of(home))) as index, closing(open_log(f"sqlite:{home / 'log.sqlite'}")) as log:
        if expected is not None:
            assert index.info().generation in expected
        for about in index.generations():
            if about.complete:
                with closing(index.generation(about.name)) as generation:
                    report = verify(log, generation, index.catalog(about.name))
                    assert report.passed, as_text(report)
        code, said = run(home, "search", "lovelace OR ada", "--json")
        assert code == 0, said
        assert json.loads(said)["total"] > 10


def check(home: Path, target: str) -> None:
    with closing(open_index(index_of(home))) as index:
        assert index.info().generation == target
    check_all(home)
    leftover = [path.name for path in (home / "backfill").iterdir() if path.suffix == ".new" or path.is_dir()]
    assert not leftover, leftover


def check_all(home: Path) -> None:
    """The log's catalog and the dead letters go with what is current, and what is not keeps its own."""
    with closing(open_index(index_of(home))) as index, closing(open_log(f"sqlite:{home / 'log.sqlite'}")) as log:
        info, last = index.info(), log.last_offset()
        assert info.applied_through == last
        assert log.catalog_files() == index.catalog().files
    present = home / DEAD_LETTERS_FILE
    assert letters_in(present) == wanted(info.catalog_digest), info
    for about in generations(home):
        if not about.current:
            kept = Records(home).letters(about.name)
            assert letters_in(kept) == wanted(about.catalog_digest), about
    assert not Records(home).letters(info.generation).exists()


def wanted(digest: str) -> set[tuple[str, str]]:
    if digest == parse_catalog(CATALOG).digest:
        return {(OLD_LETTER.uri, OLD_LETTER.code)}
    return {(NOTE, "bad-framing")}


def letters_in(path: Path) -> set[tuple[str, str]]:
    with closing(DeadLetters(path)) as letters:
        return {(letter.uri, letter.code) for letter in letters.all()}


if __name__ == "__main__":
    main()

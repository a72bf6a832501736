"""A newsroom in which a backfill is made while a stream follows, a publisher publishes, and searches go on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby, repeat
from pathlib import Path
from random import Random
from statistics import median
from threading import Event, Thread
from typing import NamedTuple

from assets.catalog import parse_catalog
from assets.gateway import Gateway
from assets.holding import Holding
from assets.log import open_log
from backfill.record import Records
from backfill.verify import as_text, verify
from indexers import open_index, parse
from indexers.port import Index, Query
from tests.support.newsroom import (
    CATALOG,
    ROOT,
    Json,
    article,
    byline,
    envelope,
    image,
    lines,
    quiet_environment,
    run_process,
    write_catalog,
)
from tests.support.steady_publisher import ARTICLES, BYLINES, IMAGES
from tests.support.streaming import PATIENCE_SECONDS, StreamProcess, applied_through, until

SEARCHES_PER_SECOND = 50
PUBLISHES_PER_SECOND = 50
FRESH_SECONDS_MIN = 0.5
"""Less than this is fresh, however fast it was before: other programs are at work while tests run."""

PROBES_BEFORE = 8
FORMER_KINDS, LATTER_KINDS = {"article", "byline"}, {"article", "byline", "image"}


def _with_desk(name: str) -> str:
    schema = json.loads(CATALOG[name])
    schema["fields"].append({"name": "desk", "type": "string", "default": "none"})
    return json.dumps(schema)


OTHER: dict[str, str] = {
    **{name: _with_desk(name) if name.startswith("kinds/") else text for name, text in CATALOG.items()},
    "views.toml": CATALOG["views.toml"]
    + '[views.picture]\nroot = "image"\nexpand = ["credit"]\nsearch.text = ["path"]\n',
}
"""One view more, and every content says by a field that it is of this catalog."""


class Searched(NamedTuple):
    """What a search answered."""

    at: float
    total: int
    generation: str
    applied_through: int
    last: int
    """Where the log ended when the answer was there."""
    shapes: frozenset[bool]
    """Whether the hits are of the other catalog."""


class Fresh(NamedTuple):
    """How long it took from the receipt to a search that found it."""

    at: float
    seconds: float


@dataclass
class Newsroom:
    """A home with a history, and what went on in it."""

    folder: Path
    index: str = ""
    """Its URL; the embedded one in the home where there is none."""
    log: str = ""
    """The same of the log."""
    searched: list[Searched] = field(default_factory=list[Searched])
    fresh: list[Fresh] = field(default_factory=list[Fresh])
    failures: list[BaseException] = field(default_factory=list[BaseException])

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.index = self.index or f"tantivy:{self.home / 'index'}"
        self.home.mkdir()
        self.log = self.log or f"sqlite:{self.home / 'log.sqlite'}"
        (self.home / "publog.toml").write_text(f'log = "{self.log}"\nindex = "{self.index}"\n')
        write_catalog(self.folder / "catalog")
        write_catalog(self.folder / "other", OTHER)
        first = [byline(n) for n in range(BYLINES)] + [image(n) for n in range(IMAGES)]
        first += [article(n, byline="news://byline/1") for n in range(ARTICLES)]
        (self.folder / "first.jsonl").write_bytes(lines(first))
        assert self.run("publish", self.folder / "first.jsonl", "--catalog", self.folder / "catalog") == 0

    def run(self, *arguments: Json) -> int:
        ran = run_process("--home", self.home, *arguments, folder=self.folder)
        assert ran.code == 0, ran
        return ran.code

    @contextmanager
    def publishing(self, seed: int) -> Generator[None]:
        receipts = self.folder / "receipts.jsonl"
        command = [
            sys.executable,
            "-m",
            "tests.support.steady_publisher",
            self.home,
            receipts,
            seed,
            PUBLISHES_PER_SECOND,
        ]
        process = subprocess.Popen([*map(str, command)], cwd=ROOT, env=quiet_environment())
        try:
            until(receipts.exists)
            yield
            assert process.poll() is None, "nothing was refused"
        finally:
            process.kill()
            process.wait()

    @contextmanager
    def busy(self) -> Generator[None]:
        """Searches, and probes of how fresh they are, as long as the block lasts."""
        ended = Event()
        threads = [Thread(target=self._guarded, args=(work, ended)) for work in (self._search, self._probe)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
        assert not self.failures, self.failures

    def _guarded(self, work: Callable[[Event], None], ended: Event) -> None:
        try:
            work(ended)
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.failures.append(error)

    def _search(self, ended: Event) -> None:
        with closing(open_index(self.index)) as index, closing(open_log(self.log)) as log:
            due = time.monotonic()
            while not ended.wait(max(due - time.monotonic(), 0)):
                due = max(due + 1 / SEARCHES_PER_SECOND, time.monotonic() - 1)
                found = index.search(Query(limit=50))
                shapes = frozenset("desk" in json.loads(hit.content) for hit in found.hits)
                self.searched.append(
                    Searched(
                        time.monotonic(),
                        found.total,
                        found.generation,
                        found.applied_through,
                        log.last_offset(),
                        shapes,
                    )
                )

    def _probe(self, ended: Event) -> None:
        with closing(open_index(self.index)) as index, closing(open_log(self.log)) as log, ExitStack() as stack:
            gateway = Gateway(
                log, parse_catalog(CATALOG), stack.enter_context(closing(Holding(self.home / "held.sqlite")))
            )
            number = 0
            while not ended.wait(0.1):
                number += 1
                probe = envelope(article(f"probe-{number % 7}", headline=f"Probe{number}"))
                (outcome,) = gateway.publish([gateway.propose([probe])], "allow")
                assert outcome.status == "appended"
                published = time.monotonic()
                wanted = Query(text=parse(f"probe{number}"), limit=1)
                until(lambda: index.search(wanted).total == 1)  # noqa: B023
                self.fresh.append(Fresh(published, time.monotonic() - published))

    # ------------------------------------------------------------------------------------------------ afterwards

    def assert_no_search_mixed_or_missed(self, former: str, latter: str, order: Sequence[str]) -> None:
        """Each counts what its own generation has at a moment between its watermark and the log's end."""
        counts = {former: list(self._live(FORMER_KINDS)), latter: list(self._live(LATTER_KINDS))}
        for one in self.searched:
            possible = counts[one.generation][one.applied_through : one.last + 1]
            assert min(possible) <= one.total <= max(possible), one
            assert one.shapes == {one.generation == latter}, one
        runs = [(name, list(found)) for name, found in groupby(self.searched, key=lambda one: one.generation)]
        assert [name for name, _ in runs] == list(order)
        for _, found in runs:
            reached = [one.applied_through for one in found]
            assert reached == sorted(reached), "what a search reflected once, all later ones do"

    def _live(self, kinds: set[str]) -> Iterator[int]:
        """How many views of these roots there are, behind each offset."""
        live: set[str] = set()
        offset = -1
        with closing(open_log(self.log)) as log:
            for message in log.read():
                # Offsets may have gaps.
                yield from repeat(len(live), message.offset - offset - 1)
                offset = message.offset
                if message.uri.split("/")[2] in kinds:
                    (live.discard if message.value is None else live.add)(message.uri)
                yield len(live)

    def assert_is_from_scratch(self, shards: int, files: dict[str, str]) -> None:
        """The index, and what a build of the whole log with this catalog gives."""
        self.run("run", "--batch", "--index", f"tantivy:{self.folder / 'scratch'}", "--shards", shards)
        with closing(open_index(self.index)) as index, closing(open_log(self.log)) as log:
            assert index.info().applied_through == log.last_offset()
            assert log.catalog_files() == files
            report = verify(log, index, parse_catalog(files))
            assert report.passed, as_text(report)
            with closing(open_index(f"tantivy:{self.folder / 'scratch'}")) as scratch:
                assert by_key(index) == by_key(scratch)


def by_key(index: Index) -> dict[tuple[str, str], bytes]:
    found = {(view.view, view.uri): view.to_line() for view in index.scan()}
    assert len(found) > ARTICLES
    return found


class BackfillProcess:
    """`publog backfill` in a process, with checkpoints close to each other."""

    def __init__(self, home: Path, *arguments: Json) -> None:
        self.output = home.parent / f"{home.name}.backfill.txt"
        self._file = self.output.open("ab")
        command = [sys.executable, "-m", "tests.support.backfill_child", "--home", home, "backfill", *arguments]
        self.process = subprocess.Popen(
            [*map(str, command)],
            cwd=ROOT,
            env=quiet_environment(),
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def is_running(self) -> bool:
        return self.process.poll() is None

    def end(self) -> int:
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """With the processes of its shards: alone, they might do a little more."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)
        self._file.close()


class Work:
    """What a backfill that is under way has left in its folder."""

    def __init__(self, room: Newsroom) -> None:
        self._records = Records(room.home)
        self._former: dict[Path, tuple[int, int]] = {}

    def parts(self) -> int:
        return sum(json.loads(path.read_bytes())["parts"] for path in self._files("*.checkpoint.json"))

    def indexed(self) -> int:
        return max((int(path.read_text() or 0) for path in self._files("indexed.progress")), default=0)

    def phase(self) -> str:
        record = self._records.read()
        return record.phase if record else ""

    def is_verified(self) -> bool:
        record = self._records.read()
        return record is not None and record.verified_through is not None

    def is_switched(self) -> bool:
        record, switch = self._records.read(), self._records.switched()
        return record is not None and switch is not None and switch.current == record.generation

    def assert_not_made_again(self) -> int:
        """Parts behind a checkpoint at the last look are the same files still, or the index has taken them.

        How many there are now.
        """
        for path, made in self._former.items():
            if path.exists():
                assert _made(path) == made, f"{path} was made again"
        self._former = {}
        for path in self._files("*.checkpoint.json"):
            for number in range(json.loads(path.read_bytes())["parts"]):
                part = path.with_name(path.name.replace("-00000.checkpoint.json", f"-{number:05}.jsonl"))
                if part.exists():
                    self._former[part] = _made(part)
        return len(self._former)

    def _files(self, pattern: str) -> list[Path]:
        record = self._records.read()
        return sorted(self._records.work(record.generation).glob(pattern)) if record else []


def _made(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


Moment = tuple[str, Callable[[Work], bool]]
MOMENTS: list[Moment] = [
    ("while it starts", lambda _: True),
    ("begun", lambda work: work.phase() == "building"),
    ("a part made", lambda work: work.parts() >= 1),
    ("parts made", lambda work: work.parts() >= 6),
    ("all made, one indexed", lambda work: work.indexed() >= 1 or work.phase() != "building"),
    ("more indexed", lambda work: work.indexed() >= 5 or work.phase() != "building"),
    ("built", lambda work: work.phase() != "building"),
    ("verified", Work.is_verified),
    ("being switched", Work.is_switched),
    ("switched", Work.is_switched),
]
"""What its life consists of; each kill comes a random while behind one of these."""


Record = Callable[[str, object], None]


def backfill_while_publishing(
    room: Newsroom, kills: Sequence[Moment], record_property: Record, *, rolled_back: bool = False
) -> None:
    """Kill the backfill at these moments and resume it; perhaps roll it back; then nobody saw anything wrong."""
    random = Random(len(kills))
    stream = StreamProcess(room.home)
    child: BackfillProcess | None = None
    try:
        until(lambda: "following" in stream.said or not stream.is_running())
        assert stream.is_running(), stream.said
        with closing(open_index(room.index)) as index:
            former = index.info().generation
        work = Work(room)
        kept = 0
        with room.publishing(len(kills)), room.busy():
            until(lambda: len(room.fresh) >= PROBES_BEFORE or bool(room.failures))
            began = time.monotonic()
            for name, has_come in kills:
                child = BackfillProcess(room.home, "--catalog", room.folder / "other", "--shards", 2)
                until(lambda: has_come(work) or not child.is_running())  # noqa: B023
                wait(random.uniform(0, 0.9 if name == "while it starts" else 0.05))
                child.kill()
                kept = max(kept, work.assert_not_made_again())
                if work.phase() == "current":
                    break
            if work.phase() != "current":
                child = BackfillProcess(room.home, "--catalog", room.folder / "other", "--shards", 2)
                assert child.end() == 0, child.said
            ended = time.monotonic()
            with closing(open_index(room.index)) as index:
                latter = index.info().generation
            assert latter != former
            before_back = len(room.fresh)
            if rolled_back:
                until(lambda: len(room.fresh) >= before_back + PROBES_BEFORE or bool(room.failures))
                child = BackfillProcess(room.home, "rollback")
                assert child.end() == 0, child.said
            after = len(room.fresh)
            until(lambda: len(room.fresh) >= after + PROBES_BEFORE or bool(room.failures))
        with closing(open_log(room.log)) as log:
            last = log.last_offset()
        until(lambda: applied_through(room.index) == last or not stream.is_running())
        assert stream.is_running(), stream.said
        assert stream.stop() == 0, stream.said
    finally:
        for process in (stream, child):
            if process is not None and process.is_running():
                process.kill()
    if kills:
        assert kept >= 4, "there was something not to make again"
    before = median(one.seconds for one in room.fresh if one.at < began)
    during = [one.seconds for one in room.fresh if began <= one.at < ended]
    figures = {
        "searches": len(room.searched),
        "backfill seconds": ended - began,
        "fresh before": before,
        "fresh during": median(during),
        "fresh at worst": max(during),
        "fresh after": median(one.seconds for one in room.fresh if one.at >= ended),
        "longest gap between searches": max(
            later.at - sooner.at for sooner, later in zip(room.searched, room.searched[1:], strict=False)
        ),
    }
    for name, value in figures.items():
        record_property(name, value)
    sys.stdout.write(f"{figures}\n")
    assert median(during) <= max(2 * before, FRESH_SECONDS_MIN), figures
    # There is one switch, and no way back unless it is asked for.
    room.assert_no_search_mixed_or_missed(former, latter, [former, latter, former][: 2 + rolled_back])
    room.assert_is_from_scratch(1, CATALOG if rolled_back else OTHER)


def wait(seconds: float) -> None:
    """A random while, so that a kill comes anywhere."""
    time.sleep(seconds)

"""The bench at a size where time means nothing: three engines must make the same views of one history."""

import io
import sqlite3
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import orjson
import pytest

from bench import __main__ as command
from bench import search
from bench.floor import encode_file, read_schemas
from bench.measuring import Failed, run
from bench.rounds import DUCKDB, FLOOR, KINDS, ONE_SHARD, PLAIN_FOLD, PUBLISH, TWO_SHARDS, Bench
from bench.same import compare
from bench.search import SearchBench
from bench.search_asks import Ask
from tests.support.newsroom import ROOT

MESSAGES = 2_000


class Ran:
    """One whole run of the bench and what it left."""

    def __init__(self, folder: Path) -> None:
        said, complaint = io.StringIO(), io.StringIO()
        report = folder / "report.json"
        arguments = ["--messages", str(MESSAGES), "--repeats", "1", "--keep", str(folder), "--json", str(report)]
        with redirect_stdout(said), redirect_stderr(complaint):
            code = command.main(arguments)
        assert code == 0, complaint.getvalue()
        self.said = said.getvalue()
        self.report: dict[str, Any] = orjson.loads(report.read_bytes())
        self.folder = folder

    def compared(self, name: str) -> dict[str, Any]:
        bench = Bench(self.folder, MESSAGES)
        (ours,) = bench.views(ONE_SHARD)
        return compare(ours, bench.views(name))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("bench"))


def test_a_run_measures_everything_once(ran: Ran) -> None:
    assert ran.report["messages"] == MESSAGES
    for name in (FLOOR, PUBLISH, ONE_SHARD, TWO_SHARDS, PLAIN_FOLD):
        (cost,) = ran.report["costs"][name]
        assert cost["wall_seconds"] > 0
        assert cost["cpu_seconds"] > 0
        assert cost["peak_sum_bytes"] >= cost["peak_process_bytes"] > 0
        assert name in ran.said


def test_two_shards_write_the_views_of_one(ran: Ran) -> None:
    assert ran.compared(TWO_SHARDS)["differences"] == []


def test_the_plain_fold_writes_publogs_views(ran: Ran) -> None:
    compared = ran.compared(PLAIN_FOLD)
    assert compared["differences"] == []
    assert compared["views"] == ran.report["views"] > 0


def test_duckdb_writes_publogs_views(ran: Ran) -> None:
    pytest.importorskip("duckdb")
    compared = ran.compared(DUCKDB)
    assert compared["differences"] == []
    assert compared["views"] == ran.report["views"] > 0


def test_the_floor_encodes_what_publog_stores(ran: Ran) -> None:
    schemas = read_schemas(KINDS)
    connection = sqlite3.connect(ran.folder / "home" / "log.sqlite")
    rows = connection.execute("SELECT value FROM messages WHERE value IS NOT NULL ORDER BY offset").fetchall()
    connection.close()
    encoded = list(encode_file(ran.folder / f"history-{MESSAGES}.jsonl", schemas))
    assert encoded == [value[5:] for (value,) in rows]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ([1, 2], []),
        ([2, 1], []),
        ([1], ["story a://b/2: missing"]),
        ([1, 2, 3], ["story a://b/3: there should be none"]),
        ([1, -2], ["story a://b/2: the content differs"]),
    ],
)
def test_a_rival_that_writes_other_views_is_found_out(tmp_path: Path, written: list[int], told: list[str]) -> None:
    def write(name: str, numbers: list[int]) -> Path:
        path = tmp_path / name
        records = [{"view": "story", "uri": f"a://b/{abs(n)}", "content": {"n": n, "m": 0}} for n in numbers]
        path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
        return path

    assert compare(write("ours", [1, 2]), [write("theirs", written)])["differences"] == told


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"exit code 1: .*\nno such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "output.txt")


def test_memory_is_that_of_all_processes_together(tmp_path: Path) -> None:
    hold = "import time; held = b'x' * 50_000_000; time.sleep(0.5)"
    both = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}; child.wait()"
    # Measured from a small process, as the bench is: the kernel counts what a child shares with its parent until it has
    # begun its own program.
    measure = f"""
import pathlib, sys
from bench.measuring import run
cost = run([sys.executable, "-c", {both!r}], pathlib.Path({str(tmp_path / "output.txt")!r}))
print(cost.peak_process_bytes, cost.peak_sum_bytes)
"""
    told = subprocess.run([sys.executable, "-c", measure], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    process_bytes, sum_bytes = map(int, told.split())
    assert 50_000_000 < process_bytes < 100_000_000 < sum_bytes


def test_searches_over_http_are_tantivys_and_are_told_by_kind(tmp_path: Path) -> None:
    found = SearchBench(tmp_path, stories=150, count=60).measure(1, lambda _: None)
    assert found.stories >= 150
    (only,) = found.rounds
    assert [len(times) for times in only] == [60, 60, 60]
    assert min(map(min, only)) > 0
    assert found.ratio > 0
    assert 0 < found.p99_seconds == max(only.crowded)
    told = search.show(found)
    assert all(kind in told for kind in found.kinds)
    assert "at most 3" in told
    assert orjson.loads(search.to_json(found))["kinds"] == found.kinds


def test_an_answer_that_is_not_tantivys_stops_the_bench() -> None:
    ask = Ask("one", "fox")
    good = {"total": 2, "hits": [["a", 1, 2.0], ["b", 1, 1.0]]}
    search.check([ask], [(0.1, good)], [(0.1, {"total": 2, "hits": [["b", 1, 1.999], ["a", 1, 0.999]]})])
    for bad in (
        {**good, "total": 3},
        {**good, "hits": good["hits"][:1]},
        {**good, "hits": [["a", 1, 3.0], ["b", 1, 1.0]]},
    ):
        with pytest.raises(Failed, match="tantivy found"):
            search.check([ask], [(0.1, good)], [(0.1, bad)])
    dated = {"total": 1, "hits": [["a", 1, None]]}
    with pytest.raises(Failed):
        search.check([ask], [(0.1, dated)], [(0.1, {"total": 1, "hits": [["b", 1, None]]})])


@pytest.mark.servers
@pytest.mark.requires_tool("java", "javac", "mvn", "flock")
def test_elasticsearch_is_loaded_in_turn(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    said = io.StringIO()
    with redirect_stdout(said):
        arguments = [
            "--only",
            "elasticsearch",
            "--views",
            "200",
            "--repeats",
            "1",
            "--keep",
            str(tmp_path),
            "--json",
            str(report),
        ]
        assert command.main(arguments) == 0
    assert "of the speed of ready bodies 3 at a time" in said.getvalue()
    found = orjson.loads(report.read_bytes())
    assert found["views"] == 200
    (one,) = found["rounds"]
    assert all(cost["seconds"] > 0 for cost in (one["plain"], one["ready"], one["publog"]))

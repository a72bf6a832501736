"""A plan is exact where it has seen the whole log, and not far off where it has seen a part."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import newsroom_catalog
from assets.gateway import Gateway
from assets.log import open_log
from assets.log.port import Log
from assets.newsroom import history
from assets.validation import parse_message
from backfill import plan as planning
from backfill.plan import Plan, as_json, as_text, plan
from indexers.errors import UnusableIndex
from pipeline.as_of import LogViews

MESSAGES = 2_000


@pytest.fixture(scope="module")
def log() -> Log:
    log = open_log("memory:")
    gateway = Gateway(log, newsroom_catalog())
    envelopes = [parse_message(json.dumps(message).encode()) for message in history(MESSAGES)]
    gateway.publish([gateway.propose([envelope]) for envelope in envelopes], "allow")
    return log


@pytest.fixture(scope="module")
def views(log: Log) -> list[bytes]:
    fold = LogViews(log, newsroom_catalog()).fold(log.last_offset())
    return [view.to_line() + b"\n" for view in fold.emit(last=True)]


@pytest.mark.parametrize("scheme", ["memory", "jsonl", "tantivy"])
def test_a_log_no_larger_than_the_sample_is_counted_exactly(
    scheme: str, log: Log, views: list[bytes], tmp_path: Path
) -> None:
    url = "memory:" if scheme == "memory" else f"{scheme}:{tmp_path / 'new' / 'index'}"
    planned = plan(log, newsroom_catalog(), url, 2)
    assert (planned.messages, planned.sample_messages, planned.views) == (MESSAGES, MESSAGES, len(views))
    assert planned.parts_bytes == sum(map(len, views))
    assert planned.fold_seconds > 0
    assert planned.seconds == planned.fold_seconds + planned.index_seconds
    match scheme:
        case "memory":
            assert (planned.generation_bytes, planned.free_bytes, planned.index_seconds) == (0, None, 0)
        case "jsonl":
            assert (planned.generation_bytes, planned.index_seconds) == (planned.parts_bytes, 0)
        case _:
            assert 0 < planned.generation_bytes < planned.parts_bytes
            assert planned.index_seconds > 0
    if scheme != "memory":
        assert planned.free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)
    assert planned.fits
    # Nothing was made.
    assert list(tmp_path.iterdir()) == []
    text = as_text(planned)
    assert text.startswith(f"2,000 messages become {len(views):,} views in {url}\n")
    assert text.endswith("\nmeasured on the whole log, without what it takes to start the workers")


def test_a_larger_log_is_estimated_from_its_first_messages(
    log: Log, views: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "SAMPLE_MESSAGES", MESSAGES // 4)
    planned = plan(log, newsroom_catalog(), "memory:", 1)
    assert (planned.messages, planned.sample_messages) == (MESSAGES, MESSAGES // 4)
    assert planned.views == pytest.approx(len(views), rel=0.5)
    assert planned.parts_bytes == pytest.approx(sum(map(len, views)), rel=0.5)
    text = as_text(planned)
    assert f"become about {planned.views:,} views" in text
    assert "measured on the first 500 messages" in text


@pytest.mark.parametrize("scheme", ["memory", "jsonl", "tantivy"])
def test_an_empty_log_needs_nothing(scheme: str, tmp_path: Path) -> None:
    url = "memory:" if scheme == "memory" else f"{scheme}:{tmp_path / 'index'}"
    planned = plan(open_log("memory:"), newsroom_catalog(), url, 3)
    assert (planned.messages, planned.views, planned.sample_messages) == (0, 0, 0)
    assert (planned.seconds, planned.disk_bytes, planned.fits) == (0, 0, True)
    assert as_text(planned) == f"the log is empty: there is nothing to build into {url}"
    assert list(tmp_path.iterdir()) == []


def test_more_shards_than_processors_take_turns(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning.os, "cpu_count", lambda: 2)
    fixed = planning._Sample(MESSAGES, 1_000, 1.0, 4.0, 3.0, 10, 20)
    monkeypatch.setattr(planning, "_measure", lambda *_: fixed)
    seconds = {shards: plan(log, newsroom_catalog(), "memory:", shards) for shards in (1, 2, 5)}
    assert [(planned.processes, planned.fold_seconds) for planned in seconds.values()] == [(1, 5), (2, 3), (2, 5)]
    assert {planned.seconds - planned.fold_seconds for planned in seconds.values()} == {3}


def test_an_unknown_index_is_refused(log: Log) -> None:
    with pytest.raises(UnusableIndex):
        plan(log, newsroom_catalog(), "ftp://localhost/news", 1)


def test_what_a_search_server_takes_is_not_guessed(log: Log) -> None:
    planned = plan(log, newsroom_catalog(), "http://localhost:1/news", 1)
    assert (planned.index_seconds, planned.generation_bytes, planned.free_bytes) == (0, 0, None)
    assert "what the search server takes to index them is not in it" in as_text(planned)


def made(**values: Any) -> Plan:
    sizes = {"parts_bytes": 4_000_000_000, "generation_bytes": 1_500_000_000, "free_bytes": 9_000_000_000}
    return Plan(
        **{
            "index": "tantivy:/i",
            "shards": 4,
            "processes": 2,
            "sample_messages": 20_000,
            "messages": 1_000_000,
            "views": 500_000,
            "fold_messages_per_second": 1.0,
            "fold_views_per_second": 1.0,
            "index_documents_per_second": 1.0,
            "fold_seconds": 100.0,
            "index_seconds": 4_000.0,
            **sizes,
            **values,
        }
    )


def test_a_plan_reads_well() -> None:
    assert as_text(made()).splitlines() == [
        "1,000,000 messages become about 500,000 views in tantivy:/i",
        "  time  about 68 min 20 s: 100 s to fold (4 shards in 2 processes), 66 min 40 s to index",
        "  disk  about 5.5 GB: 1.5 GB for the new generation, 4.0 GB for its parts until it is loaded",
        "  free  9.0 GB",
        "measured on the first 20,000 messages, without what it takes to start the workers",
    ]
    assert "about 3 h 1 min: 3 h 1 min to fold" in as_text(made(fold_seconds=10_900.0, index_seconds=0.0))


def test_what_does_not_fit_is_said() -> None:
    tight = made(free_bytes=5_499_999_999)
    assert not tight.fits
    assert "  THIS DOES NOT FIT: free some disk, or put the index elsewhere with --index" in as_text(tight).splitlines()
    written = json.loads(json.dumps(as_json(tight)))
    assert (written["fits"], written["disk_bytes"], written["seconds"]) == (False, 5_500_000_000, 4_100)
    assert made(free_bytes=5_500_000_000).fits

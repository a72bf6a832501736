"""Eight years of a real newsroom through the real command: every checkpoint, read independently from its git history."""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.newsroom import SHARED, Ran, Shell, run_process

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HISTORY = SHARED / "data" / "18f"
MESSAGES = 4_151
CHECKPOINTS = 21

pytestmark = pytest.mark.skipif(
    not (HISTORY / "events.jsonl.zst").exists(), reason=f"needs the 18F history in {HISTORY} (PUBLOG_SHARED)"
)

Json = Any


def expected() -> list[Json]:
    if not HISTORY.exists():
        return []
    with zstd.open(HISTORY / "expected.jsonl.zst", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def checkpoints() -> list[Json]:
    found = expected()
    assert len(found) == CHECKPOINTS
    assert found[-1]["last_event"] == MESSAGES - 1
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which all of it is published and indexed."""
    folder = tmp_path_factory.mktemp("18f")
    published = run_process(
        "publish",
        HISTORY / "events.jsonl.zst",
        "--catalog",
        HISTORY / "catalog",
        "--references",
        "allow",
        folder=folder,
    )
    assert published.code == 0
    assert published.out.startswith(f"{MESSAGES} appended, 0 already there, 0 held, 0 refused\n")
    assert run_process("run", "--batch", folder=folder).code == 0
    return folder


@pytest.fixture
def shell(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(folder, capsys, monkeypatch)


def contents(records: Iterable[Json]) -> dict[str, Json]:
    """By URI."""
    found: dict[str, Json] = {}
    for record in records:
        assert record["uri"] not in found
        assert record["state"] == "live"
        found[record["uri"]] = record["content"]
    return found


def digests(records: Iterable[Json]) -> dict[str, str]:
    """By URI, as all checkpoints but the last have them."""
    return {uri: digest(content) for uri, content in contents(records).items()}


def digest(content: Json) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("number", range(CHECKPOINTS))
def test_the_views_at_every_checkpoint_are_those_of_the_git_history(
    number: int, checkpoints: list[Json], shell: Shell
) -> None:
    checkpoint = checkpoints[number]
    ran = shell("views", "--view", "post", "--as-of", checkpoint["last_event"])
    shown = contents if number == CHECKPOINTS - 1 else digests
    assert shown(ran.records) == checkpoint["views"]


def test_the_real_command_gives_the_same(checkpoints: list[Json], folder: Path) -> None:
    assert contents(run_process("views", "--view", "post", folder=folder).records) == checkpoints[-1]["views"]
    at = checkpoints[9]
    ran = run_process("views", "--view", "post", "--as-of", at["last_event"], folder=folder)
    assert digests(ran.records) == at["views"]


def test_a_batch_of_two_shards_puts_exactly_the_last_checkpoint_into_the_index(
    checkpoints: list[Json], folder: Path
) -> None:
    ran = run_process("run", "--batch", "--shards", "2", "--index", "jsonl:views.jsonl", folder=folder)
    assert ran.code == 0
    records = [json.loads(line) for line in (folder / "views.jsonl").read_bytes().splitlines()]
    live = [record for record in records if record["state"] == "live" and record["view"] == "post"]
    assert contents(live) == checkpoints[-1]["views"]
    # What is not there is gone: every other post was published at some time.
    gone = {record["uri"] for record in records if record["state"] == "gone"}
    ever = {uri for checkpoint in checkpoints for uri in checkpoint["views"]}
    assert ever - checkpoints[-1]["views"].keys() <= gone
    from_index = run_process(
        "views", "--view", "post", "--from", "index", "--index", "jsonl:views.jsonl", folder=folder
    )
    assert contents(from_index.records) == checkpoints[-1]["views"]


def test_published_again_everything_is_there_already(shell: Shell) -> None:
    ran = shell("publish", HISTORY / "events.jsonl.zst", "--references", "allow")
    assert ran.out == f"0 appended, {MESSAGES} already there, 0 held, 0 refused\n"


def test_search_finds_what_is_in_the_posts(checkpoints: list[Json], shell: Shell) -> None:
    live = checkpoints[-1]["views"]
    found = hits(shell, "accessibility")
    assert found
    assert found.keys() <= live.keys()
    assert all("access" in json.dumps(content).lower() for content in found.values())
    assert len(hits(shell, "", limit=1_000)) == len(live)
    assert hits(shell, "zyzzyva") == {}


def hits(shell: Shell, query: str, limit: int = 50) -> dict[str, Json]:
    answer = shell("search", query, "--view", "post", "--limit", limit, "--json").json
    assert answer["applied_through"] == MESSAGES - 1
    return {hit["uri"]: hit["content"] for hit in answer["hits"]}


def test_doctor_finds_every_document_as_the_log_says(shell: Shell) -> None:
    ran: Ran = shell("doctor", "--thorough")
    assert "!!" not in ran.out
    assert ran.out.endswith("all are as the log says\n")
    assert shell("log", "verify").out == f"all {MESSAGES:,} messages are in order and can be read\n"

"""The whole path with its log on Kafka: the same views, whose versions are the offsets there."""

from pathlib import Path
from typing import Any

import pytest

from publog.settings import Flags, resolve
from tests.support.counting import check_counts
from tests.support.newsroom import Json, Shell, article, byline, image, unpublish, write_catalog, write_lines

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "mvn")]

HISTORY = [
    [byline("ada", name="Ada")],
    [
        image("flood", credit="news://byline/ada"),
        article("flood", byline="news://byline/ada", images=["news://image/flood"]),
    ],
    [article("storm", byline="news://byline/ada")],
    [unpublish("news://article/storm"), byline("ada", name="Ada Lovelace")],
]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    write_catalog(tmp_path / "catalog")
    for number, messages in enumerate(HISTORY):
        write_lines(tmp_path / f"{number}.jsonl", *messages)
    return Shell(tmp_path, capsys, monkeypatch)


def test_the_same_history_makes_the_same_views(shell: Shell, kafka: str, tmp_path: Path) -> None:
    logs = {"sqlite": f"sqlite:{tmp_path}/log.db", "kafka": f"kafka://{kafka}/end-to-end?index={tmp_path}/index"}
    views: dict[str, Any] = {}
    for name, log in logs.items():
        for number in range(len(HISTORY)):
            shell("publish", f"{number}.jsonl", "--catalog", "catalog", "--log", log)
        messages = shell("log", "tail", "--log", log, "--json").records
        assert len(messages) == 6
        assert shell("log", "tail", "-n", 2, "--log", log, "--json").records == messages[-2:]
        ordinals = {message["offset"]: number for number, message in enumerate(messages)}
        shell("run", "--batch", "--log", log, "--index", f"tantivy:{tmp_path}/{name}")
        indexed = shell(
            "views", "--gone", "--log", log, "--index", f"tantivy:{tmp_path}/{name}", "--from", "index"
        ).records
        folded = shell("views", "--gone", "--log", log).records
        assert sorted(indexed, key=str) == sorted(folded, key=str)
        views[name] = sorted((with_ordinals(view, ordinals) for view in folded), key=str)
        assert shell("log", "verify", "--log", log, "--json").json["problems"] == []
    assert views["kafka"] == views["sqlite"]
    assert len(views["kafka"]) == 3


def test_messages_are_counted_though_offsets_have_gaps(shell: Shell, kafka: str, tmp_path: Path) -> None:
    log, index = f"kafka://{kafka}/counts?index={tmp_path}/index", f"tantivy:{tmp_path}/tantivy"
    check_counts(shell, log, index, lambda: resolve(tmp_path / "home", Flags(log, index, None), environment={}))


def with_ordinals(view: Json, ordinals: dict[int, int]) -> Json:
    """A view whose offsets are numbers of messages."""
    sources = {uri: ordinals[offset] for uri, offset in view["sources"].items()}
    return view | {"version": ordinals[view["version"]], "sources": sources}

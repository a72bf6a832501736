"""A newsroom on Elasticsearch: the batch, a backfill with cut-over and rollback, and the views that the log has."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.servers, pytest.mark.requires_tool("java", "javac", "mvn", "flock")]


def documented_query() -> str:
    text = (Path(__file__).parents[2] / "docs" / "elasticsearch.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return code


def test_what_a_batch_and_a_backfill_leave_there_is_what_the_log_says(tmp_path: Path, elasticsearch: str) -> None:
    def publog(*arguments: str, index: str | None = None) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PUBLOG_")}
        return subprocess.run(
            [Path(sys.executable).with_name("publog"), "--home", tmp_path / "home", *arguments],
            env={**environment, **({"PUBLOG_INDEX": index} if index else {})},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout

    index = f"{elasticsearch}/news"
    publog("demo")
    expected = sorted(publog("views", "--from", "log", "--gone").splitlines())

    def held() -> list[str]:
        return sorted(publog("views", "--from", "index", "--gone", index=index).splitlines())

    publog("run", "--batch", index=index)
    assert held() == expected
    search = ("search", "clock", "--json", "--limit", "50")
    embedded, served = (json.loads(publog(*search, index=where)) for where in (None, index))
    assert served["total"] == embedded["total"] > 0
    assert {hit["uri"] for hit in served["hits"]} == {hit["uri"] for hit in embedded["hits"]}
    asked = documented_query().replace("http://localhost:9200", elasticsearch)
    told = subprocess.run([sys.executable, "-c", asked], stdout=subprocess.PIPE, check=True, text=True).stdout.split(
        "\n"
    )
    assert int(told[0].removesuffix(" stories")) > 0
    stories = {hit["uri"]: hit["version"] for hit in embedded["hits"]}
    assert len(told) > 3
    for line in told[1:-1]:
        uri, number, *_ = line.split()
        assert not uri.startswith("nyt://") or stories[uri] == int(number)
    publog("backfill", index=index)
    assert held() == expected
    publog("backfill", "rollback", index=index)
    assert held() == expected

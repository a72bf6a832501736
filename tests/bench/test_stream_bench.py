"""The stream's bench at a size where time means nothing: everything is found, and no old tag is left."""

from pathlib import Path

import orjson

from bench.stream import STEADY_PER_SECOND, StreamBench, show, to_json


def test_every_article_is_found_and_no_old_tag_is_left(tmp_path: Path) -> None:
    said: list[str] = []
    found = StreamBench(tmp_path, messages=500, stories=300, seconds=1).measure(said.append)
    assert found.steady.articles == STEADY_PER_SECOND
    assert 0 < found.steady.p50 <= found.steady.p99 <= found.steady.most
    assert found.hub_articles.articles >= 1
    assert found.old_tags_left == 0
    assert found.new_tags > 300
    assert found.peak_hub_bytes >= found.peak_bytes > 0
    assert f"{found.new_tags}" in show(found)
    assert orjson.loads(to_json(found))["steady"]["articles"] == found.steady.articles

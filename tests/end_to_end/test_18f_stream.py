"""The 18F history, published while the real stream follows: its index is what the git trees say, time after time."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from assets.intake import read_lines
from tests.end_to_end.test_18f import DATA, digest, lines
from tests.support.newsroom import run_process
from tests.support.streaming import StreamProcess, applied_through, until

Json = Any

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the 18F history in {DATA} (PUBLOG_SHARED moves it)")

CHECKPOINTS = [3, 9, 20]


@pytest.mark.parametrize("arguments", [[], ["--shards", 2, "--micro-batch", 100]], ids=["whole", "in parts"])
def test_a_stream_gives_checkpoints_as_they_come(arguments: list[Json], tmp_path: Path) -> None:
    home, index = tmp_path / "home", f"tantivy:{tmp_path / 'home' / 'index'}"
    events = [line.text for line in read_lines(str(DATA / "events.jsonl.zst")) if line.text]
    checkpoints = lines("expected.jsonl.zst")
    stream = None
    try:
        for number in CHECKPOINTS:
            checkpoint = checkpoints[number]
            last = checkpoint["last_event"]
            (tmp_path / "events.jsonl").write_bytes(b"\n".join(map(_bytes, events[: last + 1])) + b"\n")
            publish = ["--home", home, "publish", tmp_path / "events.jsonl", "--references", "allow"]
            assert run_process(*publish, "--catalog", DATA / "catalog", folder=tmp_path).code == 0
            if stream is None:
                stream = StreamProcess(home, *arguments)
            until(lambda: applied_through(index) >= last)  # noqa: B023
            shown = run_process("--home", home, "views", "--from", "index", folder=tmp_path)
            found = {record["uri"]: record["content"] for record in map(orjson.loads, shown.out.splitlines())}
            if all(isinstance(expected, str) for expected in checkpoint["views"].values()):
                assert {uri: digest(content) for uri, content in found.items()} == checkpoint["views"]
            else:
                assert found == checkpoint["views"]
        assert stream is not None
        assert stream.stop() == 0
    finally:
        if stream is not None and stream.is_running():
            stream.kill()


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()

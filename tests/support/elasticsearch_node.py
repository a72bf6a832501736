"""A real Elasticsearch node for as long as a block lasts."""

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START = Path(__file__).parents[1] / "servers" / "elasticsearch" / "start"
START_SECONDS_MAX = 240
"""The first start fetches the server."""


@contextmanager
def elasticsearch_node(data: Path) -> Iterator[str]:
    """Gives the node's URL. It ends with this process, whatever ends that."""
    process = subprocess.Popen(
        [str(START), str(data), "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "ES_STOP_ON_EOF": "1"},
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        readable, _, _ = select.select([process.stdout], [], [], START_SECONDS_MAX)
        line = process.stdout.readline().split() if readable else []
        assert line[:1] == ["ready"], "the node did not start"
        yield line[1]
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(60)
        process.stdout.close()

"""A shard in a process of its own: what `python -m pipeline.worker` does.

It reads a job and a block descriptor from standard input and answers with the shard's result. It does not import Beam,
which takes longer than many a shard; and it ends when the process that started it is gone.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

import orjson

from pipeline.errors import JobFailed
from pipeline.job import Block, Job, ShardResult
from pipeline.shard import fold_shard

PARENT_CHECK_SECONDS: Final = 0.5
"""How often a worker looks whether the process that started it is still there."""


_waiting: list["subprocess.Popen[bytes]"] = []
"""Processes that were started and have not been told what to do."""


@contextmanager
def workers_waiting(count: int) -> Generator[None]:
    """Have processes at hand for so many shards: they take a while to start."""
    _waiting.extend(_start() for _ in range(count))
    try:
        yield
    finally:
        while _waiting:
            with _waiting.pop() as process:
                process.kill()


def _start() -> "subprocess.Popen[bytes]":
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-m", "pipeline.worker"], stdin=pipe, stdout=pipe, stderr=pipe)


def fold_in_process(job: Job, block: Block) -> ShardResult:
    """`fold_shard` in a process of its own.

    Raises:
        JobFailed: with what the process said, or how it died.
    """
    told = orjson.dumps({"job": job.to_dict(), "block": asdict(block)})
    try:
        process = _waiting.pop()
    except IndexError:
        process = _start()
    with process:
        said, complained = process.communicate(told)
    if process.returncode < 0:
        raise JobFailed(f"the process of shard {block.shard} was killed by signal {-process.returncode}")
    if process.returncode:
        reason = complained.decode(errors="replace").strip().splitlines()
        raise JobFailed(f"shard {block.shard}: {reason[-1] if reason else 'its process failed without a word'}")
    return ShardResult(**orjson.loads(said))


def main() -> None:
    """Do what standard input says."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    told: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    result = fold_shard(Job(**told["job"]), Block(**told["block"]))
    sys.stdout.buffer.write(orjson.dumps(asdict(result)))
    sys.stdout.buffer.flush()
    # What the fold held is many objects: the system frees them faster than Python does.
    os._exit(0)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()

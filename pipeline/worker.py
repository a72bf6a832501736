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
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any, Final, TypeAlias

import orjson

from pipeline.errors import JobFailed
from pipeline.job import Block, Job, ShardResult
from pipeline.shard import fold_shard

PARENT_CHECK_SECONDS: Final = 0.5
"""How often a worker looks whether the process that started it is still there."""


_Process: TypeAlias = "subprocess.Popen[bytes]"

_at_work: Final[dict[tuple[str, int], _Process]] = {}
"""By job and shard: those whose result was not asked for yet."""


@contextmanager
def workers(job: Job) -> Generator[None]:
    """Have a process at work on each shard of a job, where its shards get processes; `fold_in_process` waits for them."""
    if not job.processes:
        yield
        return
    try:
        for shard in range(job.shards):
            _at_work[job.id, shard] = _start(job, Block(shard, job.shards, job.last))
        yield
    finally:
        for shard in range(job.shards):
            process = _at_work.pop((job.id, shard), None)
            if process is not None:
                with process:
                    process.kill()


def _start(job: Job, block: Block) -> _Process:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-m", "pipeline.worker"], stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as told:
        told.write(orjson.dumps({"job": job.to_dict(), "block": asdict(block)}))
    return process


def fold_in_process(job: Job, block: Block) -> ShardResult:
    """`fold_shard` in a process of its own: the one at work on it, or a new one.

    Raises:
        JobFailed: with what the process said, or how it died.
    """
    process = _at_work.pop((job.id, block.shard), None) or _start(job, block)
    with process:
        process.stdin = None
        said, complained = process.communicate()
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

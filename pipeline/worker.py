"""A shard in a process of its own: what `python -m pipeline.worker` does.

It reads a job and a block descriptor from standard input and answers with the shard's result. It does not import Beam,
which takes longer than many a shard; and it ends when the process that started it is gone.
"""

import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from typing import Any, Final

import orjson

from pipeline.errors import JobFailed
from pipeline.job import Block, Job, ShardResult
from pipeline.shard import fold_shard

PARENT_CHECK_SECONDS: Final = 0.5
"""How often a worker looks whether the process that started it is still there."""


def fold_in_process(job: Job, block: Block) -> ShardResult:
    """`fold_shard` in a process of its own.

    Raises:
        JobFailed: with what the process said, or how it died.
    """
    told = orjson.dumps({"job": job.to_dict(), "block": asdict(block)})
    ended = subprocess.run([sys.executable, "-m", "pipeline.worker"], input=told, capture_output=True, check=False)
    if ended.returncode < 0:
        raise JobFailed(f"the process of shard {block.shard} was killed by signal {-ended.returncode}")
    if ended.returncode:
        reason = ended.stderr.decode(errors="replace").strip().splitlines()
        raise JobFailed(f"shard {block.shard}: {reason[-1] if reason else 'its process failed without a word'}")
    return ShardResult(**orjson.loads(ended.stdout))


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

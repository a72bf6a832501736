"""One shard of a batch: read the log in order, fold, and leave the views in a part of its own."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Final

from assets.catalog import parse_catalog
from assets.codec import Codec
from assets.collector import paused_collector
from assets.log import open_log
from denormalizer.fold import Fold, Shard
from denormalizer.plan import compile_catalog
from pipeline.dead_letters import letter_line
from pipeline.job import Block, Job, ShardResult

STEP_MESSAGES: Final = 10_000
"""Messages between two signs of progress."""

STEP_VIEWS: Final = 2_000
"""Views written at a time, and between two signs of progress."""


def fold_shard(job: Job, block: Block) -> ShardResult:
    """Do one shard's work; its part is there, whole and durable, when this returns.

    Doing it again gives the same bytes, so a runner may.
    """
    catalog = parse_catalog(job.catalog)
    log = open_log(job.log, create=False)
    try:
        codec = Codec(catalog.kinds, log.schemas())
        fold = Fold(
            compile_catalog(catalog),
            codec.decode,
            shard=Shard(block.shard, block.shards),
            contiguous=log.contiguous,
        )
        with paused_collector():
            letters = 0
            with _durable(job.letters(block.shard)) as file:
                messages = log.read(0, block.last)
                while True:
                    before = fold.watermark
                    fold.apply(islice(messages, STEP_MESSAGES))
                    for letter in fold.dead_letters:
                        file.write(letter_line(letter))
                    letters += len(fold.dead_letters)
                    fold.dead_letters.clear()
                    if fold.watermark == before:
                        break
                    _report(job.progress(block.shard), fold.watermark, 0)
            return _write_views(job, block, fold, letters)
    finally:
        log.close()


def _write_views(job: Job, block: Block, fold: Fold, letters: int) -> ShardResult:
    live = gone = bounded = size = 0
    views = fold.emit()
    with _durable(job.part(block.shard)) as file:
        while step := list(islice(views, STEP_VIEWS)):
            lines = [view.to_line() for view in step]
            lines.append(b"")
            size += file.write(b"\n".join(lines))
            live += sum(view.state == "live" for view in step)
            gone += sum(view.state == "gone" for view in step)
            bounded += sum(bool(view.bounds) for view in step)
            _report(job.progress(block.shard), fold.watermark, live + gone)
    return ShardResult(block.shard, fold.watermark + 1, live, gone, size, letters, bounded)


def _report(path: Path, watermark: int, views: int) -> None:
    path.write_text(f"{watermark} {views}")


@contextmanager
def _durable(path: Path) -> Generator[IO[bytes]]:
    """A file that appears under its name only when it is complete and on disk."""
    # Attempts of one shard may overlap when a runner gives one up that still runs: each has its own file until then.
    attempt = path.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}.attempt")
    with attempt.open("wb", buffering=1024 * 1024) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    attempt.replace(path)

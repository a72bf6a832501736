"""One shard of a batch: read the log in order, fold, and leave the views in a part of its own."""

import os
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Final

from assets.catalog import parse_catalog
from assets.codec import Codec
from assets.collector import paused_collector
from assets.log import open_log
from assets.model import NEVER
from denormalizer.fold import Fold, Shard
from denormalizer.plan import compile_catalog
from denormalizer.view import State, View
from pipeline.dead_letters import letter_line
from pipeline.job import Block, Job, ShardResult

STEP_MESSAGES: Final = 10_000
"""Messages between two signs of progress."""

STEP_VIEWS: Final = 2_000
"""Views written at a time, and between two signs of progress."""


def fold_shard(job: Job, block: Block) -> ShardResult:
    """Do one shard's work; its part is there and whole when this returns.

    Doing it again gives the same bytes, so a runner may.
    """
    catalog = parse_catalog(job.catalog)
    with (
        closing(open_log(job.log, create=False)) as log,
        paused_collector(),
        whole(job.letters(block.shard)) as letters,
        whole(job.part(block.shard)) as part,
    ):
        codec = Codec(catalog.kinds, log.schemas())
        shard = Shard(block.shard, block.shards)
        fold = Fold(compile_catalog(catalog), codec, shard=shard, contiguous=log.contiguous)
        counted = _Counted(letters, part)
        messages = log.read(0, block.last)
        before = NEVER - 1
        while fold.watermark > before:
            before = fold.watermark
            fold.apply(islice(messages, STEP_MESSAGES))
            counted.take_letters(fold)
            _report(job.progress(block.shard), fold.watermark, 0)
        views = fold.emit(last=True)
        while step := list(islice(views, STEP_VIEWS)):
            counted.take_views(step)
            counted.take_letters(fold)
            _report(job.progress(block.shard), fold.watermark, counted.views())
        counted.take_letters(fold)
        return ShardResult(
            block.shard, fold.watermark + 1, counted.counts, counted.bytes, counted.dead_letters, counted.bounded
        )


class _Counted:
    """Writes views and dead letters, and counts them."""

    def __init__(self, letters: IO[bytes], part: IO[bytes]) -> None:
        self._letters = letters
        self._part = part
        self.counts: dict[str, dict[State, int]] = {}
        self.bytes = self.dead_letters = self.bounded = 0

    def views(self) -> int:
        return sum(sum(states.values()) for states in self.counts.values())

    def take_views(self, views: Sequence[View]) -> None:
        self.bytes += self._part.write(b"".join(view.to_line() + b"\n" for view in views))
        for view in views:
            states = self.counts.setdefault(view.view, {"live": 0, "gone": 0})
            states[view.state] += 1
            self.bounded += bool(view.bounds)

    def take_letters(self, fold: Fold) -> None:
        self._letters.writelines(map(letter_line, fold.dead_letters))
        self.dead_letters += len(fold.dead_letters)
        fold.dead_letters.clear()


def _report(path: Path, watermark: int, views: int) -> None:
    path.write_text(f"{watermark} {views}")


@contextmanager
def whole(path: Path) -> Generator[IO[bytes]]:
    """A file that appears under its name only when it is complete.

    It need not outlive a power cut: every job begins with an empty folder, and an index forces to the disk what it takes.
    """
    # Attempts of one shard may overlap when a runner gives one up that still runs: each has its own file until then.
    attempt = path.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}.attempt")
    with attempt.open("wb", buffering=1024 * 1024) as file:
        yield file
    attempt.replace(path)

"""One shard of a batch: read the log in order, fold, and leave the views in parts of its own."""

import os
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Final

import orjson

from assets.catalog import parse_catalog
from assets.codec import Codec
from assets.collector import paused_collector
from assets.log import open_log
from assets.model import NEVER
from denormalizer.fold import Shard
from denormalizer.plan import compile_catalog
from denormalizer.range_fold import UNBOUNDED, RangeFold, range_fold
from denormalizer.view import State
from pipeline.dead_letters import letter_line, parse_letters
from pipeline.job import Block, Job, ShardResult

STEP_MESSAGES: Final = 10_000
"""Messages between two signs of progress."""

STEP_VIEWS: Final = 2_000
"""Views between two signs of progress."""


@dataclass
class Checkpoint:
    """What a shard has done for good: whole parts."""

    parts: int = 0
    messages: int = 0
    """Read from the log."""
    behind: str | None = None
    """The root whose views end the last part."""
    views: dict[str, dict[State, int]] = field(default_factory=dict[str, dict[State, int]])
    bytes: int = 0
    bounded: int = 0
    ended: bool = False

    def total(self) -> int:
        """Views in all parts."""
        return sum(sum(states.values()) for states in self.views.values())


def fold_shard(job: Job, block: Block) -> ShardResult:
    """Do one shard's work; its parts are there and whole when this returns.

    Doing it again gives the same bytes, so a runner may. What is behind a checkpoint of the same job is not done again.
    """
    done = read_checkpoint(job.place.checkpoint(block.shard))
    if not done.ended:
        catalog = parse_catalog(job.catalog)
        with closing(open_log(job.log, create=False)) as log, paused_collector():
            codec = Codec(catalog.kinds, log.schemas())
            shard = Shard(block.shard, block.shards)
            plan = compile_catalog(catalog)
            memory_max = job.memory or UNBOUNDED
            with closing(
                range_fold(plan, codec, shard=shard, contiguous=log.contiguous, memory_max=memory_max)
            ) as fold:
                entries = log.entries(0, block.last)
                before, done.messages = NEVER - 1, 0
                while fold.watermark > before:
                    before = fold.watermark
                    # Offsets may have gaps: what is read is counted.
                    step = list(islice(entries, STEP_MESSAGES))
                    done.messages += len(step)
                    fold.apply(step)
                    _report(job.place.progress(block.shard), fold.watermark, done.total())
                _write_parts(job, block.shard, fold, done)
    letters = {
        letter.offset
        for number in range(done.parts)
        for letter in parse_letters(job.place.letters(block.shard, number))
    }
    return ShardResult(block.shard, done.messages, done.views, done.bytes, len(letters), done.bounded, done.parts)


def _write_parts(job: Job, shard: int, fold: RangeFold, done: Checkpoint) -> None:
    if done.behind is not None:
        fold.skip(done.behind)
    before = Checkpoint(views=done.views, bounded=done.bounded)
    while not done.ended:
        with whole(job.place.letters(shard, done.parts)) as letters, whole(job.place.part(shard, done.parts)) as part:
            begun = done.total()
            while job.part_views_max + begun - done.total() > 0 or not job.part_views_max:
                left = job.part_views_max + begun - done.total() if job.part_views_max else STEP_VIEWS
                lines = fold.emit(min(left, STEP_VIEWS))
                _take_letters(fold, letters)
                if lines is None:
                    done.ended = True
                    break
                done.bytes += part.write(lines)
                done.behind = fold.behind
                done.views = _sum(before.views, fold.counts())
                done.bounded = before.bounded + fold.bounded
                _report(job.place.progress(shard), fold.watermark, done.total())
        done.parts += 1
        if job.part_views_max:
            _save_checkpoint(job, shard, done)


def _sum(some: dict[str, dict[State, int]], others: dict[str, dict[State, int]]) -> dict[str, dict[State, int]]:
    none: dict[State, int] = {"live": 0, "gone": 0}
    return {
        view: {state: some.get(view, none)[state] + others.get(view, none)[state] for state in none}
        for view in (*some, *(view for view in others if view not in some))
    }


def _take_letters(fold: RangeFold, letters: IO[bytes]) -> None:
    letters.writelines(map(letter_line, fold.dead_letters))
    fold.dead_letters.clear()


def read_checkpoint(path: Path) -> Checkpoint:
    """What a shard has done for good; nothing, where there is no checkpoint."""
    try:
        return Checkpoint(**orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        return Checkpoint()


def _save_checkpoint(job: Job, shard: int, done: Checkpoint) -> None:
    """It must not be there after a power cut without the parts that it speaks of."""
    for path in (job.place.part(shard, done.parts - 1), job.place.letters(shard, done.parts - 1)):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    with whole(job.place.checkpoint(shard)) as file:
        file.write(orjson.dumps(asdict(done)))
        file.flush()
        os.fsync(file.fileno())


def _report(path: Path, watermark: int, views: int) -> None:
    path.write_text(f"{watermark} {views}")


@contextmanager
def whole(path: Path) -> Generator[IO[bytes]]:
    """A file that appears under its name only when it is complete.

    It need not outlive a power cut, unless a checkpoint speaks of it: a job begins with an empty folder otherwise, and
    an index forces to the disk what it takes.
    """
    # Attempts of one shard may overlap when a runner gives one up that still runs: each has its own file until then.
    attempt = path.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}.attempt")
    with attempt.open("wb", buffering=1024 * 1024) as file:
        yield file
    attempt.replace(path)

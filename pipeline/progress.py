"""How far a batch is, from what its shards leave in its folder."""

from pathlib import Path
from typing import NamedTuple

from pipeline.job import Workplace
from pipeline.shard import read_checkpoint


class Progress(NamedTuple):
    """How far a batch is, over all its shards."""

    applied: int
    """Offsets that the shard furthest behind has applied; a log may have fewer messages than offsets."""
    offsets: int
    views: int
    """Written so far."""
    parts: int = 0
    """Of the views, brought into the generation so far."""
    parts_made: int = 0
    """0 until all are there."""


def progress_of(folder: Path, shards: int, last: int) -> Progress:
    """How far the job is that works in a folder, or worked there; nothing done where there is none."""
    place = Workplace(str(folder), shards)
    applied: list[int] = []
    views = 0
    for shard in range(shards):
        try:
            watermark, written = place.progress(shard).read_text().split()
        except (FileNotFoundError, ValueError):
            applied.append(0)
            continue
        applied.append(int(watermark) + 1)
        views += int(written)
    try:
        parts = int(place.indexed().read_text())
        parts_made = sum(read_checkpoint(place.checkpoint(shard)).parts for shard in range(shards))
    except (FileNotFoundError, ValueError):
        parts = parts_made = 0
    return Progress(min(applied), last + 1, views, parts, parts_made)

"""The plan of a backfill: how many messages and views, how long and how much disk, from a measured sample of the log.

Nothing is kept of what is made on the way, and neither the index nor the log is touched.
"""

import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final, NamedTuple

from assets.catalog import Catalog
from assets.codec import Codec
from assets.collector import paused_collector
from assets.log.port import Log
from assets.model import Entry
from denormalizer.plan import compile_catalog
from denormalizer.range_fold import range_fold
from indexers import open_index

SAMPLE_MESSAGES: Final = 20_000
"""The first messages of the log, from which the rest is estimated."""

_TANTIVY: Final = "tantivy"
_FILES: Final = (_TANTIVY, "jsonl")
_SERVERS: Final = ("http", "https")


@dataclass(frozen=True)
class Plan:
    """What a backfill is expected to take. Exact where the sample is the whole log, but for the times."""

    index: str
    shards: int
    processes: int
    """In which the shards are folded at the same time."""
    sample_messages: int
    """What all of it is estimated from."""
    messages: int
    views: int
    """Live and gone."""
    fold_messages_per_second: float
    fold_views_per_second: float
    """By one process."""
    index_documents_per_second: float
    """0 where documents are only written out, which was measured with the fold, and where a server indexes them."""
    fold_seconds: float
    index_seconds: float
    parts_bytes: int
    """What the shards leave for the index, until it is loaded."""
    generation_bytes: int
    """What the new generation takes of the disk; 0 in memory."""
    free_bytes: int | None
    """Free where the index lies; None in memory."""

    @property
    def seconds(self) -> float:
        """From the start until all of the log as it is now is indexed."""
        return self.fold_seconds + self.index_seconds

    @property
    def disk_bytes(self) -> int:
        """Needed at the same time."""
        return self.parts_bytes + self.generation_bytes

    @property
    def fits(self) -> bool:
        """Whether so much is free."""
        return self.free_bytes is None or self.disk_bytes <= self.free_bytes


def plan(log: Log, catalog: Catalog, index_url: str, shards: int) -> Plan:
    """Measure a sample, and tell what the whole log will take.

    Args:
        index_url: where the new generation is to be; it need not exist yet.
        shards: how many parts the root URIs are dealt into.

    Raises:
        UnusableIndex: the URL names no index.
    """
    with closing(open_index(index_url)) as target:
        url = target.url
    messages = log.count()
    with TemporaryDirectory(prefix="publog-plan-") as folder, paused_collector():
        sample = _measure(log, catalog, url, Path(folder))
    processes = max(1, min(shards, os.cpu_count() or 1))
    factor = messages / sample.messages if sample.messages else 0.0
    # Every shard reads the whole log, and makes its own part of the views.
    reading = math.ceil(shards / processes) * sample.apply_seconds
    emitting = sample.emit_seconds / processes
    return Plan(
        index=url,
        shards=shards,
        processes=processes,
        sample_messages=sample.messages,
        messages=messages,
        views=round(sample.views * factor),
        fold_messages_per_second=_rate(sample.messages, sample.apply_seconds),
        fold_views_per_second=_rate(sample.views, sample.emit_seconds),
        index_documents_per_second=_rate(sample.views, sample.index_seconds),
        fold_seconds=(reading + emitting) * factor,
        index_seconds=sample.index_seconds * factor,
        parts_bytes=round(sample.part_bytes * factor),
        generation_bytes=round(sample.generation_bytes * factor),
        free_bytes=_free_bytes(url),
    )


class _Sample(NamedTuple):
    """What was measured."""

    messages: int
    views: int
    apply_seconds: float
    emit_seconds: float
    index_seconds: float
    part_bytes: int
    generation_bytes: int


def _measure(log: Log, catalog: Catalog, url: str, folder: Path) -> _Sample:
    """Do with the first messages what a shard and then the index do with all of them."""
    part = folder / "part.jsonl"
    codec = Codec(catalog.kinds, log.schemas())
    read = 0

    def counted() -> Iterator[Entry]:
        nonlocal read
        for entry in islice(log.entries(), SAMPLE_MESSAGES):
            read += 1
            yield entry

    started = perf_counter()
    with (
        closing(range_fold(compile_catalog(catalog), codec, contiguous=log.contiguous)) as fold,
        part.open("wb", buffering=1024 * 1024) as file,
    ):
        fold.apply(counted())
        applied = perf_counter()
        while (lines := fold.emit(SAMPLE_MESSAGES)) is not None:
            file.write(lines)
        watermark, counts = fold.watermark, fold.counts()
    views = sum(sum(states.values()) for states in counts.values())
    emitted = perf_counter()
    part_bytes = part.stat().st_size
    index_seconds, generation_bytes = 0.0, part_bytes if _scheme(url) in _FILES else 0
    if _scheme(url) == _TANTIVY and views:
        with closing(open_index(f"{_TANTIVY}:{folder / 'index'}")) as index:
            index.load([part], catalog=catalog, applied_through=watermark)
            index_seconds = perf_counter() - emitted
            generation_bytes = sum(generation.bytes for generation in index.generations())
    return _Sample(read, views, applied - started, emitted - applied, index_seconds, part_bytes, generation_bytes)


def _rate(count: int, seconds: float) -> float:
    return count / seconds if seconds else 0.0


def _scheme(url: str) -> str:
    return url.partition(":")[0]


def _free_bytes(url: str) -> int | None:
    """What is free on the disk that the index is on, or will be."""
    scheme, _, path = url.partition(":")
    if scheme not in _FILES:
        return None
    place = Path(path)
    return shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.is_dir())).free


def as_text(planned: Plan) -> str:
    """The plan for a person."""
    if not planned.messages:
        return f"the log is empty: there is nothing to build into {planned.index}"
    about = "" if planned.sample_messages == planned.messages else "about "
    shards = "1 shard" if planned.shards == 1 else f"{planned.shards} shards"
    processes = "1 process" if planned.processes == 1 else f"{planned.processes} processes"
    indexing = f", {_duration(planned.index_seconds)} to index" if planned.index_seconds else ""
    folding = f"{_duration(planned.fold_seconds)} to fold ({shards} in {processes}){indexing}"
    parts = f"{_size(planned.parts_bytes)} for its parts until it is loaded"
    lines = [
        f"{planned.messages:,} messages become {about}{planned.views:,} views in {planned.index}",
        f"  time  about {_duration(planned.seconds)}: {folding}",
        f"  disk  about {_size(planned.disk_bytes)}: {_size(planned.generation_bytes)} for the new generation, {parts}",
    ]
    if planned.free_bytes is not None:
        lines.append(f"  free  {_size(planned.free_bytes)}")
    if not planned.fits:
        lines.append("  THIS DOES NOT FIT: free some disk, or put the index elsewhere with --index")
    if _scheme(planned.index) in _SERVERS:
        lines.append("  what the search server takes to index them is not in it: nothing was sent there")
    what = "the whole log" if not about else f"the first {planned.sample_messages:,} messages"
    lines.append(f"measured on {what}, without what it takes to start the workers")
    return "\n".join(lines)


def as_json(planned: Plan) -> Mapping[str, Any]:
    """The plan for a program."""
    return {
        **asdict(planned),
        "seconds": planned.seconds,
        "disk_bytes": planned.disk_bytes,
        "fits": planned.fits,
    }


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7_200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60} min"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1_000:
            return f"{size:,.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:,.1f} TB"

"""The batch graph: one linear chain, Create -> Reshuffle -> ParDo -> GroupByKey -> ParDo.

No tagged outputs, side inputs, state or timers, nothing from `finish_bundle`: there are runners that get each of these
wrong and still say DONE (Dask's among them). What a row is, is told by the row itself.
"""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.metrics.metric import Metrics

from assets.catalog import parse_catalog
from indexers import open_index
from indexers.port import GenerationInfo, Index
from pipeline.dead_letters import DeadLetters, parse_letters
from pipeline.errors import JobFailed
from pipeline.job import Block, Job, Manifest, ShardResult
from pipeline.manifest import write_manifest
from pipeline.shard import fold_shard
from pipeline.worker import fold_in_process


def build(pipeline: beam.Pipeline, job: Job) -> None:
    """Put a job's graph into a pipeline."""
    blocks = [asdict(Block(shard, job.shards, job.last)) for shard in range(job.shards)]
    settings = job.to_dict()
    _ = (
        pipeline
        | "Block descriptors" >> beam.Create(blocks)
        | "Spread over workers" >> beam.Reshuffle()
        | "Denormalize" >> beam.ParDo(FoldShard(settings))
        | "Gather the job's rows" >> beam.GroupByKey()
        | "Index" >> beam.ParDo(LoadIndex(settings))
    )


class FoldShard(beam.DoFn):
    """Folds the shard of a block descriptor; yields one row of what it did, keyed by job."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self._settings = settings

    def process(self, element: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """See `fold_shard`."""
        job = Job(**self._settings)
        fold = fold_in_process if job.processes else fold_shard
        result = asdict(fold(job, Block(**element)))
        for name in ("messages", "bytes", "dead_letters", "bounded"):
            Metrics.counter("publog", name).inc(result[name])
        for view, states in result["views"].items():
            for state, count in states.items():
                Metrics.counter("publog", f"{view}_{state}").inc(count)
        yield job.id, result


class LoadIndex(beam.DoFn):
    """Brings the shards' parts into the index, once all are there, and leaves the job's manifest."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self._settings = settings

    def process(self, element: tuple[str, Iterable[dict[str, Any]]]) -> None:
        """Raises `JobFailed` when a shard is missing."""
        job = Job(**self._settings)
        results = {row["shard"]: ShardResult(**row) for row in element[1]}
        if set(results) != set(range(job.shards)):
            raise JobFailed(f"the runner brought the results of shards {sorted(results)} of {job.shards}")
        # The dead letters first: a job killed in between leaves them told too early, never forgotten.
        numbers = [(shard, number) for shard in sorted(results) for number in range(results[shard].parts)]
        manifest = Manifest(job.id, job.last, [results[shard] for shard in sorted(results)])
        parts = [job.place.part(*place) for place in numbers]
        with (
            closing(DeadLetters(Path(job.dead_letters))) as letters,
            closing(open_index(job.index, letters.add_unfit)) as index,
        ):
            found = (letter for place in numbers for letter in parse_letters(job.place.letters(*place)))
            # Who goes on has those already that the index could not take.
            keep = letters.add if job.generation and _about(job, index).loaded else letters.replace
            keep(found)
            if job.generation:
                fill_generation(job, index, parts)
            else:
                catalog = parse_catalog(job.catalog)
                index.load(_lent(parts), catalog=catalog, applied_through=job.last, counted=manifest.views())
        write_manifest(job.place.manifest(), manifest)


def _lent(parts: Sequence[Path]) -> list[Path]:
    """Other names for the parts: an index may move what it is given, and a runner may do this again."""
    attempt = f".{os.getpid()}-{os.urandom(4).hex()}.lent"
    lent = [part.with_suffix(attempt) for part in parts]
    for part, name in zip(parts, lent, strict=True):
        try:
            name.hardlink_to(part)
        except FileNotFoundError:
            raise JobFailed(
                f"{part} is not on {platform.node()}: all workers need the same folder under the same name"
            ) from None
        except OSError:
            # Not every file system has links: then it can be done once.
            return list(parts)
    return lent


def fill_generation(job: Job, index: Index, parts: Sequence[Path]) -> None:
    """Bring parts into an unfinished generation one by one, from where it stands, and finish it."""
    about = _about(job, index)
    if about.complete:
        return
    for number in range(about.loaded, len(parts)):
        job.place.indexed().write_text(str(number))
        index.extend(job.generation, [parts[number]], loaded=number + 1)
    job.place.indexed().write_text(str(len(parts)))
    index.finish(job.generation, applied_through=job.last)


def _about(job: Job, index: Index) -> GenerationInfo:
    return next(about for about in index.generations() if about.name == job.generation)

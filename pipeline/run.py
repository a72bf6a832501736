"""Running a batch: prepare the folder, submit the graph, and believe the manifest, never the runner's DONE."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
import fcntl
import shutil
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from assets.catalog import Catalog
from assets.log import open_log
from indexers import open_index
from pipeline.batch import build, read_manifest
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters, parse_letters
from pipeline.errors import JobFailed, JobRunning, UnusableJob
from pipeline.job import Job, Manifest
from pipeline.runners import choose

SHARDS_MAX: Final = 1_024
PROGRESS_SECONDS: Final = 0.25
"""Between two reports of progress."""


class Progress(NamedTuple):
    """How far a batch is, over all its shards."""

    applied: int
    """Messages applied by the shard that is furthest behind."""
    messages: int
    views: int
    """Written so far."""


def run_batch(
    *,
    log: str,
    index: str,
    catalog: Catalog,
    folder: Path,
    shards: int = 1,
    runner: str | None = None,
    options: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> Manifest:
    """Denormalize the log as it is now into the index, which is swapped whole at the end.

    Args:
        log, index: URLs (DESIGN 5).
        catalog: What to read the log with.
        folder: Where the job works; its dead letters stay there in `dead-letters.sqlite`.
        shards: How many parts the root URIs are dealt into; on one machine each is a process.
        runner: A Beam runner; options: Beam options, as on its command line.
        on_progress: Called from another thread now and then.

    Raises:
        JobRunning, JobFailed, UnusableJob; and what opening the log and the index raises.
    """
    if not 1 <= shards <= SHARDS_MAX:
        raise UnusableJob(f"--shards {shards}: use a number from 1 to {SHARDS_MAX}")
    with _workplace(folder) as workplace:
        opened = open_log(log, create=False)
        try:
            last = opened.last_offset()
            job = Job(uuid4().hex, opened.url, _checked_index(index), catalog.files, last, shards, str(workplace))
        finally:
            opened.close()
        one_process = log.startswith("memory:") or index.startswith("memory:")
        with _watching(job, on_progress):
            _submit(job, *choose(runner, shards, options, one_process=one_process))
        manifest = read_manifest(job.manifest())
        if manifest is None or manifest.job != job.id:
            raise JobFailed("the runner said it was done, but left no manifest; the index is as it was")
        letters = DeadLetters(folder / DEAD_LETTERS_FILE)
        letters.replace(letter for shard in range(shards) for letter in parse_letters(job.letters(shard)))
        letters.close()
        return manifest


def _checked_index(url: str) -> str:
    """The index's URL as other processes must know it; raises before any work is done when it can't be used."""
    index = open_index(url)
    try:
        return index.url
    finally:
        index.close()


def _submit(job: Job, runner: FnApiRunner | None, options: list[str]) -> None:
    try:
        pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
    except (ValueError, ImportError) as error:
        raise UnusableJob(str(error)) from error
    try:
        build(pipeline, job)
        pipeline.run().wait_until_finish()
    except Exception as error:
        # Beam wraps what a DoFn raised in errors of its own, runner by runner: the last line says what it was.
        reason = str(error).strip().splitlines()
        raise JobFailed(f"{type(error).__name__}: {reason[-1] if reason else 'no reason given'}") from error


@contextmanager
def _workplace(folder: Path) -> Generator[Path]:
    """A folder for one job at a time, empty at first and removed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "batch.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JobRunning(f"another batch is at work in {folder}; wait for it to end") from None
        parent = (folder / "batch").resolve()
        shutil.rmtree(parent, ignore_errors=True)
        # A folder of its own each time: a worker left over from a killed job can't leave its part in this one.
        workplace = parent / uuid4().hex
        workplace.mkdir(parents=True)
        try:
            yield workplace
        finally:
            shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def _watching(job: Job, on_progress: Callable[[Progress], None] | None) -> Generator[None]:
    """Reports, from a thread of its own, what the shards leave in their progress files."""
    if on_progress is None:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(PROGRESS_SECONDS):
            on_progress(_progress(job))

    thread = threading.Thread(target=watch, name="batch-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _progress(job: Job) -> Progress:
    applied: list[int] = []
    views = 0
    for shard in range(job.shards):
        try:
            watermark, written = job.progress(shard).read_text().split()
        except (FileNotFoundError, ValueError):
            applied.append(0)
            continue
        applied.append(int(watermark) + 1)
        views += int(written)
    return Progress(min(applied), job.last + 1, views)

"""Running a batch: prepare the folder, submit the graph, and believe the manifest, never the runner's DONE."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
import fcntl
import re
import shutil
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from assets.catalog import Catalog
from assets.log import open_log
from indexers import open_index
from pipeline.batch import build, read_manifest
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.errors import JobFailed, JobRunning, UnusableJob
from pipeline.job import Job, Manifest
from pipeline.progress import Progress, progress_of
from pipeline.runners import Choice, choose

_WRAPPING: Final = re.compile(r"^(?:[\w.]+: )+| \[while running '.*'\]$")

SHARDS_MAX: Final = 1_024
PROGRESS_SECONDS: Final = 0.25
"""Between two reports of progress."""


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
    _check_shards(shards)
    # The dead letters first: no index is made whose dead letters have no place.
    letters = folder / DEAD_LETTERS_FILE
    with _workplace(folder) as workplace:
        DeadLetters(letters).close()
        one_process = log.startswith("memory:") or index.startswith("memory:")
        choice = choose(runner, shards, options, one_process=one_process)
        with closing(open_log(log, create=False)) as opened, closing(open_index(index)) as target:
            job = Job(
                id=uuid4().hex,
                log=opened.url,
                index=target.url,
                catalog=catalog.files,
                last=opened.last_offset(),
                shards=shards,
                folder=str(workplace),
                dead_letters=str(letters.resolve()),
                processes=choice.processes,
            )
        with _watching(job, on_progress):
            _submit(job, choice)
        return _manifest(job)


def run_build(
    *,
    log: str,
    index: str,
    generation: str,
    catalog: Catalog,
    last: int,
    folder: Path,
    dead_letters: Path,
    part_views_max: int,
    shards: int = 1,
    runner: str | None = None,
    options: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> Manifest:
    """Denormalize messages 0 to `last` into an unfinished generation of the index, and finish it.

    The same graph as a batch's. What an earlier run with the same arguments left in the folder is not done again.

    Args:
        folder: Its own; whoever calls sees to it that nobody else works there, and removes it afterwards.
        part_views_max: Views after which a shard leaves a checkpoint.

    Raises:
        JobFailed, UnusableJob; and what opening the log and the index raises.
    """
    _check_shards(shards)
    folder.mkdir(parents=True, exist_ok=True)
    choice = choose(runner, shards, options, one_process=log.startswith("memory:") or index.startswith("memory:"))
    job = Job(
        id=generation,
        log=log,
        index=index,
        catalog=catalog.files,
        last=last,
        shards=shards,
        folder=str(folder.resolve()),
        dead_letters=str(dead_letters.resolve()),
        processes=choice.processes,
        generation=generation,
        part_views_max=part_views_max,
    )
    with _watching(job, on_progress):
        _submit(job, choice)
    return _manifest(job)


def _check_shards(shards: int) -> None:
    if not 1 <= shards <= SHARDS_MAX:
        raise UnusableJob(f"--shards {shards}: use a number from 1 to {SHARDS_MAX}")


def _manifest(job: Job) -> Manifest:
    manifest = read_manifest(job.place.manifest())
    if manifest is None or manifest.job != job.id:
        raise JobFailed("the runner said it was done, but left no manifest; the index is as it was")
    return manifest


def _submit(job: Job, choice: Choice) -> None:
    try:
        pipeline = beam.Pipeline(runner=choice.runner, options=PipelineOptions(choice.options))
    except (ValueError, ImportError) as error:
        raise UnusableJob(str(error)) from error
    try:
        build(pipeline, job)
        pipeline.run().wait_until_finish()
    except Exception as error:
        raise JobFailed(_reason(error)) from error


def _reason(error: Exception) -> str:
    """What a DoFn said, without what Beam wraps it in, runner by runner."""
    lines = str(error).strip().splitlines()
    words = _WRAPPING.sub("", lines[-1]) if lines else ""
    return words or f"the runner failed: {type(error).__name__}"


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
            on_progress(progress_of(Path(job.folder), job.shards, job.last))

    thread = threading.Thread(target=watch, name="batch-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

"""Running a batch: prepare the folder, submit the graph, and believe the manifest, never the runner's DONE."""

import fcntl
import shutil
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from assets.catalog import Catalog
from assets.log import open_log
from indexers import open_index
from pipeline.beam_loading import load_beam
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.errors import JobFailed, JobRunning, UnusableJob
from pipeline.here import in_processes
from pipeline.job import Job, Manifest
from pipeline.manifest import read_manifest
from pipeline.progress import Progress, progress_of
from pipeline.worker import workers

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
    memory: int = 0,
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
        memory: Bytes that all shards' folds may take together, as far as payloads can be put into temporary files
            instead; 0: any.
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
        with closing(open_log(log, create=False)) as opened, closing(open_index(index)) as target:
            last = opened.last_offset()
            job = Job(
                id=uuid4().hex,
                log=opened.url,
                index=target.url,
                catalog=catalog.files,
                last=last,
                shards=shards,
                folder=str(workplace),
                dead_letters=str(letters.resolve()),
                processes=in_processes(runner, options, shards, last, (log, index)),
                memory=memory // shards,
            )
        return _run(job, runner, options, on_progress)


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
    memory: int = 0,
    runner: str | None = None,
    options: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> Manifest:
    """Denormalize messages 0 to `last` into an unfinished generation of the index, and finish it.

    The same graph as a batch's. What an earlier run with the same arguments left in the folder is not done again.

    Args:
        folder: Its own; whoever calls sees to it that nobody else works there, and removes it afterwards.
        part_views_max: Views after which a shard leaves a checkpoint.
        memory: As for a batch.

    Raises:
        JobFailed, UnusableJob; and what opening the log and the index raises.
    """
    _check_shards(shards)
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(
        id=generation,
        log=log,
        index=index,
        catalog=catalog.files,
        last=last,
        shards=shards,
        folder=str(folder.resolve()),
        dead_letters=str(dead_letters.resolve()),
        processes=in_processes(runner, options, shards, last, (log, index)),
        generation=generation,
        part_views_max=part_views_max,
        memory=memory // shards,
    )
    return _run(job, runner, options, on_progress)


def _check_shards(shards: int) -> None:
    if not 1 <= shards <= SHARDS_MAX:
        raise UnusableJob(f"--shards {shards}: use a number from 1 to {SHARDS_MAX}")


def _run(
    job: Job, runner: str | None, options: Sequence[str], on_progress: Callable[[Progress], None] | None
) -> Manifest:
    # The shards' processes are at work while this one imports Beam, which takes longer than many a shard.
    with _watching(job, on_progress), workers(job):
        load_beam()
        from pipeline.submission import submit  # noqa: PLC0415

        submit(job, runner, options)
    manifest = read_manifest(job.place.manifest())
    if manifest is None or manifest.job != job.id:
        # Dask says so when its scheduler died.
        raise JobFailed("the runner said it was done, but left no manifest: it lost the job; run it again")
    return manifest


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

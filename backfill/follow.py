"""A generation that is not searched follows the log: until it is as far as the one that is."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from assets.catalog import Catalog
from assets.log.port import Log
from denormalizer.view import View
from pipeline.dead_letters import DeadLetters
from pipeline.stream.engine import Progress, Stream, Tuning, steps

Keys = set[tuple[str, str]]
"""Documents, by view and URI."""


class Follower:
    """Brings one generation up to date, and remembers what it wrote."""

    def __init__(self, log: Log, stream: Stream) -> None:
        """Use `following`."""
        self._log = log
        self._stream = stream
        self._written: Keys = set()

    def note(self, views: Sequence[View]) -> None:
        """These were written."""
        self._written.update((view.view, view.uri) for view in views)

    def catch_up(self) -> int:
        """Apply what the log holds as of this call, and bring all of it into the index; returns the watermark.

        Then nothing waits, and every document is as of the watermark: what is published on the way is not begun with.
        """
        last = self._log.last_offset()
        stream = self._stream
        while stream.position < last or stream.applied_through < stream.position:
            self._work(None if stream.position >= last else stream.wait(stream.position, 0.0))
        return stream.applied_through

    def keep_up(self, seconds: float) -> None:
        """Apply what is published next, or within so long: fresh edits first, as a stream does."""
        self._work(self._stream.wait(self._stream.position, seconds))

    def take_written(self) -> Keys:
        """What was written since this was asked last."""
        written, self._written = self._written, set()
        return written

    def _work(self, end: int | None) -> None:
        stream = self._stream
        for step, shard in steps(stream.tuning.shards):
            stream.work(shard, stream.position if end is None else end, step)


@contextmanager
def following(
    log: Log,
    index: str,
    generation: str,
    catalog: Catalog,
    home: Path,
    letters: Path,
    shards: int,
    on_progress: Callable[[Progress], None] | None = None,
) -> Generator[Follower]:
    """A follower of one generation, alone; its states are left to the stream that takes over.

    Raises:
        JobRunning, IndexBusy: another process writes that generation.
    """
    followers: list[Follower] = []

    def note(views: Sequence[View]) -> None:
        for follower in followers:
            follower.note(views)

    with (
        closing(DeadLetters(letters)) as kept,
        closing(
            Stream(
                log,
                index,
                catalog,
                home,
                kept,
                generation=generation,
                tuning=Tuning(shards=shards),
                on_write=note,
                on_progress=on_progress,
            )
        ) as stream,
    ):
        followers.append(Follower(log, stream))
        yield followers[0]

"""What a stream does with a descriptor: fold up to there, fresh edits into the index first, then what waits behind them.

It lives in this process, whatever Beam does around it: a new Beam pipeline finds the folds as the former one left them.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event, RLock
from time import monotonic
from typing import Final, Literal, NamedTuple

from assets.catalog import Catalog
from assets.collector import paused_collector
from assets.log.port import Log
from assets.model import Message
from denormalizer.fold import DeadLetter
from denormalizer.plan import compile_catalog
from denormalizer.view import View
from indexers import Unfit
from pipeline.dead_letters import DeadLetters, Replayed, is_of_view, unindexed
from pipeline.limits import (
    BACKLOG_VIEWS,
    BULK_MESSAGES,
    BUNDLE_SECONDS,
    BUNDLES_MAX,
    IDLE_SECONDS,
    MICRO_BATCH_MESSAGES,
    WRITE_BYTES,
    WRITE_VIEWS,
)
from pipeline.stream.decoder import Decoder
from pipeline.stream.shard import StreamShard
from pipeline.stream.state import Header
from pipeline.stream.states import discard, held, state_file, sweep
from pipeline.stream.target import Target

_log: Final = logging.getLogger("publog.stream")


@dataclass
class Done:
    """What a stream did since it was started."""

    messages: int = 0
    """Applied, by the shard that was furthest behind at the start."""
    read_again: int = 0
    """Messages that the index had, applied to make a state again."""
    views: int = 0
    """Written to the index."""
    dead_letters: int = 0
    bounded: int = 0
    """Views that were cut short at a bound."""


class Progress(NamedTuple):
    """Where a stream is."""

    offset: int
    """What the index reflects."""
    lag: int
    """How many offsets the log is ahead of that."""
    applied: int
    """What every shard has applied: less, while a state is made again from the log."""
    waiting: int
    """Views behind fresh edits."""
    done: Done
    last: int
    """The log's last offset."""
    generation: str
    """That is filled."""


@dataclass(frozen=True)
class Tuning:
    """How a stream goes about it; nothing of it changes a view."""

    shards: int = 1
    micro_batch: int = MICRO_BATCH_MESSAGES
    """Messages applied at a time, where the log is further ahead; the end of a transaction comes on top."""
    backlog_views: int = BACKLOG_VIEWS
    bundle_seconds: float = BUNDLE_SECONDS
    bundles_max: int = BUNDLES_MAX
    only: int | None = None
    """The shard that this process has, numbered from 0, where others have the others; None: it has all."""

    @property
    def numbers(self) -> Sequence[int]:
        """The shards of this process."""
        return range(self.shards) if self.only is None else (self.only,)

    @property
    def share(self) -> tuple[int, int] | None:
        """Which of how many writers of the index this process is."""
        return None if self.only is None else (self.only, self.shards)


class Stream:
    """All shards over one generation of an index. Threads take turns: a runner that died may have left one at work."""

    def __init__(
        self,
        log: Log,
        index: str,
        catalog: Catalog,
        home: Path,
        letters: DeadLetters,
        *,
        generation: str | None = None,
        tuning: Tuning = Tuning(),
        stop: Event | None = None,
        done: Done | None = None,
        on_apply: Callable[[int, int], None] | None = None,
        on_write: Callable[[Sequence[View]], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Restore the shards' states.

        Args:
            generation: The one to fill, whichever is searched; None: the one that is searched, until another one is.
            on_apply: Called with the first and the last offset of what a shard has applied, before its views are written.
            on_write: Called with the views of each commit.

        Raises:
            UnusableJob, JobRunning, and what the index raises.
        """
        self.tuning = tuning
        self.failure: BaseException | None = None
        """What went wrong, as it was raised: a runner tells it in its own words."""
        self.done = done or Done()
        self._log = log
        self._stop = stop or Event()
        self._on_apply = on_apply
        self._on_write = on_write
        self._on_progress = on_progress
        self._letters = letters
        self._switched = False
        self._closed = False
        self._turn = RLock()
        with ExitStack() as opened, paused_collector():
            self._target = opened.enter_context(
                closing(Target(index, catalog, log.last_offset(), generation, self._set_aside, tuning.share))
            )
            self._opened_at = self._target.applied_through
            generation = self._target.generation
            opened.enter_context(held(home, generation, tuning.share))
            discard(home, keep=self._target.generations())
            if tuning.share is None:
                sweep(home, generation, tuning.shards)
            payloads = Decoder(catalog.kinds, log)
            plan = compile_catalog(catalog)
            self._shards: list[StreamShard] = []
            for number in tuning.numbers:
                shard = StreamShard(
                    state_file(home, generation, number, tuning.shards),
                    Header(catalog.digest, generation, log.url, number, tuning.shards),
                    log,
                    plan,
                    payloads,
                    self._target.applied_through,
                )
                self._shards.append(opened.enter_context(closing(shard)))
            # The last of them: what it has applied, all have.
            self._counted = min(reversed(self._shards), key=lambda shard: shard.fold.watermark)
            self._opened = opened.pop_all()

    # ---------------------------------------------------------------------------------------------- for the source

    @property
    def applied_through(self) -> int:
        """What the index reflects."""
        return self._target.applied_through

    @property
    def position(self) -> int:
        """What every shard has applied."""
        return min(shard.fold.watermark for shard in self._shards)

    @property
    def is_ending(self) -> bool:
        """Whether no more descriptors are wanted: told to stop, the index switched, or something went wrong."""
        return self._closed or self._stop.is_set() or self._switched or self.failure is not None

    @property
    def is_switched(self) -> bool:
        """Whether searches go to another generation now."""
        return self._switched

    def wait(self, position: int, timeout_seconds: float) -> int | None:
        """The end of the next micro-batch behind a position; None when there is nothing to do for so long.

        The position itself, where no message came but something else waits: a replay was asked for.
        """
        try:
            return self._wait(position, timeout_seconds)
        except BaseException as error:
            self.failure = error
            raise

    def _wait(self, position: int, timeout_seconds: float) -> int | None:
        end = monotonic() + timeout_seconds
        while True:
            left = end - monotonic()
            with self._turn:
                if self.is_ending:
                    return None
                last = self._log.wait_past(position, min(max(left, 0), IDLE_SECONDS))
                if last > position:
                    return self._cut(position, last)
                self._look_around()
                if self._requests() or any(shard.fold.backlog for shard in self._shards):
                    return position
            if left <= 0:
                return None

    def _cut(self, position: int, last: int) -> int:
        """Where the micro-batch behind a position ends: with a transaction, as the log itself does."""
        wanted = position + self.tuning.micro_batch
        if wanted >= last:
            return last
        return next((message.offset for message in self._log.read(wanted, last) if message.tx_end), last)

    def commit(self, position: int) -> None:
        """Beam will not ask for anything up to there again."""
        assert self.position >= position, "the sink had it before"

    # ------------------------------------------------------------------------------------------------- for the sink

    def work(self, shard: int, end: int, step: "Step") -> None:
        """Do one step of a descriptor. Doing it again does nothing."""
        with self._turn:
            self._work(shard, end, step)

    def _work(self, shard: int, end: int, step: "Step") -> None:
        if self._closed or self._switched or self.failure is not None:
            return
        try:
            match step:
                case "fresh":
                    is_bulk = end - self._shards[shard].fold.watermark >= BULK_MESSAGES
                    with paused_collector() if is_bulk else nullcontext():
                        self._fresh(self._shards[shard], end)
                case "replay":
                    self._replay()
                case "backlog":
                    self._work_off(self._shards[shard], end)
        except BaseException as error:
            self.failure = error
            raise

    def close(self) -> None:
        """Let others have the index and the states."""
        self._closed = True
        with self._turn:
            self._opened.close()

    def _fresh(self, shard: StreamShard, end: int) -> None:
        self._look_around()
        if self._switched:
            return
        # What the index had, and what it had not.
        again = self._apply(shard, min(end, self._opened_at))
        applied = self._apply(shard, end)
        views = shard.fold.emit_fresh()
        ended = False
        while not ended:
            taken, ended = _take(views)
            self._write(shard, taken)
        shard.save()
        if shard is self._counted:
            self.done.read_again += again
            self.done.messages += applied
        self._report()

    def _apply(self, shard: StreamShard, last: int) -> int:
        """Bring a shard up to an offset; how many messages that were."""
        start = shard.fold.watermark + 1
        if last < start:
            return 0
        count = shard.apply(self._log.read(start, last))
        if self._on_apply is not None:
            self._on_apply(start, last)
        return count

    def _work_off(self, shard: StreamShard, end: int) -> None:
        """At least some of what waits, and all of it while no fresh edit comes."""
        while shard.fold.backlog:
            views = shard.fold.emit_backlog(self.tuning.backlog_views)
            ended = False
            while not ended:
                taken, ended = _take(views)
                self._write(shard, taken)
            self._report()
            if self._stop.is_set() or self._log.last_offset() > end:
                return

    def _write(self, shard: StreamShard, views: Sequence[View]) -> None:
        if shard.fold.dead_letters:
            # Before the commit that passes them: they may be told too early, never be forgotten.
            self._letters.add(shard.fold.dead_letters)
            _tell(shard.fold.dead_letters)
            self.done.dead_letters += len(shard.fold.dead_letters)
            shard.fold.dead_letters.clear()
        through = min(shard.fold.emitted_through for shard in self._shards)
        if views or through > self._target.applied_through:
            self._target.write(views, through)
            if self._on_write is not None:
                self._on_write(views)
            self.done.views += len(views)
            self.done.bounded += sum(1 for view in views if view.bounds)

    def _set_aside(self, unfit: Unfit) -> None:
        self._letters.add_unfit(unfit)
        _tell([unindexed(unfit)])
        self.done.dead_letters += 1

    def _requests(self) -> list[int]:
        """The replays that are asked for. One shard can't do them: the others' folds would not know of it."""
        return [] if self.tuning.share is not None else self._letters.asked(self._target.generation)

    def _replay(self) -> None:
        """Try the dead letters again, where someone asked for it (`pipeline.replay`)."""
        requests = self._requests()
        if not requests:
            return
        mark = self._letters.mark()
        waiting = [letter for letter in self._letters.all() if letter.offset <= self.position]
        # What the index could not take is written to it again.
        healed = [letter for letter in waiting if is_of_view(letter) or self._heal(letter.offset)]
        views = self._dependents(dict.fromkeys(letter.uri for letter in healed))
        count = 0
        ended = False
        while not ended:
            taken, ended = _take(views)
            count += len(taken)
            self._target.repair(taken)
        for shard in self._shards:
            shard.save()
        before = sum(self._letters.counts().values())
        self._letters.remove(healed, mark)
        left = sum(self._letters.counts().values())
        result = Replayed(before - left, count, left)
        for request in requests:
            self._letters.answer(request, result)

    def _dependents(self, uris: Iterable[str]) -> Iterator[View]:
        """The views with one of these in their closure, each once."""
        seen: set[tuple[str, str]] = set()
        for shard in self._shards:
            for uri in uris:
                for view in shard.fold.dependents(uri):
                    if (view.view, view.uri) not in seen:
                        seen.add((view.view, view.uri))
                        yield view

    def _heal(self, offset: int) -> bool:
        message: Message | None = next(iter(self._log.read(offset, offset)), None)
        return message is not None and all(shard.heal(message) for shard in self._shards)

    def _look_around(self) -> None:
        if not self._target.is_present():
            self._switched = True
        self._report()

    def _report(self) -> None:
        if self._on_progress is not None:
            waiting = sum(shard.fold.backlog for shard in self._shards)
            last = self._log.last_offset()
            lag = max(last - self.applied_through, 0)
            self._on_progress(
                Progress(self.applied_through, lag, self.position, waiting, self.done, last, self._target.generation)
            )


Step = Literal["fresh", "replay", "backlog"]


def steps(shards: int) -> Iterator[tuple[Step, int]]:
    """What is done with a descriptor, in order: every shard's fresh edits before anything that may wait."""
    for shard in range(shards):
        yield "fresh", shard
    yield "replay", 0
    for shard in range(shards):
        yield "backlog", shard


def _tell(letters: Iterable[DeadLetter]) -> None:
    for letter in letters:
        _log.info("dead letter", extra={"offset": letter.offset, "uri": letter.uri, "code": letter.code})


def _take(views: Iterator[View]) -> tuple[list[View], bool]:
    """So many views as go into the index at a time, and whether those were the last."""
    taken: list[View] = []
    content_bytes = 0
    for view in views:
        taken.append(view)
        content_bytes += len(view.content)
        if len(taken) >= WRITE_VIEWS or content_bytes >= WRITE_BYTES:
            return taken, False
    return taken, True

"""The steps of a backfill, each of which a killed one takes again from where it was.

    begin -> build -> cut over        and perhaps: roll back

Whoever takes a step holds the index's lease, whose token says so to the index when it is asked to switch.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from assets.catalog import Catalog
from assets.codec import check_compatibility
from assets.fixing import fix_catalog
from assets.log.port import Log
from assets.model import NEVER
from backfill.errors import FallsBehind, NoFormer, NotVerified
from backfill.follow import Follower, following
from backfill.limits import HAND_OVER_SECONDS_MAX, HAND_OVER_STEP_SECONDS, PART_VIEWS, ROUNDS_MAX
from backfill.record import Record, Records, Switch
from backfill.verify import Report, verify, verify_some
from denormalizer.fold import DeadLetter
from indexers import Index
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.run import Progress as BuildProgress
from pipeline.run import run_build
from pipeline.stream.engine import Progress
from pipeline.stream.states import is_held, shards_of

OnFollow = Callable[[Progress], None]
OnVerify = Callable[[int, int], None]


class Backfill:
    """The backfill of one index from one log, as one home remembers it."""

    def __init__(self, log: Log, index: Index, home: Path) -> None:
        self._log = log
        self._index = index
        self._home = home
        self.records = Records(home)

    def begin(self, catalog: Catalog, shards: int, *, memory: int = 0) -> Record:
        """A new generation, empty as yet.

        Args:
            memory: Bytes that the folds of its build may take together (`pipeline.run.run_build`).

        Raises:
            UnfinishedBackfill: there is one already.
            IncompatibleSchema: the catalog can't read what the log holds.
        """
        self.records.refuse_unfinished()
        check_compatibility(catalog.kinds, self._log.schemas())
        former = self._index.info().generation
        record = Record(
            generation=self._index.begin(catalog),
            former=former,
            last=self._log.last_offset(),
            shards=shards,
            memory=memory,
            begun=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        )
        self.records.write(record)
        return record

    def build(
        self,
        record: Record,
        *,
        runner: str | None = None,
        options: Sequence[str] = (),
        on_progress: Callable[[BuildProgress], None] | None = None,
    ) -> Record:
        """Fill the generation with every view as of the record's last message, from where it stands.

        Raises:
            What `pipeline.run.run_build` raises.
        """
        if record.phase == "building":
            run_build(
                log=self._log.url,
                index=self._index.url,
                generation=record.generation,
                catalog=self._index.catalog(record.generation),
                last=record.last,
                folder=self.records.work(record.generation),
                dead_letters=self.records.letters(record.generation),
                part_views_max=PART_VIEWS,
                shards=record.shards,
                memory=record.memory,
                runner=runner,
                options=options,
                on_progress=on_progress,
            )
            record = record.at(phase="built")
            self.records.write(record)
        shutil.rmtree(self.records.work(record.generation), ignore_errors=True)
        return record

    def catch_up(self, record: Record, on_progress: OnFollow | None = None) -> int:
        """Bring the built generation up to the log's end; returns its watermark."""
        info = self._index.info()
        if info.generation == record.generation:
            # Killed behind its switch: from there on it is the stream's.
            return info.applied_through
        with self._following(record.generation, on_progress) as follower:
            return follower.catch_up()

    def verify(self, generation: str, on_progress: OnVerify | None = None) -> Report:
        """Compare a generation with the log, at its watermark."""
        with closing(self._index.generation(generation)) as handle:
            return verify(self._log, handle, self._index.catalog(generation), on_progress)

    def cut_over(
        self,
        record: Record,
        token: int,
        *,
        on_follow: OnFollow | None = None,
        on_verify: OnVerify | None = None,
        on_verified: Callable[[Report], None] | None = None,
    ) -> Switch:
        """Bring the generation up to date, verify it, and let searches go to it in one step.

        Raises:
            NotVerified: a document is not what the log says; searches stay where they are.
            FallsBehind, GenerationMoved, LeaseLost.
        """
        generation = record.generation
        catalog = self._index.catalog(generation)
        current = self._index.info().generation
        switch = self.end_switch()
        if current != generation:
            with self._following(generation, on_follow) as follower:
                follower.catch_up()
                follower.take_written()
                report = self.verify(generation, on_verify)
                if on_verified is not None:
                    on_verified(report)
                if not report.passed:
                    raise NotVerified(report)
                record = record.at(verified_through=report.watermark)
                self.records.write(record)
                switch = self._switch(follower, generation, current, token, catalog)
        self.records.write(record.at(phase="current"))
        return switch or self.records.switched() or Switch(generation, "", NEVER)

    def roll_back(self, token: int, on_follow: OnFollow | None = None) -> Switch:
        """Bring the former generation up to date and let searches go to it again; or end a rollback that was killed.

        Raises:
            NoFormer: there is none.
            IncompatibleSchema: its catalog can't read what was published since.
            NotVerified, FallsBehind, GenerationMoved, LeaseLost.
        """
        ended = self.end_switch()
        if ended is not None and ended.back:
            return ended
        current = self._index.info().generation
        former = self._former(current)
        catalog = self._index.catalog(former)
        check_compatibility(catalog.kinds, self._log.schemas())
        with self._following(former, on_follow) as follower:
            follower.catch_up()
            follower.take_written()
            return self._switch(follower, former, current, token, catalog, back=True)

    def remove(self, generation: str) -> None:
        """Remove a generation that is not current; a backfill that builds it is given up.

        Raises:
            NoGeneration, GenerationUnfit.
        """
        self.end_switch()
        self._index.remove(generation)
        record = self.records.read()
        if record is not None and record.generation == generation:
            self.records.forget()
        shutil.rmtree(self.records.work(generation), ignore_errors=True)
        self.records.letters(generation).unlink(missing_ok=True)

    def end_switch(self) -> Switch | None:
        """End a switch that was made and then killed; which it was, None where there is no such.

        It may change the log's catalog.
        """
        switch = self.records.switched()
        if switch is None or switch.settled or self._index.info().generation != switch.current:
            return None
        self._settle(switch, self._index.catalog(switch.current), killed=True)
        record = self.records.read()
        if record is not None and record.generation == switch.current:
            self.records.write(record.at(phase="current"))
        return switch

    def _switch(
        self, follower: Follower, generation: str, current: str, token: int, catalog: Catalog, *, back: bool = False
    ) -> Switch:
        """Switch as soon as the generation is not behind the live one, and what was written on the way is right."""
        with closing(self._index.generation(generation)) as handle:
            lag = 0
            for _ in range(ROUNDS_MAX):
                through = follower.catch_up()
                report = verify_some(self._log, handle, catalog, follower.take_written())
                if not report.passed:
                    raise NotVerified(report)
                lag = self._index.applied_through() - through
                if lag <= 0:
                    switch = Switch(generation, current, through, back)
                    # Who looks for what was switched finds it, also when this ends in between.
                    self.records.write_switch(switch)
                    self._index.switch(generation, expected=current, token=token)
                    self._hand_over(follower, current)
                    self._settle(switch, catalog)
                    return switch
        raise FallsBehind(generation, lag)

    def _hand_over(self, follower: Follower, former: str) -> None:
        """Keep the generation fresh until the stream lets go of the former one; from there on it is the stream's."""
        end = monotonic() + HAND_OVER_SECONDS_MAX
        follower.keep_up(0.0)
        while former and is_held(self._home, former) and monotonic() < end:
            follower.keep_up(HAND_OVER_STEP_SECONDS)

    def _former(self, current: str) -> str:
        complete = {about.name: about for about in self._index.generations() if about.complete and not about.current}
        switch = self.records.switched()
        if switch is not None and switch.current == current and switch.former in complete:
            return switch.former
        record = self.records.read()
        if record is not None and record.phase != "current":
            complete.pop(record.generation, None)
        if not complete:
            raise NoFormer
        return max(complete.values(), key=lambda about: (about.created, about.name)).name

    def _settle(self, switch: Switch, catalog: Catalog, *, killed: bool = False) -> None:
        """What goes with a switch: the log's catalog, and the dead letters as that catalog has them.

        It may be killed between any two steps, and is then done again from the first.
        """
        fix_catalog(self._log, catalog)
        aside = self.records.letters(switch.current)
        if aside.exists():
            with closing(DeadLetters(self._home / DEAD_LETTERS_FILE)) as present, closing(DeadLetters(aside)) as coming:
                leaving = self.records.letters(switch.former)
                # Once they are kept, the present ones may be those that came.
                if switch.former and not leaving.exists():
                    _keep(leaving, present.all())
                # A stream may be at work on the generation since: what it found is found once.
                since = [letter for letter in present.all() if killed and letter.offset > switch.through]
                present.replace([*coming.all(), *since])
            aside.unlink()
        self.records.write_switch(switch._replace(settled=True))

    def _following(self, generation: str, on_progress: OnFollow | None) -> AbstractContextManager[Follower]:
        # The stream that takes over goes on with the states that are left, if they are of as many shards as its own;
        # else it reads the whole log again, while nothing new is found.
        shards = shards_of(self._home, self._index.info().generation)
        return following(
            self._log,
            self._index.url,
            generation,
            self._index.catalog(generation),
            self._home,
            self.records.letters(generation),
            shards,
            on_progress,
        )


def _keep(path: Path, letters: Iterable[DeadLetter]) -> None:
    """A file of dead letters that is there whole, or not at all."""
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with closing(DeadLetters(aside)) as kept:
        kept.replace(letters)
    aside.replace(path)

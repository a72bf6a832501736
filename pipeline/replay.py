"""Replay: messages that could not be processed, tried again; the views they touch end as if they always had been.

A stream has the index for itself, and folds that would not know of it: where one is at work, it is asked to do it.
"""

import time
from collections import deque
from pathlib import Path

from assets.catalog import Catalog
from assets.log.port import Log
from assets.model import NEVER
from indexers.port import Index
from pipeline.as_of import LogViews
from pipeline.dead_letters import DeadLetters, Replayed
from pipeline.errors import JobRunning, UnusableJob
from pipeline.limits import IDLE_SECONDS, REPLAY_SECONDS_MAX
from pipeline.stream.states import discard, is_held, is_shared


def replay(log: Log, index: Index, catalog: Catalog, letters: DeadLetters, home: Path) -> Replayed:
    """Try every dead letter again, at the watermark that the index has.

    Raises:
        UnusableJob: when the index was built with another catalog: then every view may differ.
        JobRunning: when a stream is at work and does not answer.
    """
    mark = letters.mark()
    waiting = list(letters.all())
    if not waiting:
        return Replayed(0, 0, 0)
    info = index.info()
    if info.applied_through == NEVER:
        raise UnusableJob("there is no index yet to bring up to date; build it: publog run --batch")
    if info.catalog_digest != catalog.digest:
        raise UnusableJob("the index was built with another catalog; build it again: publog run --batch")
    if is_shared(home, info.generation):
        raise JobRunning(
            f"streams of single shards are at work in {home}; stop all of them, on other machines too, replay, remove the"
            " `state` folders of the other homes, and start them again"
        )
    if is_held(home, info.generation):
        return _ask_stream(letters, home, info.generation)
    # What streams kept does not know of it: they read the log again.
    discard(home)
    fold = LogViews(log, catalog).fold(info.applied_through)
    # What can't be read is known once everything was emitted.
    deque(fold.emit(), maxlen=0)
    unread = {letter.offset for letter in fold.dead_letters}
    healed = [letter for letter in waiting if letter.offset not in unread and letter.offset <= info.applied_through]
    views = {(view.view, view.uri): view for letter in healed for view in fold.dependents(letter.uri)}
    # A view may keep its version although it changed, as a later message in its closure made it; or get a lower one, as
    # what was healed no longer refers to that: it is taken out first.
    index.write(views.values(), applied_through=info.applied_through, repair=True, remove=views)
    letters.remove(healed, mark)
    left = sum(letters.counts().values())
    return Replayed(len(waiting) - left, len(views), left)


def _ask_stream(letters: DeadLetters, home: Path, generation: str) -> Replayed:
    request = letters.ask(generation)
    try:
        end = time.monotonic() + REPLAY_SECONDS_MAX
        while (result := letters.answer_to(request)) is None:
            if time.monotonic() > end or not is_held(home, generation):
                raise JobRunning(
                    f"the stream at work in {home} was asked for the replay, and did not do it; "
                    "stop it (SIGTERM), run publog dead-letters replay again, and start it anew"
                )
            time.sleep(IDLE_SECONDS / 5)
    finally:
        letters.withdraw(request)
    return result

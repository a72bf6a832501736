"""Replay: messages that could not be processed, tried again; the views they touch end as if they always had been."""

from collections import deque
from typing import NamedTuple

from assets.catalog import Catalog
from assets.log.port import Log
from assets.model import NEVER
from indexers.port import Index
from pipeline.as_of import LogViews
from pipeline.dead_letters import DeadLetters
from pipeline.errors import UnusableJob


class Replayed(NamedTuple):
    """What a replay did."""

    processed: int
    views: int
    """Brought up to date in the index."""
    left: int
    """Dead letters that still are."""


def replay(log: Log, index: Index, catalog: Catalog, letters: DeadLetters) -> Replayed:
    """Try every dead letter again, at the watermark that the index has.

    Raises:
        UnusableJob: when the index was built with another catalog: then every view may differ.
    """
    waiting = list(letters.all())
    if not waiting:
        return Replayed(0, 0, 0)
    info = index.info()
    if info.applied_through == NEVER:
        raise UnusableJob("there is no index yet to bring up to date; build it: publog run --batch")
    if info.catalog_digest != catalog.digest:
        raise UnusableJob("the index was built with another catalog; build it again: publog run --batch")
    fold = LogViews(log, catalog).fold(info.applied_through)
    # What can't be read is known once everything was emitted.
    deque(fold.emit(), maxlen=0)
    unread = {letter.offset for letter in fold.dead_letters}
    healed = [letter for letter in waiting if letter.offset not in unread and letter.offset <= info.applied_through]
    views = {(view.view, view.uri): view for letter in healed for view in fold.dependents(letter.uri)}
    # A view may keep its version although it changed: a later message in its closure made the version.
    index.write(views.values(), applied_through=info.applied_through, repair=True)
    letters.remove(letter.offset for letter in healed)
    return Replayed(len(healed), len(views), len(waiting) - len(healed))

"""The backlog: views that are due because something they depend on changed, and that may wait behind fresh edits.

Each stands in it once, in order of arrival, with the watermark since which it is due. One that is due again keeps its
place, so that a hub which is edited all the time holds up neither its own views nor those of others.
"""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from denormalizer.plan import ViewPlan

Key = tuple[str, str]
"""A view's name and its root's URI."""


class Due(NamedTuple):
    """A view to bring up to date."""

    view: ViewPlan
    uri: str
    """Of its root."""
    since: int
    """What was emitted last holds at this watermark: the view is emitted only when its version is above."""

    @property
    def key(self) -> Key:
        """What it stands under."""
        return self.view.definition.name, self.uri


class Backlog:
    """The views that are due, oldest first. Each that is added is due since no earlier than those before it."""

    def __init__(self) -> None:
        self._due: OrderedDict[Key, Due] = OrderedDict()

    def __len__(self) -> int:
        return len(self._due)

    def __iter__(self) -> Iterator[Due]:
        return iter(self._due.values())

    def add(self, due: Due) -> None:
        """Put a view at the end, unless it is here."""
        self._due.setdefault(due.key, due)

    def remove(self, key: Key) -> None:
        """Take a view out, if it is here: it was brought up to date."""
        self._due.pop(key, None)

    def first(self, count: int) -> list[Due]:
        """So many of those that wait longest."""
        return list(islice(self._due.values(), count))

    def since(self) -> int | None:
        """Since when the first of them has been due; None when nothing is."""
        return next((due.since for due in self._due.values()), None)

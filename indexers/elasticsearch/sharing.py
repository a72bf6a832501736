"""One of several writers of a generation, each of which brings documents of its own up to date.

Each says in a document of its own how far its documents go. Whoever has said so looks at what all of them said, and lets
the generation's watermark, which is all that readers look at, rise to the least of it. Of two who say so at the same
moment at least one sees both.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from assets.model import NEVER
from denormalizer.view import View
from indexers.elasticsearch.writing import share_action

if TYPE_CHECKING:
    from indexers.elasticsearch.generation import ElasticsearchGeneration


class ElasticsearchShare:
    """What `Index.share` gives."""

    def __init__(self, generation: "ElasticsearchGeneration", writer: int, writers: int) -> None:
        self._generation = generation
        self._marks = [share_action(number, writers, NEVER).id for number in range(writers)]
        self._writer = writer
        self._writers = writers
        # What the generation reflected before there were several, all of them have.
        self._through = max(generation.applied_through(), generation.marks(self._marks)[writer])

    def applied_through(self) -> int:
        return self._through

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._generation.put(views, repair=repair, remove=remove)
        self._through = max(self._through, applied_through)
        # Seen before it is said: another writer may let the watermark rise to it at once.
        self._generation.show()
        self._generation.say(share_action(self._writer, self._writers, self._through))
        least = min(self._generation.marks(self._marks))
        if least > NEVER:
            self._generation.pass_through(least)

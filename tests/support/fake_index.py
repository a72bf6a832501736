"""An index that is a dictionary: it keeps to the port's rules for writing, and fails when it is told to."""

from collections.abc import Callable, Iterable, Sequence
from copy import copy

from denormalizer.view import View
from indexers.port import GenerationInfo, IndexInfo

Views = dict[tuple[str, str], View]


class FakeIndex:
    def __init__(self, digest: str, generation: str = "g1") -> None:
        self.views: Views = {}
        self.applied_through = -1
        self.digest = digest
        self.name = generation
        self.url = "fake:"
        self.on_write: Callable[[str], None] = lambda _: None
        """Called with `before` and `after`; what it raises, the write raises."""

    def info(self) -> IndexInfo:
        return IndexInfo(self.applied_through, self.digest, self.name, {}, {})

    def generations(self) -> Sequence[GenerationInfo]:
        return [GenerationInfo(self.name, self.digest, self.applied_through, 0, True, True, 0, 0)]

    def write(
        self,
        views: Iterable[View],
        *,
        applied_through: int,
        repair: bool = False,
        remove: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.on_write("before")
        for key in remove:
            self.views.pop(key, None)
        for view in views:
            key = view.view, view.uri
            present = self.views.get(key)
            if present is None or view.version > present.version or (repair and view.version == present.version):
                self.views[key] = view
            else:
                assert view.version < present.version or view == present, "equal version means equal bytes"
        self.applied_through = max(self.applied_through, applied_through)
        self.on_write("after")

    def generation(self, name: str) -> "FakeIndex":
        assert name == self.name
        return self

    def copy(self) -> "FakeIndex":
        other = copy(self)
        other.views = dict(self.views)
        return other

    def close(self) -> None:
        pass

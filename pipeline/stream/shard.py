"""One shard of a stream: a fold in two lanes, and its state on disk."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from assets.log.port import Log
from assets.model import Message
from denormalizer.fold import Fold, Shard, StoredAsset
from denormalizer.fragments import Payloads
from denormalizer.plan import Plan
from pipeline.stream.state import Header, StateStore


class StreamShard:
    """Messages in, views out, and a state that follows when it is told to."""

    def __init__(
        self, path: Path, header: Header, log: Log, plan: Plan, payloads: Payloads, applied_through: int
    ) -> None:
        self._store = StateStore(path, header)
        state = self._store.load(log)
        self.fold = Fold(plan, payloads, shard=Shard(header.shard, header.shards), contiguous=log.contiguous)
        self.fold.resume(state.assets, state.watermark, applied_through)
        self._unsaved: dict[str, list[Message]] = {}
        self._last: Message | None = None

    def apply(self, messages: Iterable[Message]) -> int:
        """Take messages in; returns how many. Those before its watermark must not be among them."""
        before = self.fold.watermark
        count = 0

        def noted() -> Iterator[Message]:
            nonlocal count
            for message in messages:
                self._unsaved.setdefault(message.uri, []).append(message)
                self._last = message
                count += 1
                yield message

        self.fold.apply(noted())
        assert self._last is None or self.fold.watermark == self._last.offset > before or count == 0
        return count

    def heal(self, message: Message) -> bool:
        """Try a message again that could not be read; whether it can be now."""
        healed = self.fold.heal(message)
        if healed:
            self._unsaved.setdefault(message.uri, []).append(message)
        return healed

    def save(self) -> None:
        """Bring the state on disk up to what was applied and emitted."""
        if self._last is not None or self._unsaved:
            self._store.save(self._changed(), self._last)
            self._unsaved.clear()
            self._last = None

    def close(self) -> None:
        """Close the state; what is not saved is read from the log again."""
        self._store.close()

    def _changed(self) -> Iterator[StoredAsset]:
        for uri, messages in self._unsaved.items():
            stored = self.fold.stored(uri)
            # What can't be read changes nothing: what it stands in front of is in the state already.
            value = [message.value for message in messages if stored is not None and message.offset == stored[0]]
            if stored is not None and value:
                yield StoredAsset(uri, stored[0], value[0], stored[1])

"""What a batch job is told and what it answers, as plain values that any runner can carry."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from denormalizer.view import State


@dataclass(frozen=True)
class Block:
    """A block descriptor: fold messages 0 to `last` for one shard. It says what to read, and holds none of it."""

    shard: int
    shards: int
    last: int


class Workplace(NamedTuple):
    """The files of a job in its folder."""

    folder: str
    shards: int

    def part(self, shard: int, number: int = 0) -> Path:
        """The view records of a shard, as JSON Lines; of this number, where it has several parts."""
        return Path(self.folder) / f"part-{shard:05}-of-{self.shards:05}-{number:05}.jsonl"

    def letters(self, shard: int, number: int = 0) -> Path:
        """The dead letters of a shard's part, as JSON Lines."""
        return self.part(shard, number).with_suffix(".dead-letters.jsonl")

    def progress(self, shard: int) -> Path:
        """How far a shard is: the last offset it applied, then how many views it wrote."""
        return self.part(shard).with_suffix(".progress")

    def checkpoint(self, shard: int) -> Path:
        """What a shard has done for good."""
        return self.part(shard).with_suffix(".checkpoint.json")

    def indexed(self) -> Path:
        """How many parts are in the generation."""
        return Path(self.folder) / "indexed.progress"

    def manifest(self) -> Path:
        """What the job says of itself when it is done."""
        return Path(self.folder) / "manifest.json"


@dataclass(frozen=True)
class Job:
    """One batch job. Paths and URLs are absolute: workers have folders of their own."""

    id: str
    log: str
    index: str
    catalog: Mapping[str, str]
    """The catalog's files: path inside the catalog to text."""
    last: int
    """The last offset to read: the watermark of everything that the job makes."""
    shards: int
    folder: str
    """Where shards leave their parts."""
    dead_letters: str
    """The file that keeps what could not be processed."""
    processes: bool = False
    """Whether each shard is folded in a process of its own."""
    generation: str = ""
    """The unfinished generation of the index to fill; empty: the index is replaced whole."""
    part_views_max: int = 0
    """Views after which a shard begins another part, so that it can go on behind it when it was killed; 0: never."""
    memory: int = 0
    """Bytes that each shard's fold may take, as far as payloads can be put into a file instead; 0: any."""

    @property
    def place(self) -> Workplace:
        """Where its files are."""
        return Workplace(self.folder, self.shards)

    def to_dict(self) -> dict[str, Any]:
        """As plain values; the inverse is `Job(**...)`."""
        return asdict(self)


@dataclass(frozen=True)
class ShardResult:
    """What one shard did."""

    shard: int
    messages: int
    """Read from the log."""
    views: dict[str, dict[State, int]]
    """Written, by view and state."""
    bytes: int
    """Of its parts."""
    dead_letters: int
    bounded: int
    """Views that were cut short at a bound."""
    parts: int = 1

    def total(self, state: State) -> int:
        """Views of all kinds in a state."""
        return sum(states[state] for states in self.views.values())


@dataclass(frozen=True)
class Manifest:
    """What a finished job did: every shard's result, checked against what was asked."""

    job: str
    last: int
    shards: list[ShardResult] = field(default_factory=list[ShardResult])

    def views(self) -> dict[str, dict[State, int]]:
        """Written by all shards, by view and state."""
        views: dict[str, dict[State, int]] = {}
        for shard in self.shards:
            for view, states in shard.views.items():
                sums = views.setdefault(view, {"live": 0, "gone": 0})
                for state, count in states.items():
                    sums[state] += count
        return views

    def messages(self) -> int:
        """Messages of the log: each shard reads all of them."""
        return max((shard.messages for shard in self.shards), default=0)

    def total(self, state: State) -> int:
        """Views of all kinds in a state."""
        return sum(shard.total(state) for shard in self.shards)

    def bytes(self) -> int:
        """Of all parts."""
        return sum(shard.bytes for shard in self.shards)

    def dead_letters(self) -> int:
        """Messages that could not be processed."""
        return sum(shard.dead_letters for shard in self.shards)

    def bounded(self) -> int:
        """Views that were cut short at a bound."""
        return sum(shard.bounded for shard in self.shards)

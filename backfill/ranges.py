"""Documents dealt into ranges, each with a count and a digest: two sides are compared without keeping either."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final
from zlib import crc32

from denormalizer.view import View

RANGES: Final = 1_024
"""Parts that the documents are dealt into. One that differs is compared document by document."""

COMPARED_MAX: Final = 250_000
"""Documents kept in memory at a time when they are compared one by one, a few hundred bytes of each; when more are to be
compared, the index is read through again for each so many."""

_DIGESTS: Final = 1 << 256


class Side:
    """The documents of one side, added up. Their order does not matter, and two that are equal do not cancel out."""

    def __init__(self) -> None:
        self.counts = [0] * RANGES
        self.digests = [0] * RANGES

    def add(self, view: View) -> None:
        """Take one document in."""
        number = range_of(view.view, view.uri)
        self.counts[number] += 1
        digest = int.from_bytes(blake2b(view.to_line(), digest_size=32).digest(), "little")
        self.digests[number] = (self.digests[number] + digest) % _DIGESTS

    def different(self, other: "Side") -> list[int]:
        """The ranges in which two sides differ."""
        pairs = zip(self.counts, self.digests, other.counts, other.digests, strict=True)
        return [number for number, (count, digest, *others) in enumerate(pairs) if [count, digest] != others]

    def portions(self, other: "Side", numbers: Iterable[int]) -> Iterator[frozenset[int]]:
        """Ranges, so many together as may be compared at a time."""
        portion: set[int] = set()
        documents = 0
        for number in numbers:
            size = max(self.counts[number], other.counts[number])
            if portion and documents + size > COMPARED_MAX:
                yield frozenset(portion)
                portion.clear()
                documents = 0
            portion.add(number)
            documents += size
        if portion:
            yield frozenset(portion)


def range_of(view: str, uri: str) -> int:
    """The range that a document falls into."""
    return crc32(f"{view} {uri}".encode()) % RANGES

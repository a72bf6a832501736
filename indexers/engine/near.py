"""Slips of the keyboard: which words are near enough to one that was typed."""

from typing import Final, NamedTuple

from rapidfuzz.distance import OSA

from indexers.limits import NEAR_LETTERS

SLIPS_MAX: Final = len(NEAR_LETTERS)


class Near(NamedTuple):
    """A folded word as it was typed, and how many slips it may have."""

    word: str
    slips: int

    def distance(self, word: str) -> int | None:
        """The slips between it and a word of a document: letters wrong, missing, too many, or changed with their
        neighbour (the engine's own measure, optimal string alignment); None where there are too many.
        """
        found = OSA.distance(self.word, word, score_cutoff=self.slips)
        return found if found <= self.slips else None

    def is_like(self, word: str) -> bool:
        """Whether a word of a document has few enough slips."""
        return self.distance(word) is not None


def near(word: str) -> Near | None:
    """What is near a folded word; None for one that must be as it is: a short one, or one with a digit."""
    slips = sum(len(word) >= letters for letters in NEAR_LETTERS)
    return Near(word, slips) if slips and not any(character.isnumeric() for character in word) else None

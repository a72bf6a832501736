"""Words that could have been meant, taken from documents in which all that was typed is, with slips."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from indexers.engine.fields import Analyzers
from indexers.engine.matching import Slip
from indexers.port import Correction

Text = Mapping[str, Sequence[str]]


def corrections(
    documents: Iterable[Text], slips: Sequence[Slip], count: Callable[[str], int], analyzers: Analyzers
) -> Sequence[Correction]:
    """The words of one of these documents in place of those typed: of the one with the fewest slips between them, and of
    several such of the one whose words more documents have, which `count` tells.

    All words come from one document, so that what is corrected finds it.
    """
    counted = cache(count)

    def cost(found: Sequence[tuple[int, Correction]]) -> tuple[int, int]:
        return sum(distance for distance, _ in found), -min(counted(correction.word) for _, correction in found)

    candidates = [found for text in documents if (found := _of_document(text, slips, counted, analyzers))]
    return [correction for _, correction in min(candidates, key=cost)] if candidates else ()


def _of_document(
    text: Text, slips: Sequence[Slip], count: Callable[[str], int], analyzers: Analyzers
) -> list[tuple[int, Correction]]:
    """Each typed word that is in this document only with slips, and how many."""
    strings = [string for strings in text.values() for string in strings]
    stems = {stem for string in strings for stem in analyzers.text.analyze(string)}
    words = {word for string in strings for word in analyzers.words.analyze(string)}
    found: list[tuple[int, Correction]] = []
    for slip in slips:
        if slip.tokens[0] not in stems:
            near = [(distance, word) for word in words if (distance := slip.near.distance(word)) is not None]
            if near:
                distance, word = min(near, key=lambda pair: (pair[0], -count(pair[1]), pair[1]))
                found.append((distance, Correction(slip.match, word)))
    return found

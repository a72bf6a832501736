"""Which assets of the generated history exist when, and how they hang together: integers only, nothing is looked up.

The tags and bylines that exist when article n is published are a function of n, growing with its square root as
vocabularies do (Heaps' law). A reference prefers low numbers (Zipf's law), which makes the early ones hubs.
"""

from math import isqrt
from typing import Final

OPENING_TAGS: Final = 4
OPENING_BYLINES: Final = 4

TONES: Final = 8
"""How many tones there are; the tags in their place are series after that."""

_TAG_TYPES: Final = (
    "subject", "place", "person", "organization", "subject", "person", "place", "subject",
    "organization", "subject", "creative_work", "place", "person", "subject", "organization", "series",
)  # fmt: skip
# For each place in the round of sixteen: the type, how many of its type come before it, and how many there are in all.
_ROUND: Final = tuple((kind, _TAG_TYPES[:at].count(kind), _TAG_TYPES.count(kind)) for at, kind in enumerate(_TAG_TYPES))
# Where the tags of a type stand in the round.
_PLACES: Final = {kind: [at for at, other in enumerate(_TAG_TYPES) if other == kind] for kind in _TAG_TYPES}
_TREE_TYPES: Final = frozenset({"subject", "place", "organization"})
TREE_SIZE: Final = 8
SECTIONS: Final = 10
# Each type begins at another section, so that the first tags, the greatest hubs, are not all of one.
_FIRST_SECTION: Final = {kind: 3 * at % SECTIONS for at, kind in enumerate((*_PLACES, "tone"))}


def tags_at(article: int) -> int:
    """How many tags exist once that article is published."""
    return OPENING_TAGS + isqrt(36 * article)


def bylines_at(article: int) -> int:
    """How many bylines exist once that article is published."""
    return OPENING_BYLINES + isqrt(4 * article)


def hub(count: int, pick: int) -> int:
    """One of `count` numbers by Zipf's law: each power of two is as likely as the next, so 0 is the likeliest number.

    `pick` is any number of 32 bits. Integers only, so that every machine picks alike.
    """
    width = pick % count.bit_length()
    return ((1 << width) - 1 + ((pick >> 8) & ((1 << width) - 1))) % count


def is_photographer(byline: int) -> bool:
    """Every fourth byline takes pictures, the first one too; the others write."""
    return byline % 4 == 0


def tag_section(tag: int) -> int:
    """The section of a tag, by its place in the vocabulary. It is also that of stories mainly about the tag."""
    kind, index = tag_place(tag)
    return (index + _FIRST_SECTION[kind]) % SECTIONS


def writer(bylines: int, pick: int) -> int:
    """One of the first `bylines` bylines that writes."""
    at = hub(bylines - (bylines + 3) // 4, pick)
    return at + at // 3 + 1


def photographer(bylines: int, pick: int) -> int:
    """One of the first `bylines` bylines that takes pictures."""
    return 4 * hub((bylines + 3) // 4, pick)


def tag_place(number: int) -> tuple[str, int]:
    """The type of a tag, and how many tags of its type came before."""
    turn, at = divmod(number, len(_ROUND))
    kind, before, of_kind = _ROUND[at]
    if kind == "series" and turn < TONES:
        return "tone", turn
    return kind, turn * of_kind + before


def tag_parent(kind: str, index: int) -> int | None:
    """The parent of a tag: in each section, eight tags of a type are a binary tree, four deep at the most."""
    if kind not in _TREE_TYPES:
        return None
    tree, member = divmod(index // SECTIONS, TREE_SIZE)
    if member == 0:
        return None
    parent = (tree * TREE_SIZE + (member - 1) // 2) * SECTIONS + index % SECTIONS
    places = _PLACES[kind]
    turn, at = divmod(parent, len(places))
    return turn * len(_ROUND) + places[at]

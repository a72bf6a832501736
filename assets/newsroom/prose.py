"""Invented newspaper prose out of the words in vocabulary.toml: headlines, paragraphs and names, chosen by bytes.

Every list of phrases is repeated to 256 entries, so that one byte picks one phrase: a paragraph costs about a microsecond,
and the same bytes make the same words on every machine.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypedDict, cast

_VOCABULARY: Final = Path(__file__).with_name("vocabulary.toml")

PARAGRAPH_BYTES: Final = 8
"""How many bytes one paragraph uses up."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the paper with its way of talking; every tuple but the topics has 256 entries.

    Things, claims, openings and headlines of the same number are about the same thing.
    """

    name: str
    slug: str
    desk: str
    pillar: str
    topics: tuple[str, ...]
    subsections: tuple[str, ...]
    things: tuple[str, ...]
    claims: tuple[str, ...]
    openings: tuple[str, ...]
    """The claims again, with a capital letter."""
    headlines: tuple[str, ...]
    """The claims again, with a capital letter and without their article."""
    roles: tuple[str, ...]
    thing_count: int

    def next_claim(self, claim: int) -> int:
        """The number of another claim about the same thing."""
        following = claim + self.thing_count
        return following if following < len(self.claims) else claim % self.thing_count


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All the words; every tuple but the sections has 256 entries."""

    sections: tuple[Section, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    place_prefixes: tuple[str, ...]
    place_roots: tuple[str, ...]
    bodies: tuple[str, ...]
    work_adjectives: tuple[str, ...]
    work_nouns: tuple[str, ...]
    series: tuple[str, ...]
    tones: tuple[str, ...]
    aspects: tuple[str, ...]
    titles: tuple[str, ...]
    sources: tuple[str, ...]
    materials: tuple[str, ...]
    kickers: tuple[str, ...]
    when: tuple[str, ...]
    asides: tuple[str, ...]
    documents: tuple[str, ...]
    quotes: tuple[str, ...]
    endings: tuple[str, ...]
    corrections: tuple[str, ...]
    shots: tuple[str, ...]
    moments: tuple[str, ...]
    picture_sources: tuple[str, ...]

    def headline(self, section: Section, claim: int, style: int) -> str:
        """A headline that says the section's claim of that number, in one of several manners."""
        manner = style & 7
        if manner == 0:
            return f"Why {section.claims[claim]}"
        if manner == 1:
            return f"{self.place_roots[style]}: {section.headlines[claim]}"
        if manner == 2:
            return f"{section.headlines[claim]}, {self.asides[style]}"
        return section.headlines[claim]

    def paragraph(self, section: Section, picks: bytes, at: int) -> str:
        """Two or three sentences, chosen by the PARAGRAPH_BYTES bytes of `picks` from `at` on."""
        a, b, c, d, e, f, g, manner = picks[at : at + PARAGRAPH_BYTES]
        manner &= 3
        if manner == 0:
            return (
                f"{self.when[a]}, {section.roles[b]} said {section.claims[c]}, {self.asides[d]}. "
                f"“{self.quotes[e]},” said {self.first_names[f]} {self.last_names[g]}."
            )
        if manner == 1:
            return (
                f"“{self.quotes[a]},” said {self.first_names[b]} {self.last_names[c]}, {section.roles[d]}. "
                f"{section.openings[e]}, according to {self.documents[f]}. {self.endings[g]}"
            )
        if manner == 2:
            return (
                f"{section.openings[a]}, {self.asides[b]}. {self.when[c]}, {section.roles[d]} went further: "
                f"“{self.quotes[e]}.” {self.endings[f]}"
            )
        return (
            f"{self.when[a]}, {section.roles[b]} declined to comment. According to {self.documents[c]}, "
            f"{section.claims[d]}, and {section.claims[e]}. {self.endings[f]}"
        )


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary, read once a process."""
    words = tomllib.loads(_VOCABULARY.read_text("utf-8"))
    sections = cast("list[_SectionWords]", words.pop("sections"))
    lists = cast("dict[str, list[str]]", words)
    return Vocabulary(
        sections=tuple(_section(section) for section in sections),
        **{name: _repeated(phrases) for name, phrases in lists.items()},
    )


class _SectionWords(TypedDict):
    name: str
    desk: str
    pillar: str
    subsections: list[str]
    topics: list[str]
    things: list[str]
    outcomes: list[str]
    roles: list[str]


def _section(words: _SectionWords) -> Section:
    # Steps through things and outcomes at once. 12 and 10 of them make 60 claims before one comes again; then it shifts.
    things, outcomes = words["things"], words["outcomes"]
    claims = tuple(f"{things[i % len(things)]} {outcomes[(i + i // 60) % len(outcomes)]}" for i in range(256))
    return Section(
        name=words["name"],
        slug=words["name"].lower(),
        desk=words["desk"],
        pillar=words["pillar"],
        topics=tuple(words["topics"]),
        subsections=_repeated(words["subsections"]),
        things=_repeated(things),
        claims=claims,
        openings=tuple(_capital(claim) for claim in claims),
        headlines=tuple(_capital(claim.removeprefix("the ")) for claim in claims),
        roles=_repeated(words["roles"]),
        thing_count=len(things),
    )


def _repeated(phrases: Sequence[str]) -> tuple[str, ...]:
    return tuple(phrases[i % len(phrases)] for i in range(256))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]

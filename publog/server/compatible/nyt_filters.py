"""Conditions of `fq` as the index is asked: which search paths of the catalog a field means, and what kind of value it has."""

from typing import Final

from indexers.dates import parse_range
from indexers.errors import InvalidQuery
from indexers.query import All, AnyOf, Dated, Exact, Expression, Match
from publog.server.compatible.boolean import to_query
from publog.server.compatible.fq import Filter, Present, Span, Term, parse_fq
from publog.server.compatible.serving import Served, Shelf
from publog.server.compatible.templates import slug
from publog.server.limits import TAGS_MEANT_MAX

_TAGS: Final = ("subject", "persons", "organizations", "glocations", "creative_works")
_TEXTS: Final = ("headline", "body", "byline")
ALIASES: Final = {
    "headline.search": "headline",
    "body.search": "body",
    "desk": "news_desk",
    "newsdesk": "news_desk",
    "section.name": "section_name",
    "subsection.name": "subsection_name",
    "typeOfMaterials": "type_of_material",
    "glocation": "glocations",
    "timesTag.subject": "subject",
    "timesTag.person": "persons",
    "timesTag.organization": "organizations",
    "timesTag.location": "glocations",
    "timesTag.creative_work": "creative_works",
}
"""Other names that clients know a field by."""

_CONTAINS: Final = ".contains"
_NUMBER_DIGITS_MAX: Final = 18


def filtered(nyt: Served, stories: Shelf, text: str) -> Expression | None:
    """What a filter asks of the stories; None where it is blank.

    Raises:
        InvalidQuery: with the character where it goes wrong.
    """
    condition = parse_fq(text)
    return None if condition is None else to_query(condition, lambda leaf: _leaf(nyt, stories, leaf))


def _leaf(nyt: Served, stories: Shelf, leaf: Filter) -> Expression:
    """What one condition of fq asks of the index."""
    field = leaf.field
    if field is None:
        assert isinstance(leaf, Term)
        return Match(leaf.text)
    contains = field.endswith(_CONTAINS)
    name = field.removesuffix(_CONTAINS)
    name = ALIASES.get(name, name)
    if name == "pub_date":
        return _dated(leaf)
    if name in _TAGS:
        return _tagged(nyt, stories, name, leaf, contains=contains)
    if not stories.has(name) or name == "tags":
        known = sorted({*stories.collection.search, *_TAGS, "pub_date"} - {"tags"})
        raise InvalidQuery(f"There is no field {field[:100]!r} to filter by", f"Use {', '.join(known)}", leaf.position)
    match leaf:
        case Present():
            return stories.present(name)
        case Span():
            first = _number(leaf.first, leaf, 0 if leaf.with_first else 1)
            last = _number(leaf.last, leaf, 0 if leaf.with_last else -1)
            return stories.between(name, first, last)
        case Term():
            if name in _TEXTS:
                return stories.words(name, leaf.text)
            if contains:
                return _containing(stories, name, leaf.text)
            return stories.value(name, leaf.text)


def _number(text: str | None, span: Span, inwards: int) -> int | None:
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _NUMBER_DIGITS_MAX):
        raise InvalidQuery(f"{text[:100]!r} is no whole number", f"Write {span.field}:[1 TO 100]", span.position)
    return int(text) + inwards


def _dated(leaf: Filter) -> Expression:
    if isinstance(leaf, Present):
        return Dated(None, None)

    def period(text: str) -> tuple[int | None, int | None]:
        try:
            if ".." in text:
                raise ValueError(text)
            return parse_range(text)
        except ValueError:
            raise InvalidQuery(f"{text[:100]!r} is no date", "Write 2026-03-13 or a timestamp", leaf.position) from None

    if isinstance(leaf, Term):
        return Dated(*period(leaf.text))
    since = None if leaf.first is None else period(leaf.first)[0 if leaf.with_first else 1]
    until = None if leaf.last is None else period(leaf.last)[1 if leaf.with_last else 0]
    return Dated(since, until)


def _containing(stories: Shelf, name: str, text: str) -> Expression:
    """The field has a value with these words in it."""
    wanted = set(slug(text).split("-"))
    matching = [value for value, _ in stories.values(name) if wanted <= set(slug(value).split("-"))]
    return AnyOf(tuple(Exact(path, value) for value in matching for path in stories.paths(name)))


def _tagged(nyt: Served, stories: Shelf, name: str, leaf: Filter, *, contains: bool) -> Expression:
    """The story has a tag of this sort."""
    tags = nyt.shelf("tags")
    types = [
        AnyOf(tuple(tags.value("type", type_) for type_, called in tags.collection.types.items() if called == name))
    ]
    match leaf:
        case Span():
            raise InvalidQuery(f"{name} is in no order", f'Write {name}:("A" "B")', leaf.position)
        case Present():
            found = tags.all(types[0], TAGS_MEANT_MAX)
        case Term():
            # The exact name is one that has these words, side by side, and nothing else.
            named = (
                [tags.words("name", word) for word in leaf.text.split() or [""]]
                if contains
                else [tags.words("name", leaf.text)]
            )
            found = tags.all(All((*types, *named)), TAGS_MEANT_MAX)
    uris = [hit.uri for hit in found if not isinstance(leaf, Term) or contains or tags.show("name", hit) == leaf.text]
    return AnyOf(tuple(Exact(path, uri) for uri in uris for path in stories.paths("tags")))

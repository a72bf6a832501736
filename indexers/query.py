"""The query language: what a person types into a search box, as a typed expression.

    word                    every word must be there, in any text field, in any of its grammatical forms
    "two words"             side by side, in this order
    a OR b, a b, (a OR b) c one or the other; AND may be written and is meant between any two words
    -word, NOT word         not there
    field:word field:"..."  in this text field, or exactly this value of a facet
    date:2020..2021-06      by the document's date; also date:2020-03-05, date:>=2020, date:<2021-06-01T12:00:00Z

Everything else a keyboard has (`*`, `/`, `{`, `~`, ...) only separates words: no engine's syntax goes through.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from indexers.dates import parse_range
from indexers.errors import InvalidQuery
from indexers.limits import QUERY_CHARACTERS_MAX, QUERY_CLAUSES_MAX, QUERY_DEPTH_MAX

DATE_FIELD: Final = "date"
"""The field name that means the document's date, whatever the catalog calls it."""


@dataclass(frozen=True)
class Match:
    """Words to find side by side (often just one); `field` None: in any text field."""

    words: str
    field: str | None = None
    position: int = dataclasses.field(default=0, compare=False, repr=False)
    quoted: bool = False
    """Typed in quotes: meant to the letter, so no search puts up with a slip in it."""


@dataclass(frozen=True)
class Dated:
    """The document's date lies in [since, until), in seconds."""

    since: int | None
    until: int | None


@dataclass(frozen=True)
class Exact:
    """The document has exactly this value of a facet."""

    field: str
    value: str


@dataclass(frozen=True)
class Exists:
    """The document has some value of a facet."""

    field: str


@dataclass(frozen=True)
class Between:
    """The document has a value of a facet of whole numbers or times that lies in [first, last]; None: open there.

    A time is its second since 1970-01-01T00:00:00Z.
    """

    field: str
    first: int | None
    last: int | None


@dataclass(frozen=True)
class Not:
    """What the part does not hold for."""

    part: "Expression"


@dataclass(frozen=True)
class All:
    """What every part holds for."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True)
class AnyOf:
    """What at least one part holds for."""

    parts: tuple["Expression", ...]


Expression = Match | Dated | Exact | Exists | Between | Not | All | AnyOf


def parse(text: str) -> Expression | None:
    """The expression in a query's text; None, which means everything, when it is blank.

    Raises:
        InvalidQuery: with the character where it goes wrong.
    """
    if len(text) > QUERY_CHARACTERS_MAX:
        raise InvalidQuery(
            f"The query has {len(text)} characters",
            f"Use at most {QUERY_CHARACTERS_MAX}",
            QUERY_CHARACTERS_MAX,
        )
    blank = typable(text)
    if not blank.strip():
        return None
    tokens = _tokens(blank)
    if not tokens:
        raise InvalidQuery("The query holds no letter or digit", "Type a word to look for", 0)
    return _Parser(tokens, len(text)).parse()


def typable(text: str) -> str:
    """A text with spaces for what no document's text holds: control characters and lone surrogates."""
    return _UNTYPABLE.sub(" ", text)


def replace(text: str, words: Iterable[tuple[Match, str]]) -> str:
    """A query's text with words that were parsed out of it replaced by others."""
    for match, word in sorted(words, key=lambda pair: pair[0].position, reverse=True):
        text = text[: match.position] + word + text[match.position + len(match.words) :]
    return text


class _Token(NamedTuple):
    kind: str
    """A bracket, OR, AND, NOT or `part`."""
    position: int
    part: Match | Dated | None = None


_UNTYPABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_QUOTES: Final = '"“”„'
_LEXEME: Final = re.compile(
    rf"""\s*(?:
        (?P<bracket>[()])
      | (?P<minus>-)(?=[^\s)\-])
      | (?:(?P<field>[A-Za-z_][A-Za-z0-9_\-]*(?:\.[A-Za-z_][A-Za-z0-9_\-]*)*):(?=[^\W_]|-[0-9]|[<>={_QUOTES}(.]))?
        (?:(?P<quote>[{_QUOTES}])(?P<phrase>[^{_QUOTES}]*)(?P<closed>[{_QUOTES}])? | (?P<word>[^\s(){_QUOTES}]*))
    )""",
    re.VERBOSE,
)


def _tokens(text: str) -> list[_Token]:
    """The query's tokens; what has neither letter nor digit is left out, as it is when documents are read."""
    tokens: list[_Token] = []
    clauses = 0
    end = 0
    while text[end:].strip():
        match = _LEXEME.match(text, end)
        assert match is not None, "every character begins some token"
        assert match.end() > end, "every token has a character"
        kind = match.lastgroup
        assert kind is not None
        position = match.start("field" if match["field"] else "quote" if match["quote"] else kind)
        end = match.end()
        if match["bracket"]:
            tokens.append(_Token(match["bracket"], position))
        elif match["minus"]:
            tokens.append(_Token("NOT", position))
        elif not match["field"] and match["word"] in {"OR", "AND", "NOT"}:
            tokens.append(_Token(match["word"], position))
        else:
            part = _part(match, position)
            clauses += 1
            if clauses > QUERY_CLAUSES_MAX:
                raise InvalidQuery(
                    f"The query has more than {QUERY_CLAUSES_MAX} words and phrases", "Use fewer", position
                )
            if part is not None:
                tokens.append(_Token("part", position, part))
            elif tokens and tokens[-1].kind == "NOT":
                raise InvalidQuery("There is nothing to leave out", "Put a word behind - or NOT", tokens[-1].position)
    return tokens


def _part(match: re.Match[str], position: int) -> Match | Dated | None:
    field: str | None = match["field"]
    if match["quote"] and not match["closed"]:
        raise InvalidQuery("A quotation mark is never closed", "Close it, or leave it out", match.start("quote"))
    quoted = match["quote"] is not None
    words: str = match["phrase"] if quoted else match["word"]
    if field == DATE_FIELD:
        try:
            return Dated(*parse_range(words.strip()))
        except ValueError:
            raise InvalidQuery(
                f"{words[:100]!r} is no date or range of dates",
                "Write date:2020, date:2020-03..2021-06 or date:>=2020-03-05",
                position,
            ) from None
    if field is not None:
        if not words and not match["quote"]:
            raise InvalidQuery(f"{field}: takes one word or one phrase", f"Write ({field}:A OR {field}:B)", position)
        if not match["quote"] and words[0] in "<>=":
            raise InvalidQuery("Only date takes a comparison", f"Write {field}:VALUE", position)
        return Match(words, field, position, quoted)
    return Match(words, None, position, quoted) if any(character.isalnum() for character in words) else None


class _Parser:
    """Recursive descent; OR binds weaker than standing side by side, NOT stronger."""

    def __init__(self, tokens: Sequence[_Token], end: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._end = end

    def parse(self) -> Expression:
        expression = self._any(0)
        token = self._peek()
        if token is not None:
            raise InvalidQuery("A bracket closes that was never opened", "Leave it out", token.position)
        return expression

    def _any(self, depth: int) -> Expression:
        parts = [self._all(depth)]
        while self._accept("OR"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self, depth: int) -> Expression:
        parts = [self._one(depth)]
        while True:
            self._accept("AND")
            token = self._peek()
            behind_and = self._next > 0 and self._tokens[self._next - 1].kind == "AND"
            if not behind_and and (token is None or token.kind in {"OR", ")"}):
                return parts[0] if len(parts) == 1 else All(tuple(parts))
            parts.append(self._one(depth))

    def _one(self, depth: int) -> Expression:
        token = self._peek()
        if token is not None and depth > QUERY_DEPTH_MAX:
            raise InvalidQuery(f"Brackets are more than {QUERY_DEPTH_MAX} deep", "Write it with fewer", token.position)
        if token is None or token.kind in {")", "OR", "AND"}:
            raise self._missing()
        self._next += 1
        if token.kind == "NOT":
            return Not(self._one(depth + 1))
        if token.part is not None:
            return token.part
        expression = self._any(depth + 1)
        if not self._accept(")"):
            raise InvalidQuery("A bracket is never closed", "Close it, or leave it out", token.position)
        return expression

    def _missing(self) -> InvalidQuery:
        before = self._tokens[self._next - 1] if self._next else None
        if before is None or before.kind == "part":
            return InvalidQuery(
                "There is nothing in front of this", "Put a word there, or write it in quotes", self._position()
            )
        if before.kind == "(":
            return InvalidQuery("There is nothing between the brackets", "Leave them out", before.position)
        return InvalidQuery(
            f"There is nothing behind {before.kind}", "Put a word there, or write it in quotes", before.position
        )

    def _position(self) -> int:
        token = self._peek()
        return self._end if token is None else token.position

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _accept(self, kind: str) -> bool:
        token = self._peek()
        if token is None or token.kind != kind:
            return False
        self._next += 1
        return True

"""The filter language of the New York Times' Article Search, `fq`: a part of Lucene's, as typed conditions.

    section_name:"Arts"                 the field has this value
    section_name:("Arts" "City")        one of these: what stands side by side, anywhere, is joined by OR
    a AND b, a OR b, NOT a, !a, -a, (a b) AND c; && and || as well
    word_count:[100 TO 500}             from 100 on and below 500; * is open
    _exists_:kicker, kicker:*           the field has some value
    words                               without a field: somewhere in the text

A backslash takes the meaning of the character behind it. Wildcards inside words, boosts and fuzziness are not there.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from indexers.errors import InvalidQuery
from indexers.limits import QUERY_CHARACTERS_MAX, QUERY_CLAUSES_MAX, QUERY_DEPTH_MAX
from publog.server.compatible.boolean import Condition, Every, Leaf, Negated, Some


class Term(NamedTuple):
    """A value of a field; without one, words of the text."""

    field: str | None
    text: str
    position: int = 0


class Span(NamedTuple):
    """Values of a field from one to another; None: open there."""

    field: str
    first: str | None
    last: str | None
    with_first: bool
    with_last: bool
    position: int = 0


class Present(NamedTuple):
    """Some value of a field."""

    field: str
    position: int = 0


Filter = Term | Span | Present

EXISTS: Final = "_exists_"

_LEXEME: Final = re.compile(
    r"""\s*(?:
        (?P<bracket>[()])
      | (?P<not>[!-])
      | (?P<and>&&)
      | (?P<or>\|\|)
      | (?P<field>[A-Za-z_][A-Za-z0-9_.]*)\s*:(?!\s*\Z)
      | (?P<open>[\[{])\s*(?P<first>"[^"]*"|[^\s\]}]+)\s+TO\s+(?P<last>"[^"]*"|[^\s\]}]+)\s*(?P<close>[\]}])
      | "(?P<phrase>(?:[^"\\]|\\.)*)"
      | (?P<word>(?:[^\s()\[\]{}":!\\]|\\.)(?:[^\s()\[\]{}":\\]|\\.)*)
    )\s*""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_UNTYPABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class _Token(NamedTuple):
    kind: str
    position: int
    match: re.Match[str]


def parse_fq(text: str) -> Condition[Filter] | None:
    """The filter in a text; None, which filters nothing, when it is blank.

    Raises:
        InvalidQuery: with the character where it goes wrong.
    """
    if len(text) > QUERY_CHARACTERS_MAX:
        raise InvalidQuery(f"The filter has {len(text)} characters", f"Use at most {QUERY_CHARACTERS_MAX}")
    blank = _UNTYPABLE.sub(" ", text)
    return _Parser(_tokens(blank), len(text)).parse() if blank.strip() else None


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _LEXEME.match(text, at)
        if match is None:
            raise InvalidQuery(
                "This can't be read",
                "Close quotes and brackets, write ranges as [A TO B], and put values into quotes",
                at,
            )
        kind = next(
            name
            for name in ("bracket", "not", "and", "or", "field", "open", "phrase", "word")
            if match[name] is not None
        )
        word = match["word"]
        if word in ("AND", "OR", "NOT"):
            kind = word.lower()
        elif kind == "bracket":
            kind = match["bracket"]
        tokens.append(
            _Token(kind, match.start(kind if kind in match.groupdict() else "word" if word else "bracket"), match)
        )
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent; OR, written or not, binds weaker than AND."""

    def __init__(self, tokens: Sequence[_Token], end: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._end = end
        self._clauses = 0

    def parse(self) -> Condition[Filter]:
        condition = self._some(None, 0)
        if self._kind() is not None:
            raise self._wrong("A bracket closes that was never opened", "Leave it out")
        return condition

    def _some(self, field: str | None, depth: int) -> Condition[Filter]:
        parts = [self._every(field, depth)]
        while True:
            if self._accept("or"):
                parts.append(self._every(field, depth))
            elif self._kind() in (None, ")"):
                return parts[0] if len(parts) == 1 else Some(tuple(parts))
            else:
                parts.append(self._every(field, depth))

    def _every(self, field: str | None, depth: int) -> Condition[Filter]:
        parts = [self._one(field, depth)]
        while self._accept("and"):
            parts.append(self._one(field, depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self, field: str | None, depth: int) -> Condition[Filter]:
        if depth > QUERY_DEPTH_MAX:
            raise self._wrong(f"Brackets are more than {QUERY_DEPTH_MAX} deep", "Write it with fewer")
        token = self._tokens[self._next] if self._next < len(self._tokens) else None
        if token is None or token.kind in (")", "and", "or"):
            raise self._wrong("Something is missing", "Put a value there, or write the word in quotes")
        self._next += 1
        match token.kind:
            case "not":
                return Negated(self._one(field, depth + 1))
            case "(":
                condition = self._some(field, depth + 1)
                if not self._accept(")"):
                    raise self._wrong("A bracket is never closed", "Close it")
                return condition
            case "field":
                if field is not None:
                    raise InvalidQuery("A field stands inside another's brackets", "Close them first", token.position)
                return self._one(token.match["field"], depth + 1)
            case _:
                return Leaf(self._leaf(field, token))

    def _leaf(self, field: str | None, token: _Token) -> Filter:
        self._clauses += 1
        if self._clauses > QUERY_CLAUSES_MAX:
            raise InvalidQuery(f"The filter has more than {QUERY_CLAUSES_MAX} values", "Use fewer", token.position)
        found = token.match
        if token.kind == "open":
            if field is None:
                raise InvalidQuery("A range has no field", "Write FIELD:[A TO B]", token.position)
            first, last = _end_of(found["first"]), _end_of(found["last"])
            return Span(field, first, last, found["open"] == "[", found["close"] == "]", token.position)
        if token.kind == "phrase":
            text = _ESCAPE.sub(r"\1", found["phrase"])
        else:
            if field is not None and found["word"] == "*":
                return Present(field, token.position)
            plain = _ESCAPE.sub("", found["word"])
            if "*" in plain or "?" in plain:
                raise InvalidQuery(
                    "There are no wildcards", "Write the whole word, or put it into quotes", token.position
                )
            text = _ESCAPE.sub(r"\1", found["word"])
        return Present(text, token.position) if field == EXISTS else Term(field, text, token.position)

    def _kind(self) -> str | None:
        return self._tokens[self._next].kind if self._next < len(self._tokens) else None

    def _accept(self, kind: str) -> bool:
        if self._kind() != kind:
            return False
        self._next += 1
        return True

    def _wrong(self, problem: str, remedy: str) -> InvalidQuery:
        at = self._tokens[self._next].position if self._next < len(self._tokens) else self._end
        return InvalidQuery(problem, remedy, at)


def _end_of(text: str) -> str | None:
    return None if text == "*" else text.strip('"')

"""Conditions joined by and, or and not, whatever their leaves are; and the lists of them that the Guardian's API takes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from indexers.errors import InvalidQuery
from indexers.limits import QUERY_CHARACTERS_MAX, QUERY_CLAUSES_MAX, QUERY_DEPTH_MAX
from indexers.query import All, AnyOf, Expression, Not

T = TypeVar("T")


@dataclass(frozen=True)
class Leaf(Generic[T]):
    """What is no combination."""

    value: T


@dataclass(frozen=True)
class Negated(Generic[T]):
    """What the part does not hold for."""

    part: "Condition[T]"


@dataclass(frozen=True)
class Every(Generic[T]):
    """What every part holds for."""

    parts: "tuple[Condition[T], ...]"


@dataclass(frozen=True)
class Some(Generic[T]):
    """What at least one part holds for."""

    parts: "tuple[Condition[T], ...]"


Condition = Leaf[T] | Negated[T] | Every[T] | Some[T]


def to_query(condition: Condition[T], of_leaf: Callable[[T], Expression]) -> Expression:
    """The condition as an index is asked."""
    match condition:
        case Leaf():
            return of_leaf(condition.value)
        case Negated():
            return Not(to_query(condition.part, of_leaf))
        case Every():
            return All(tuple(to_query(part, of_leaf) for part in condition.parts))
        case Some():
            return AnyOf(tuple(to_query(part, of_leaf) for part in condition.parts))


def holds(condition: Condition[T], of_leaf: Callable[[T], bool]) -> bool:
    """Whether the condition holds where its leaves are known."""
    match condition:
        case Leaf():
            return of_leaf(condition.value)
        case Negated():
            return not holds(condition.part, of_leaf)
        case Every():
            return all(holds(part, of_leaf) for part in condition.parts)
        case Some():
            return any(holds(part, of_leaf) for part in condition.parts)


def parse_list(text: str) -> Condition[str]:
    """`a,b` is both, `a|b` one or the other, `-a` not, and brackets group; `,` binds closer than `|`.

    Raises:
        InvalidQuery: with the character where it goes wrong.
    """
    if len(text) > QUERY_CHARACTERS_MAX:
        raise InvalidQuery(f"The list has {len(text)} characters", f"Use at most {QUERY_CHARACTERS_MAX}")
    return _Lists(text).parse()


_SPACE: Final = re.compile(r"\s*")
_ITEM: Final = re.compile(r"[^,|()]+")


class _Lists:
    """Recursive descent."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._items = 0

    def parse(self) -> Condition[str]:
        condition = self._some(0)
        if self._at < len(self._text):
            raise self._wrong("Something stands behind the list", "Join items by , or |, and open every bracket")
        return condition

    def _some(self, depth: int) -> Condition[str]:
        parts = [self._every(depth)]
        while self._accept("|"):
            parts.append(self._every(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _every(self, depth: int) -> Condition[str]:
        parts = [self._one(depth)]
        while self._accept(","):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self, depth: int) -> Condition[str]:
        if depth > QUERY_DEPTH_MAX:
            raise self._wrong(f"Brackets are more than {QUERY_DEPTH_MAX} deep", "Write it with fewer")
        if self._accept("-"):
            return Negated(self._one(depth + 1))
        if self._accept("("):
            condition = self._some(depth + 1)
            if not self._accept(")"):
                raise self._wrong("A bracket is never closed", "Close it")
            return condition
        found = _ITEM.match(self._text, self._at)
        if found is None or not found[0].strip():
            raise self._wrong("An item is missing", "Put one there")
        self._items += 1
        if self._items > QUERY_CLAUSES_MAX:
            raise self._wrong(f"The list has more than {QUERY_CLAUSES_MAX} items", "Use fewer")
        self._at = found.end()
        return Leaf(found[0].strip())

    def _accept(self, mark: str) -> bool:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        if not self._text.startswith(mark, found.end()):
            return False
        self._at = found.end() + len(mark)
        return True

    def _wrong(self, problem: str, remedy: str) -> InvalidQuery:
        return InvalidQuery(problem, remedy, self._at)

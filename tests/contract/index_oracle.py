"""What searches must find, worked out from the records in plain Python, without the indexers' code but its expressions."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from hypothesis import strategies as st

from denormalizer.view import View
from indexers.query import All, AnyOf, Between, Exact, Exists, Expression, Not
from tests.contract.index_newsroom import SECTIONS, WORDS

Text = dict[str, list[list[str]]]
Test = Callable[["Fact"], bool]


_BARE = {word.lower(): bare for word, bare in WORDS.items()}


class Fact(NamedTuple):
    """A live view, taken apart by hand."""

    view: View
    text: Text
    """Path to the words of each string there."""
    facets: dict[str, list[str]]
    date: float | None


def facts(views: Iterable[View]) -> list[Fact]:
    return [_fact(view) for view in views if view.state == "live"]


def _fact(view: View) -> Fact:
    content = json.loads(view.content)
    if view.view == "topic":
        return Fact(view, {"name": [_words(content["name"])]}, {"name": [content["name"]]}, None)
    names = [tag["name"] for tag in content["tags"]]
    text = {
        "headline": [_words(content["headline"])],
        "body": [_words(block["text"]) for block in content["body"] if block["text"] is not None],
        "tags.name": [_words(name) for name in names],
    }
    facets = {
        "section": [] if content["section"] is None else [content["section"]],
        "priority": [] if content["priority"] is None else [str(content["priority"])],
        "breaking": ["true" if content["breaking"] else "false"],
        "tags.name": sorted(set(names)),
    }
    return Fact(view, text, facets, _seconds(content["published"]))


def _words(text: str) -> list[str]:
    return [_BARE.get(word.lower(), word.lower()) for word in re.findall(r"\w+", text)]


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


class Search(NamedTuple):
    """A search, as the index is asked and as the oracle tests a fact."""

    text: str
    test: Test
    view: str | None = None
    filters: tuple[tuple[str, str], ...] = ()

    def finds(self, fact: Fact, without: str | None = None) -> bool:
        """Whether it finds a live view; without the filters on one field, if so asked."""
        wanted: dict[str, set[str]] = {}
        for field, value in self.filters:
            if field != without:
                wanted.setdefault(field, set()).add(value)
        return (
            self.view in {None, fact.view.view}
            and self.test(fact)
            and all(values & set(fact.facets.get(field, [])) for field, values in wanted.items())
        )

    def facet(self, known: Sequence[Fact], field: str, size: int) -> list[tuple[str, int]]:
        """The field's values and how many documents have them."""
        counts = Counter(
            value for fact in known if self.finds(fact, without=field) for value in fact.facets.get(field, [])
        )
        return sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))[:size]


def _side_by_side(words: Sequence[str], path: str | None = None) -> Test:
    def test(fact: Fact) -> bool:
        strings = [string for name, held in fact.text.items() if path in {None, name} for string in held]
        return any(
            string[start : start + len(words)] == list(words) for string in strings for start in range(len(string))
        )

    return test


def _between(first: str, behind: str) -> Test:
    begin, end = _seconds(first), _seconds(behind)
    return lambda fact: fact.date is not None and begin <= int(fact.date // 1) < end  # type: ignore[operator]


_WORD = st.sampled_from(sorted(WORDS))
_LEAVES: st.SearchStrategy[tuple[str, Test]] = st.one_of(
    _WORD.map(lambda word: (word, _side_by_side([WORDS[word]]))),
    st.tuples(_WORD, _WORD).map(
        lambda pair: (f'"{pair[0]}, {pair[1]}"', _side_by_side([WORDS[pair[0]], WORDS[pair[1]]]))
    ),
    _WORD.map(lambda word: (f"headline:{word}", _side_by_side([WORDS[word]], "headline"))),
    _WORD.map(lambda word: (f"body:{word}", _side_by_side([WORDS[word]], "body"))),
    st.sampled_from(SECTIONS).map(
        lambda value: (f'section:"{value}"', lambda fact: value in fact.facets.get("section", []))
    ),
    st.sampled_from(("true", "false")).map(
        lambda value: (f"breaking:{value}", lambda fact: value in fact.facets.get("breaking", []))
    ),
    st.sampled_from(
        [
            ("date:2020", _between("2020-01-01", "2021-01-01")),
            ("date:2020-01-01", _between("2020-01-01", "2020-01-02")),
            ("date:2020..2021-12", _between("2020-01-01", "2022-01-01")),
            ("date:>2020-01-01T08:30:00Z", _between("2020-01-01T08:30:01Z", "9999-01-01")),
            ("date:<=2020-01-01T08:30:00Z", _between("0001-01-01", "2020-01-01T08:30:01Z")),
            ("date:<2000", _between("0001-01-01", "2000-01-01")),
        ]
    ),
)


def _combined(parts: st.SearchStrategy[tuple[str, Test]]) -> st.SearchStrategy[tuple[str, Test]]:
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda p: (f"({p[0][0]}) ({p[1][0]})", lambda fact: p[0][1](fact) and p[1][1](fact))),
        pairs.map(lambda p: (f"({p[0][0]} AND {p[1][0]})", lambda fact: p[0][1](fact) and p[1][1](fact))),
        pairs.map(lambda p: (f"({p[0][0]} OR {p[1][0]})", lambda fact: p[0][1](fact) or p[1][1](fact))),
        parts.map(lambda p: (f"-({p[0]})", lambda fact: not p[1](fact))),
        parts.map(lambda p: (f"(NOT ({p[0]}))", lambda fact: not p[1](fact))),
    )


def _is(field: str, value: str) -> tuple[Expression, Test]:
    return Exact(field, value), lambda fact: value in fact.facets.get(field, [])


def _has(field: str) -> tuple[Expression, Test]:
    return Exists(field), lambda fact: bool(fact.facets.get(field))


def _lies(first: int | None, last: int | None) -> tuple[Expression, Test]:
    def test(fact: Fact) -> bool:
        numbers = [int(value) for value in fact.facets["priority"]]
        return any((first is None or first <= number) and (last is None or number <= last) for number in numbers)

    return Between("priority", first, last), test


_BOUNDS = st.none() | st.sampled_from((-1 << 70, -2, -1, 0, 1, 1 << 70))
_TYPED = st.one_of(
    st.sampled_from([("section", value) for value in (*SECTIONS, "arts", "\ud800")]).map(lambda pair: _is(*pair)),
    st.sampled_from(("Fox news", "Fox", "news")).map(lambda value: _is("tags.name", value)),
    st.sampled_from(("section", "priority", "tags.name")).map(_has),
    st.tuples(_BOUNDS, _BOUNDS).map(lambda pair: _lies(*pair)),
)


def typed_expressions() -> st.SearchStrategy[tuple[Expression, Test]]:
    """What no text can say, and what it says."""

    def combined(parts: st.SearchStrategy[tuple[Expression, Test]]) -> st.SearchStrategy[tuple[Expression, Test]]:
        pairs = st.tuples(parts, parts)
        return st.one_of(
            pairs.map(lambda p: (All((p[0][0], p[1][0])), lambda fact: p[0][1](fact) and p[1][1](fact))),
            pairs.map(lambda p: (AnyOf((p[0][0], p[1][0])), lambda fact: p[0][1](fact) or p[1][1](fact))),
            parts.map(lambda p: (Not(p[0]), lambda fact: not p[1](fact))),
        )

    return st.recursive(_TYPED, combined, max_leaves=5)


def _everything(_fact: Fact) -> bool:
    return True


def expressions() -> st.SearchStrategy[tuple[str, Test]]:
    """A query's text, and what it says."""
    return st.just(("", _everything)) | st.recursive(_LEAVES, _combined, max_leaves=5)


@st.composite
def searches(draw: Any) -> Search:
    text, test = draw(expressions())
    view = draw(st.sampled_from((None, "story", "story")))
    values = {
        "section": SECTIONS,
        "priority": ("-1", "0", "1"),
        "breaking": ("true",),
        "tags.name": ("Fox news", "Dogs", "nobody's"),
    }
    pairs = [(field, value) for field, known in values.items() for value in known]
    filters = draw(st.lists(st.sampled_from(pairs), max_size=3) if draw(st.booleans()) else st.just([]))
    return Search(text, test, view, tuple(filters))

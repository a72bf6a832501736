"""Typed queries into the server's JSON: nothing that a person typed is ever parsed by it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from indexers.dates import EARLIEST, LATEST
from indexers.documents import NUMBER_MAX, NUMBER_MIN, oldest_rank_at
from indexers.elasticsearch import names
from indexers.engine import fields
from indexers.engine.fields import Analyzers, Fields
from indexers.engine.matching import Slip, Sought, is_encodable
from indexers.engine.near import near
from indexers.errors import InvalidQuery, UnknownField
from indexers.limits import FILTERS_MAX, NEAR_WORDS_MAX, QUERY_TOKENS_MAX
from indexers.port import Query
from indexers.query import All, AnyOf, Between, Dated, Exact, Exists, Expression, Match, Not

Clause = dict[str, Any]

NOTHING: Final[Clause] = {"match_none": {}}

_NEAR_SCORE: Final = 1e-9
"""Of a word that is only near: below what the server gives for any word itself."""


class Matcher:
    """Makes the server's query of one search."""

    def __init__(self, query: Query, known: Fields, analyzers: Analyzers) -> None:
        """Checks the query's view and filters.

        Raises:
            InvalidQuery: an unknown view or field, or too many filters.
        """
        known.check_view(query.view)
        if len(query.filters) > FILTERS_MAX:
            raise InvalidQuery(f"There are {len(query.filters)} filters", f"Use at most {FILTERS_MAX}")
        self._query = query
        self._known = known
        self._analyzers = analyzers
        self._boosts = known.boosts(query.view)
        wanted: dict[str, set[str]] = {}
        for field, value in query.filters:
            known.facet_field(field, query.view, "filter by")
            wanted.setdefault(field, set()).add(value)
        self.filters = {field: _among(names.facet(field), sorted(values)) for field, values in wanted.items()}
        """Facet fields that are filtered by, each with what the filters on it say."""
        self._tokens_left = QUERY_TOKENS_MAX
        self.sought: list[Sought] = []
        self.slips: list[Slip] = []
        self._text = None if query.text is None else self._expression(query.text, is_wanted=True)

    @property
    def is_ranked(self) -> bool:
        """Whether some hits can be more relevant than others."""
        return bool(self.sought)

    def query(self, without_filters: Iterable[str] = ()) -> Clause:
        """The whole search, or all but the filters on some fields."""
        views = list(self._known.views) if self._query.view is None else [self._query.view]
        must: list[Clause] = [_among(names.SHELF, [fields.shelf("live", view) for view in views])]
        must += [held for field, held in self.filters.items() if field not in set(without_filters)]
        if self._query.since is not None or self._query.until is not None:
            must.append(_dated(self._query.since, self._query.until))
        return {"bool": {"must": [self._text] if self._text is not None else [], "filter": must}}

    def _expression(self, expression: Expression, *, is_wanted: bool) -> Clause:
        match expression:
            case Match():
                return self._match(expression, is_wanted=is_wanted)
            case Dated():
                return _filter(_dated(expression.since, expression.until))
            case Exact() | Exists() | Between():
                return _filter(self._facet(expression))
            case Not():
                unwanted = self._expression(expression.part, is_wanted=not is_wanted)
                return {"bool": {"must_not": [unwanted], "filter": [{"match_all": {}}]}}
            case All():
                return {"bool": {"must": [self._expression(part, is_wanted=is_wanted) for part in expression.parts]}}
            case AnyOf():
                return _any([self._expression(part, is_wanted=is_wanted) for part in expression.parts])

    def _match(self, match: Match, *, is_wanted: bool) -> Clause:
        if match.field is not None and match.field not in self._boosts:
            facets = self._known.facets(self._query.view)
            if match.field not in facets:
                raise UnknownField(match.field, {*facets, *self._boosts}, "search", match.position)
            return {"constant_score": {"filter": _among(names.facet(match.field), [match.words]), "boost": 1}}
        tokens = self._analyzers.text.analyze(match.words)
        self._tokens_left -= len(tokens)
        if self._tokens_left < 0:
            raise InvalidQuery(
                f"The query has more than {QUERY_TOKENS_MAX} words, taken apart", "Use fewer", match.position
            )
        if not tokens:
            return NOTHING
        if is_wanted:
            self.sought.append(Sought(match.field, tuple(tokens)))
        paths = [match.field] if match.field is not None else list(self._boosts)
        kind = "match" if len(tokens) == 1 else "match_phrase"
        found: list[Clause] = [
            {kind: {names.text(path): {"query": match.words, "boost": self._boosts[path]}}} for path in paths
        ]
        if self._query.fuzzy and is_wanted and len(tokens) == 1 and match.field is None and not match.quoted:
            found += self._near(match, tokens)
        return _any(found)

    def _near(self, match: Match, tokens: list[str]) -> Iterator[Clause]:
        slip = near(self._analyzers.words.analyze(match.words)[0])
        if slip is None:
            return
        if len(self.slips) == NEAR_WORDS_MAX:
            raise InvalidQuery(
                f"A fuzzy search can't have more than {NEAR_WORDS_MAX} words with slips",
                "Use fewer, or put those into quotes that are right",
                match.position,
            )
        self.slips.append(Slip(match, slip, tuple(tokens)))
        for slips in range(1, slip.slips + 1):
            # Each finds all that those before it find: the nearest score highest.
            fuzzy = {"value": slip.word, "fuzziness": slips, "transpositions": True, "rewrite": "constant_score"}
            yield {"constant_score": {"filter": {"fuzzy": {names.WORDS: fuzzy}}, "boost": _NEAR_SCORE}}

    def _facet(self, expression: Exact | Exists | Between) -> Clause:
        view = self._query.view
        match expression:
            case Exact():
                self._known.facet_field(expression.field, view, "search")
                return _among(names.facet(expression.field), [expression.value])
            case Exists():
                self._known.facet_field(expression.field, view, "search")
                return {"exists": {"field": names.facet(expression.field)}}
            case Between():
                first = NUMBER_MIN if expression.first is None else max(expression.first, NUMBER_MIN)
                last = NUMBER_MAX if expression.last is None else min(expression.last, NUMBER_MAX)
                self._known.facet_field(expression.field, view, "search")
                self._known.number_field(expression.field, view)
                if first > last:
                    return NOTHING
                return {"range": {names.number(expression.field): {"gte": first, "lte": last}}}


def _dated(since: int | None, until: int | None) -> Clause:
    first = oldest_rank_at(EARLIEST if since is None else since)
    behind = oldest_rank_at(LATEST + 1 if until is None else until)
    return {"range": {names.OLDEST: {"gte": first, "lt": behind}}} if first < behind else NOTHING


def _among(field: str, values: Sequence[str]) -> Clause:
    known = [value for value in values if is_encodable(value)]
    return {"terms": {field: known}} if known else NOTHING


def _filter(clause: Clause) -> Clause:
    return {"bool": {"filter": [clause]}}


def _any(clauses: Sequence[Clause]) -> Clause:
    if not clauses:
        return NOTHING
    return clauses[0] if len(clauses) == 1 else {"bool": {"should": list(clauses), "minimum_should_match": 1}}

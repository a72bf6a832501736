"""Typed queries into the engine's: nothing that a person typed is ever parsed by it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import tantivy

from indexers.dates import EARLIEST, LATEST
from indexers.documents import NUMBER_MAX, NUMBER_MIN, RANK_END, oldest_rank_at
from indexers.engine import fields
from indexers.engine.fields import Analyzers, Fields
from indexers.engine.near import Near, near
from indexers.errors import InvalidQuery, UnknownField
from indexers.limits import FILTERS_MAX, NEAR_WORDS_MAX, QUERY_TOKENS_MAX
from indexers.port import Query
from indexers.query import All, AnyOf, Between, Dated, Exact, Exists, Expression, Match, Not

_EXACT: Final = "basic"


_NEAR_SCORE: Final = 1e-9
"""Of a word that is only near: below what the engine gives for any word itself, however common that is."""


class Sought(NamedTuple):
    """Words that a hit has side by side: what highlights mark."""

    path: str | None
    tokens: tuple[str, ...]


class Slip(NamedTuple):
    """A word that may be there as another one that is near it."""

    match: Match
    near: Near
    tokens: tuple[str, ...]
    """What is looked for when it is meant as it is."""


class Matcher:
    """Makes the engine's query of one search."""

    def __init__(self, query: Query, names: Fields, schema: tantivy.Schema, analyzers: Analyzers) -> None:
        """Checks the query's view and filters.

        Raises:
            InvalidQuery: an unknown view or field, or too many filters.
        """
        names.check_view(query.view)
        if len(query.filters) > FILTERS_MAX:
            raise InvalidQuery(f"There are {len(query.filters)} filters", f"Use at most {FILTERS_MAX}")
        self._query = query
        self._names = names
        self._schema = schema
        self._analyzers = analyzers
        self._boosts = names.boosts(query.view)
        self._filters: dict[str, set[str]] = {}
        for field, value in query.filters:
            names.facet_field(field, query.view, "filter by")
            self._filters.setdefault(field, set()).add(value)
        self._tokens_left = QUERY_TOKENS_MAX
        self.sought: list[Sought] = []
        self.slips: list[Slip] = []
        self._text = None if query.text is None else self._expression(query.text, is_wanted=True)

    @property
    def is_ranked(self) -> bool:
        """Whether some hits can be more relevant than others."""
        return bool(self.sought)

    @property
    def filtered(self) -> Iterable[str]:
        """The facet fields that are filtered by."""
        return self._filters.keys()

    def query(self, without_filter: str | None = None) -> tantivy.Query:
        """The whole search, or all but the filters on one field."""
        must: list[tantivy.Query] = []
        view = self._query.view
        # Saying which view is meant, and that it is live, doubles a search's time: only where nothing else says it.
        tells = self._query.text is not None and self._tells(self._query.text)
        if self._text is not None:
            must.append(self._text)
        for field, values in self._filters.items():
            if field != without_filter:
                tells = tells or self._names.is_facet_of_one(field, view)
                name = self._names.facet_field(field, self._query.view, "filter by")
                known = sorted(value for value in values if is_encodable(value))
                if len(known) == 1:
                    # Much faster than a set of one.
                    held = tantivy.Query.term_query(self._schema, name, known[0], _EXACT)
                else:
                    held = tantivy.Query.term_set_query(self._schema, name, known)
                must.append(tantivy.Query.const_score_query(held, 0.0))
        if self._query.since is not None or self._query.until is not None:
            tells = tells or self._names.is_date_of_one(view)
            dated = self._dated(self._query.since, self._query.until)
            must.append(tantivy.Query.const_score_query(dated, 0.0))
        if not tells:
            must.append(tantivy.Query.const_score_query(self._live(), 0.0))
        return _all(must)

    def _tells(self, expression: Expression) -> bool:
        """Whether only live documents of what is searched can match: it asks for what neither tombstones nor other views
        have.
        """
        view = self._query.view
        match expression:
            case Match():
                if expression.field is None:
                    # What is near a word is looked for in the words of all views.
                    is_near = self._query.fuzzy and view is not None and len(self._names.views) > 1
                    return not is_near and all(self._names.is_text_of_one(path, view) for path in self._boosts)
                if expression.field in self._boosts:
                    return self._names.is_text_of_one(expression.field, view)
                return self._names.is_facet_of_one(expression.field, view)
            case Exact() | Exists() | Between():
                return self._names.is_facet_of_one(expression.field, view)
            case Dated():
                return self._names.is_date_of_one(view)
            case Not():
                return False
            case All():
                return any(self._tells(part) for part in expression.parts)
            case AnyOf():
                return all(self._tells(part) for part in expression.parts)

    def _live(self) -> tantivy.Query:
        views = list(self._names.views) if self._query.view is None else [self._query.view]
        shelves = [fields.shelf("live", view) for view in views]
        if len(shelves) == 1:
            return tantivy.Query.term_query(self._schema, fields.SHELF, shelves[0], _EXACT)
        return tantivy.Query.term_set_query(self._schema, fields.SHELF, shelves)

    def _expression(self, expression: Expression, *, is_wanted: bool) -> tantivy.Query:
        match expression:
            case Match():
                return self._match(expression, is_wanted=is_wanted)
            case Dated():
                dated = self._dated(expression.since, expression.until)
                return tantivy.Query.const_score_query(dated, 0.0)
            case Exact() | Exists() | Between():
                return tantivy.Query.const_score_query(self._facet(expression), 0.0)
            case Not():
                unwanted = self._expression(expression.part, is_wanted=not is_wanted)
                everything = tantivy.Query.const_score_query(tantivy.Query.all_query(), 0.0)
                return tantivy.Query.boolean_query(
                    [(tantivy.Occur.Must, everything), (tantivy.Occur.MustNot, unwanted)]
                )
            case All():
                return _all([self._expression(part, is_wanted=is_wanted) for part in expression.parts])
            case AnyOf():
                return _any([self._expression(part, is_wanted=is_wanted) for part in expression.parts])

    def _match(self, match: Match, *, is_wanted: bool) -> tantivy.Query:
        if match.field is not None and match.field not in self._boosts:
            facets = self._names.facets(self._query.view)
            if match.field not in facets:
                raise UnknownField(match.field, {*facets, *self._boosts}, "search", match.position)
            name = self._names.facet_field(match.field, self._query.view, "search")
            exact = tantivy.Query.term_query(self._schema, name, match.words, _EXACT)
            return tantivy.Query.const_score_query(exact, 1.0)
        tokens = self._analyzers.text.analyze(match.words)
        self._tokens_left -= len(tokens)
        if self._tokens_left < 0:
            raise InvalidQuery(
                f"The query has more than {QUERY_TOKENS_MAX} words, taken apart", "Use fewer", match.position
            )
        if not tokens:
            return tantivy.Query.empty_query()
        if is_wanted:
            self.sought.append(Sought(match.field, tuple(tokens)))
        paths = [match.field] if match.field is not None else list(self._boosts)
        found = list(self._on_paths(paths, tokens))
        if self._query.fuzzy and is_wanted and len(tokens) == 1 and match.field is None and not match.quoted:
            found += self._near(match, tokens)
        return _any(found)

    def _near(self, match: Match, tokens: list[str]) -> Iterator[tantivy.Query]:
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
            found = tantivy.Query.fuzzy_term_query(self._schema, fields.WORDS, slip.word, distance=slips)
            yield tantivy.Query.const_score_query(found, _NEAR_SCORE)

    def _facet(self, expression: Exact | Exists | Between) -> tantivy.Query:
        name = self._names.facet_field(expression.field, self._query.view, "search")
        match expression:
            case Exact():
                is_known = is_encodable(expression.value)
                return (
                    tantivy.Query.term_query(self._schema, name, expression.value, _EXACT)
                    if is_known
                    else tantivy.Query.empty_query()
                )
            case Exists():
                return tantivy.Query.exists_query(name)
            case Between():
                first = NUMBER_MIN if expression.first is None else max(expression.first, NUMBER_MIN)
                last = NUMBER_MAX if expression.last is None else min(expression.last, NUMBER_MAX)
                number = self._names.number_field(expression.field, self._query.view)
                if first > last:
                    return tantivy.Query.empty_query()
                return tantivy.Query.range_query(self._schema, number, tantivy.FieldType.Integer, first, last)

    def _on_paths(self, paths: Iterable[str], tokens: list[str]) -> Iterator[tantivy.Query]:
        for path in paths:
            name = self._names.text_field(path)
            if len(tokens) == 1:
                found = tantivy.Query.term_query(self._schema, name, tokens[0], "freq")
            else:
                found = tantivy.Query.phrase_query(self._schema, name, list(tokens))
            boost = self._boosts[path]
            yield found if boost == 1 else tantivy.Query.boost_query(found, boost)

    def _dated(self, since: int | None, until: int | None) -> tantivy.Query:
        first = oldest_rank_at(EARLIEST if since is None else since)
        behind = oldest_rank_at(LATEST + 1 if until is None else until)
        return rank_range(self._schema, fields.OLDEST, first, behind)


def rank_range(schema: tantivy.Schema, name: str, first: int, behind: int = RANK_END) -> tantivy.Query:
    """Documents with a rank of at least `first` and below `behind`."""
    return tantivy.Query.range_query(schema, name, tantivy.FieldType.Integer, lower_bound=first, upper_bound=behind - 1)


def _all(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    return queries[0] if len(queries) == 1 else tantivy.Query.boolean_query([(tantivy.Occur.Must, q) for q in queries])


def _any(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    if not queries:
        return tantivy.Query.empty_query()
    if len(queries) == 1:
        return queries[0]
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, q) for q in queries])


def is_encodable(value: str) -> bool:
    """Whether a document could hold it: no lone surrogates."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)

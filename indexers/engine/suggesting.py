"""What is being typed: how its last word may go on, and which documents begin so."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

import tantivy

from denormalizer.view import View
from indexers.engine import fields
from indexers.engine.fields import Analyzers, Fields, title_prefix
from indexers.engine.highlighting import highlights
from indexers.engine.matching import Matcher
from indexers.engine.ordering import Found, Ordering
from indexers.engine.searching import Texts, check_size, make_hit
from indexers.errors import InvalidQuery
from indexers.limits import SUGGEST_CHARACTERS_MAX, SUGGEST_WORDS_MAX, SUGGESTIONS_MAX
from indexers.port import Completion, Highlight, Hit, Query, Typed
from indexers.query import All, Match, typable


class Suggesting:
    """Answers one text from one state of the index."""

    def __init__(
        self, typed: Typed, searcher: tantivy.Searcher, schema: tantivy.Schema, names: Fields, analyzers: Analyzers
    ) -> None:
        """Checks what was typed.

        Raises:
            InvalidQuery: an unknown view or field, or a bound passed.
        """
        check_size(typed.limit, SUGGESTIONS_MAX, "suggestions")
        if len(typed.text) > SUGGEST_CHARACTERS_MAX:
            raise InvalidQuery(
                f"What is typed has {len(typed.text)} characters",
                f"Use at most {SUGGEST_CHARACTERS_MAX}",
                SUGGEST_CHARACTERS_MAX,
            )
        self._typed = typed
        text = typable(typed.text)
        self._searcher = searcher
        self._schema = schema
        self._names = names
        self._analyzers = analyzers
        tokens = analyzers.words.pre_tokenize(text).tokens
        if len(tokens) > SUGGEST_WORDS_MAX:
            raise InvalidQuery(f"There are {len(tokens)} words", f"Use at most {SUGGEST_WORDS_MAX}")
        self._words = [token.text for token in tokens]
        # Only what stands at the very end may not be whole yet.
        self._is_whole = bool(tokens) and tokens[-1].char_offset_to < len(text)
        self._begun = tokens[-1] if tokens and not self._is_whole else None
        whole = self._words if self._is_whole else self._words[:-1]
        query = Query(
            text=All(tuple(map(Match, whole))) if whole else None, view=typed.view, filters=typed.filters, sort="newest"
        )
        self._matcher = Matcher(query, names, schema, analyzers)

    def completions(self) -> Sequence[Completion]:
        """The words that the last one may become."""
        if self._begun is None or not self._typed.limit:
            return []
        typed = set(self._words[:-1])
        found = self._searcher.terms_with_prefix(
            fields.WORDS, self._begun.text, filter_query=self._matcher.query(), limit=self._typed.limit + len(typed)
        )
        before = self._typed.text[: self._begun.char_offset_from]
        # Whoever has typed a word already does not want it again.
        others = [Completion(before + word, count) for word, count in found if word not in typed]
        return others[: self._typed.limit]

    def hits(self, read: Callable[[tantivy.DocAddress], View], texts: Texts) -> Sequence[Hit]:
        """Documents that begin so, or have the words."""
        if not self._words:
            return []
        found = islice(self._found(read), self._typed.limit)
        return [make_hit(one, "newest", self._marked(texts(one.view), one.view.view)) for one in found]

    def _found(self, read: Callable[[tantivy.DocAddress], View]) -> Iterator[Found]:
        begins, goes_on = (self._titled(is_start=is_start) for is_start in (True, False))
        anywhere = self._matcher.query()
        if self._begun is not None:
            anywhere = anywhere.and_must_match(self._prefix(fields.WORDS, self._begun.text))
        for query in (
            self._matcher.query().and_must_match(begins),
            self._matcher.query().and_must_match(goes_on).and_must_not_match(begins),
            anywhere.and_must_not_match(goes_on),
        ):
            ordering = Ordering(self._searcher, self._schema, query, read)
            yield from ordering.by_rank(fields.NEWEST, None, 0, self._typed.limit).hits

    def _titled(self, *, is_start: bool) -> tantivy.Query:
        return self._prefix(fields.TITLE, title_prefix(self._words, is_start=is_start, is_whole=self._is_whole))

    def _prefix(self, name: str, text: str) -> tantivy.Query:
        return tantivy.Query.fuzzy_term_query(self._schema, name, text, distance=0, prefix=True)

    def _marked(self, text: Mapping[str, Sequence[str]], view: str) -> Mapping[str, Highlight]:
        title = self._names.title(view)
        in_title = {path: strings for path, strings in text.items() if path == title}
        tests = [] if self._begun is None else [partial(_begins, self._begun.text)]
        marked = highlights(in_title, self._matcher.sought, tests, self._analyzers)
        return marked or highlights(text, self._matcher.sought, tests, self._analyzers)


def _begins(begun: str, word: str) -> bool:
    return word.startswith(begun)

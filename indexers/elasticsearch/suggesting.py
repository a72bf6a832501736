"""What is being typed: how its last word may go on, and which documents begin so."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from indexers.cursors import Position
from indexers.elasticsearch import names
from indexers.elasticsearch.matching import Clause, Matcher
from indexers.elasticsearch.searching import Ask, read_hit
from indexers.engine.fields import Analyzers, Fields, title_prefix
from indexers.engine.highlighting import highlights
from indexers.engine.ordering import Found
from indexers.engine.searching import Texts, check_size, make_hit
from indexers.errors import InvalidQuery
from indexers.limits import SUGGEST_CHARACTERS_MAX, SUGGEST_WORDS_MAX, SUGGESTIONS_MAX
from indexers.port import Completion, Highlight, Hit, Query, Typed
from indexers.query import All, Match, typable


class Suggesting:
    """Answers one text of one generation."""

    def __init__(self, typed: Typed, known: Fields, analyzers: Analyzers, ask: Ask, url: str) -> None:
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
        self._known = known
        self._analyzers = analyzers
        self._ask = ask
        self._url = url
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
        self._matcher = Matcher(query, known, analyzers)

    def completions(self) -> Sequence[Completion]:
        """The words that the last one may become."""
        if self._begun is None or not self._typed.limit:
            return []
        typed = set(self._words[:-1])
        # A word has letters and digits only: none of them means anything in the server's expressions.
        words = {
            "field": names.WORDS,
            "include": f"{self._begun.text}.*",
            "size": self._typed.limit + len(typed),
        }
        query = self._both(self._matcher.query(), {"prefix": {names.WORDS: self._begun.text}})
        found = self._ask({"query": query, "size": 0, "aggs": {"words": {"terms": words}}})
        before = self._typed.text[: self._begun.char_offset_from]
        buckets = found["aggregations"]["words"]["buckets"]
        # Whoever has typed a word already does not want it again.
        others = [
            Completion(before + bucket["key"], bucket["doc_count"]) for bucket in buckets if bucket["key"] not in typed
        ]
        return others[: self._typed.limit]

    def hits(self, texts: Texts) -> Sequence[Hit]:
        """Documents that begin so, or have the words."""
        if not self._words or not self._typed.limit:
            return []
        found = islice(self._found(), self._typed.limit)
        return [make_hit(one, "newest", self._marked(texts(one.view), one.view.view)) for one in found]

    def _found(self) -> Iterator[Found]:
        begins, goes_on = (self._titled(is_start=is_start) for is_start in (True, False))
        anywhere = self._matcher.query()
        if self._begun is not None:
            anywhere = self._both(anywhere, {"prefix": {names.WORDS: self._begun.text}})
        for query, unwanted in (
            (self._both(self._matcher.query(), begins), []),
            (self._both(self._matcher.query(), goes_on), [begins]),
            (anywhere, [goes_on]),
        ):
            request = {
                "query": {"bool": {"filter": [query], "must_not": unwanted}},
                "sort": [{names.NEWEST: "asc"}, {names.ID: "asc"}],
                "size": self._typed.limit,
                "_source": [names.RECORD],
            }
            for hit in self._ask(request)["hits"]["hits"]:
                yield Found(read_hit(hit, self._url), Position(*hit["sort"]))

    def _titled(self, *, is_start: bool) -> Clause:
        prefix = title_prefix(self._words, is_start=is_start, is_whole=self._is_whole)
        return {"prefix": {names.TITLE: prefix}}

    def _both(self, first: Clause, second: Clause) -> Clause:
        return {"bool": {"filter": [first, second]}}

    def _marked(self, text: Mapping[str, Sequence[str]], view: str) -> Mapping[str, Highlight]:
        title = self._known.title(view)
        in_title = {path: strings for path, strings in text.items() if path == title}
        tests = [] if self._begun is None else [partial(_begins, self._begun.text)]
        marked = highlights(in_title, self._matcher.sought, tests, self._analyzers)
        return marked or highlights(text, self._matcher.sought, tests, self._analyzers)


def _begins(begun: str, word: str) -> bool:
    return word.startswith(begun)

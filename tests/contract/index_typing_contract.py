"""What every index must do for people at a keyboard: slips, what is being typed, and what is like a document.

The oracle is plain Python over the words of the records; its alphabet has no letters that an English ending is made of.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.catalog import parse_catalog
from denormalizer.view import View
from indexers import Index, Query, Typed, parse
from indexers.errors import InvalidCursor, InvalidQuery, UnknownField, UnknownView
from indexers.limits import NEAR_WORDS_MAX, RELATED_MAX, SUGGEST_CHARACTERS_MAX, SUGGESTIONS_MAX
from indexers.query import replace
from tests.contract.index_newsroom import DATES, gone, story, topic, write_part

SUITE = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]
LETTERS = "bkmxoöÖBж"
SECTIONS = ("Arts", "World")


class Told(NamedTuple):
    """A live view's words, in the oracle's own reading."""

    view: View
    text: dict[str, list[list[str]]]
    section: str | None
    date: int | None

    @property
    def key(self) -> tuple[str, str]:
        return self.view.view, self.view.uri

    @property
    def words(self) -> set[str]:
        return {word for strings in self.text.values() for words in strings for word in words}

    @property
    def title(self) -> list[str]:
        return next(iter(self.text.values()))[0]


def folded(text: str) -> str:
    plain = unicodedata.normalize("NFD", text.lower())
    return "".join(character for character in plain if not unicodedata.combining(character))


def told(views: Sequence[View]) -> list[Told]:
    return [_told(view) for view in views if view.state == "live"]


def _told(view: View) -> Told:
    content = orjson.loads(view.content)
    if view.view == "topic":
        return Told(view, {"name": [folded(content["name"]).split()]}, None, None)
    text = {
        "headline": [folded(content["headline"]).split()],
        "body": [folded(block["text"]).split() for block in content["body"]],
        "tags.name": [folded(tag["name"]).split() for tag in content["tags"]],
    }
    dates = dict(zip(DATES, (1_577_836_800, 1_577_867_400, 1_592_179_200, 1_640_995_199, -14_256_000), strict=True))
    return Told(view, text, content["section"], dates.get(content["published"]))


def slips_between(first: str, second: str) -> int:
    """The textbook's recursion: a letter wrong, missing or too many, or two neighbours changed, each once."""

    @cache
    def between(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        ways = [between(i - 1, j) + 1, between(i, j - 1) + 1, between(i - 1, j - 1) + (first[i - 1] != second[j - 1])]
        if i > 1 and j > 1 and first[i - 2 : i] == second[j - 1] + second[j - 2]:
            ways.append(between(i - 2, j - 2) + 1)
        return min(ways)

    return between(len(first), len(second))


def allowed(word: str) -> int:
    if any(character.isdigit() for character in word) or len(word) < 4:
        return 0
    return 1 if len(word) < 8 else 2


def fits(typed: str, word: str) -> bool:
    return slips_between(folded(typed), word) <= allowed(folded(typed))


@st.composite
def slipped(draw: Any, word: str) -> str:
    """The word with up to three slips in it."""
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(word)))
        letter = draw(st.sampled_from(LETTERS))
        swapped = word[:place] + word[place : place + 2][::-1] + word[place + 2 :]
        word = draw(st.sampled_from([word[:place] + letter + word[place + draw(st.integers(0, 1)) :], swapped]))
    return word or "k"


@st.composite
def rooms(draw: Any) -> tuple[list[View], list[str]]:
    """Stories and topics, some gone, of words that are near each other; and such words."""
    roots = draw(st.lists(st.text(LETTERS, min_size=2, max_size=9), min_size=1, max_size=3))
    roots.append(draw(st.sampled_from(["18b8", "2024", "kmoxbkmox"])))
    pool = [draw(slipped(root)) for root in roots for _ in range(4)]
    line = st.lists(st.sampled_from(pool), min_size=1, max_size=4).map(" ".join)
    stories = st.builds(
        story,
        st.integers(0, 30),
        headline=line,
        body=st.lists(line, max_size=2),
        section=st.none() | st.sampled_from(SECTIONS),
        published=st.none() | st.sampled_from(DATES),
        tags=st.lists(line, max_size=1),
    )
    views = draw(st.lists(stories | st.builds(topic, st.integers(0, 5), line), max_size=9, unique_by=lambda v: v.uri))
    dead = draw(st.sets(st.integers(0, 9), max_size=3))
    return [gone(view) if number in dead else view for number, view in enumerate(views)], [*pool, *roots]


SHARING = parse_catalog(
    {
        "kinds/thing.avsc": json.dumps(
            {
                "type": "record",
                "name": "thing",
                "fields": [{"name": "name", "type": "string"}, {"name": "at", "type": "string"}],
            }
        ),
        "views.toml": "".join(
            f'[views.{name}]\nroot = "thing"\nsearch.text = ["name"]\nsearch.facets = ["name"]\n{date}\n'
            for name, date in [("long", 'search.date = "at"'), ("short", ""), ("third", 'search.date = "at"')]
        ),
    }
)
"""Three views of one kind, by the same words."""


class TypingContract:
    """Part of the index contract; `new` gives an index with these views."""

    def new(self, views: Sequence[View] | None = None, applied_through: int = 0) -> Index:
        raise NotImplementedError

    # ----------------------------------------------------------------------------------------------------- slips

    @given(rooms(), st.data())
    @settings(max_examples=12, suppress_health_check=SUITE)
    def test_a_fuzzy_search_finds_what_is_near_and_no_more(self, room: tuple[list[View], list[str]], data: Any) -> None:
        views, pool = room
        index, known = self.new(views), told(views)
        for _ in range(4):
            first, second = data.draw(st.sampled_from(pool)), data.draw(st.sampled_from(pool))
            for text, expected in _fuzzily(known, first, second).items():
                results = index.search(Query(text=parse(text), fuzzy=True, limit=50))
                assert {(hit.view, hit.uri) for hit in results.hits} == expected
                assert results.total == len(expected)
                assert index.search(Query(text=parse(text), limit=50)).total <= results.total
            self.check_order_and_marks(index, known, first)

    def check_order_and_marks(self, index: Index, known: Sequence[Told], typed: str) -> None:
        """The word itself first, then by slips, then the newest; and all that fits is marked."""
        facts = {one.key: one for one in known}
        order: list[Any] = []
        for hit in index.search(Query(text=parse(typed), fuzzy=True, highlight=True, limit=50)).hits:
            one = facts[hit.view, hit.uri]
            slips = min(slips_between(folded(typed), word) for word in one.words)
            order.append((slips, slips and one.date is None, slips and -(one.date or 0)))
            fitting = {
                path
                for path, strings in one.text.items()
                if any(fits(typed, word) for words in strings for word in words)
            }
            assert set(hit.highlights) == fitting
            for fragment, marks in hit.highlights.values():
                marked = [folded(fragment[begin:end]) for begin, end in marks]
                assert marked == [word for word in folded(fragment).split() if fits(typed, word)]
        assert order == sorted(order)

    def test_a_slip_is_put_up_with_only_where_it_may_be_one(self) -> None:
        index = self.new([story(1, headline="Zelenskyy", body=["council of 2024 cats"])])

        def finds(text: str) -> bool:
            return index.search(Query(text=parse(text), fuzzy=True)).total == 1

        assert all(map(finds, ["Zelensky", "Selenskyy", "Zelesnkyy", "counsil", "ocuncil", "councils", "cat"]))
        assert not any(
            map(finds, ["Zelen", "cuonsil", "2023", "cot", '"counsil"', "body:counsil", "council -counci cats x"])
        )
        assert finds("council -counsil")
        assert index.search(Query(text=parse("counsil"))).total == 0

    def test_a_fuzzy_search_has_a_bounded_number_of_words(self) -> None:
        index = self.new([story(1, headline=" ".join(["council"] * 3))])
        few, many = "counsil " * NEAR_WORDS_MAX, "counsil " * (NEAR_WORDS_MAX + 1)
        assert index.search(Query(text=parse(few), fuzzy=True)).total == 1
        assert len(index.search(Query(text=parse(few), correct=True)).corrections) == NEAR_WORDS_MAX
        with pytest.raises(InvalidQuery, match="into quotes") as refused:
            index.search(Query(text=parse(many), fuzzy=True))
        assert refused.value.position == len(few)
        assert index.search(Query(text=parse(many), correct=True)).corrections == ()

    def test_a_cursor_of_a_fuzzy_search_is_none_of_another(self) -> None:
        index = self.new([story(number, headline="council") for number in range(3)])
        page = index.search(Query(text=parse("counsil"), fuzzy=True, limit=2))
        rest = index.search(Query(text=parse("counsil"), fuzzy=True, limit=2, cursor=page.cursor))
        assert len({hit.uri for hit in [*page.hits, *rest.hits]}) == 3
        with pytest.raises(InvalidCursor):
            index.search(Query(text=parse("counsil"), limit=2, cursor=page.cursor))

    @given(rooms(), st.data())
    @settings(max_examples=12, suppress_health_check=SUITE)
    def test_where_nothing_is_found_the_corrected_query_finds(
        self, room: tuple[list[View], list[str]], data: Any
    ) -> None:
        views, pool = room
        index, known = self.new(views), told(views)
        live = {word for one in known for word in one.words}
        for _ in range(4):
            words = data.draw(st.lists(st.sampled_from(pool).flatmap(slipped), min_size=1, max_size=3))
            text = data.draw(st.sampled_from([" ", " OR ", " -"])).join(words)
            results = index.search(Query(text=parse(text), correct=True))
            tolerant = index.search(Query(text=parse(text), correct=True, fuzzy=True))
            assert tolerant.corrections == ()
            assert bool(results.corrections) == (results.total == 0 < tolerant.total)
            for match, word in results.corrections:
                assert word in live
                assert fits(match.words, word)
                assert text[match.position :].startswith(match.words)
            if results.corrections:
                meant = replace(text, [(one.match, one.word) for one in results.corrections])
                assert index.search(Query(text=parse(meant))).total > 0
            assert index.search(Query(text=parse(text))).corrections == ()

    def test_of_words_as_near_the_more_frequent_one_was_meant(self) -> None:
        views = [
            story(1, headline="a council", published="2021"),
            *(story(n, headline="a counsel") for n in range(2, 5)),
        ]
        index = self.new([*views, gone(story(9, headline="counsil"))])
        query = "(a  counsul) -x"
        (correction,) = index.search(Query(text=parse(query), correct=True)).corrections
        assert replace(query, [(correction.match, correction.word)]) == "(a  counsel) -x"

    # ------------------------------------------------------------------------------------------- views that share

    def test_a_view_is_searched_alone_where_others_have_the_same_words(self, tmp_path: Path) -> None:
        index = self.new()
        views = [
            View(
                name,
                uri,
                0,
                "live",
                orjson.dumps({"uri": uri, "name": "red fox", "at": "2021-01-01"}),
                b'{"%b":0}' % uri.encode(),
            )
            for name in SHARING.views
            for uri in ("nyt://thing/1", "nyt://thing/2")
        ]
        part = write_part(tmp_path / "part", [*views[:-1], gone(views[-1])])
        index.load([part], catalog=SHARING, applied_through=0)
        for text in ("fox", '"red fox"', "name:fox", 'name:"red fox"', "date:2021", "-blue", "fox OR date:2021", "fxo"):
            for view, count in (("long", 2), ("short", 2), ("third", 1), (None, 5)):
                dated = count if view != "short" else 0
                expected = {"date:2021": 3 if view is None else dated, "fxo": 0}.get(text, count)
                assert index.search(Query(text=parse(text), view=view)).total == expected
                assert index.search(Query(view=view, filters=[("name", "red fox")])).total == count
                assert index.search(Query(view=view, since=0)).total == (3 if view is None else dated)
                assert index.search(Query(text=parse("rde"), view=view, fuzzy=True)).total == 0
                assert index.suggest(Typed(text="re", view=view)).completions[0].count == count
        assert index.search(Query(text=parse("date:2021"), view="short")).total == 0
        related = index.related("long", "nyt://thing/1")
        assert related is not None
        assert [(hit.view, hit.uri) for hit in related.hits] == [("long", "nyt://thing/2")]

    # --------------------------------------------------------------------------------------- what is being typed

    @given(rooms(), st.data())
    @settings(max_examples=16, suppress_health_check=SUITE)
    def test_suggestions_are_what_the_live_views_hold(self, room: tuple[list[View], list[str]], data: Any) -> None:
        views, pool = room
        index, known = self.new(views), told(views)
        for _ in range(4):
            words = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3))
            words[-1] = words[-1][: data.draw(st.integers(1, 9))]
            end = data.draw(st.sampled_from(["", "", " ", "-"]))
            text = data.draw(st.sampled_from([" ", ", ", "  *"])).join(words) + end
            view = data.draw(st.sampled_from([None, "story"]))
            filters = data.draw(st.sampled_from([[], [], [("section", "Arts")]]))
            bare = [folded(word) for word in words]
            found = [
                one
                for one in known
                if view in {None, one.view.view}
                and (not filters or one.section == "Arts")
                and set(bare if end else bare[:-1]) <= one.words
                and (end or any(word.startswith(bare[-1]) for word in one.words))
            ]
            suggested = index.suggest(Typed(text=text, view=view, filters=filters, limit=50))
            begun = bare[-1] if not end else "nothing"
            others = {word for one in found for word in one.words if word.startswith(begun)} - set(bare[:-1])
            counts = Counter(word for one in found for word in one.words & others)
            before = text[: len(text) - len(words[-1])]
            expected = sorted(((-count, before + word) for word, count in counts.items()))
            assert [(-one.count, one.text) for one in suggested.completions] == expected
            assert {(hit.view, hit.uri) for hit in suggested.hits} == {one.key for one in found}
            facts = {one.key: one for one in found}
            order = [
                (_place(facts[hit.view, hit.uri].title, bare, is_whole=bool(end)), hit.date is None, -(hit.date or 0))
                for hit in suggested.hits
            ]
            assert order == sorted(order)
            few = index.suggest(Typed(text=text, view=view, filters=filters, limit=2))
            assert list(few.completions) == list(suggested.completions)[:2]
            assert list(few.hits) == list(suggested.hits)[:2]
            for hit in suggested.hits:
                assert hit.highlights
                for fragment, marks in hit.highlights.values():
                    for begin, end_ in marks:
                        word = folded(fragment[begin:end_])
                        assert word in bare or (not end and word.startswith(bare[-1]))

    def test_what_was_typed_is_completed_and_marked_in_the_title(self) -> None:
        index = self.new(
            [
                story(1, headline="Café closes", body=["the council met"]),
                story(2, headline="The council café", published="2020-01-01"),
                story(3, headline="Council votes", body=["in a café"]),
                topic(1, "Cafés of the world"),
            ]
        )
        found = index.suggest(Typed(text="CAF", view="story"))
        assert [(one.text, one.count) for one in found.completions] == [("cafe", 3)]
        assert [hit.uri[-1] for hit in found.hits] == ["1", "2", "3"]
        marked = [
            {path: [h.fragment[a:b] for a, b in h.marks] for path, h in hit.highlights.items()} for hit in found.hits
        ]
        assert marked == [{"headline": ["Café"]}, {"headline": ["café"]}, {"body": ["café"]}]
        found = index.suggest(Typed(text="the Council c"))
        assert [one.text for one in found.completions] == ["the Council cafe", "the Council closes"]
        assert [hit.uri[-1] for hit in found.hits] == ["2", "1"]
        assert {one.text for one in index.suggest(Typed(text="caf")).completions} == {"cafe", "cafes"}

    def test_suggestions_follow_each_write(self) -> None:
        index = self.new([story(1, headline="Foxglove"), story(2, headline="Foxtrot")])

        def completed() -> dict[str, int]:
            return {one.text: one.count for one in index.suggest(Typed(text="fox")).completions}

        assert completed() == {"foxglove": 1, "foxtrot": 1}
        index.write([gone(story(1), 1), story(2, version=1, headline="Foxhole")], applied_through=1)
        assert completed() == {"foxhole": 1}
        suggested = index.suggest(Typed(text="fox"))
        assert ([hit.uri[-1] for hit in suggested.hits], suggested.applied_through) == (["2"], 1)
        assert index.suggest(Typed(text="foxg")).hits == []
        index.write([story(1, version=2, headline="Foxhole")], applied_through=2)
        assert completed() == {"foxhole": 2}

    def test_very_long_titles_are_suggested_by_their_beginnings(self) -> None:
        words = [f"word{number}" for number in range(50)]
        index = self.new([story(1, headline=" ".join(words)), story(2, headline="x" * 5_000)])
        for number in (0, 7, 18):
            assert [hit.uri[-1] for hit in index.suggest(Typed(text=" ".join(words[number : number + 5]))).hits] == [
                "1"
            ]
        assert [hit.uri[-1] for hit in index.suggest(Typed(text="word49")).hits] == ["1"]

    def test_what_suggestions_are_not_made_for_is_refused(self) -> None:
        index = self.new([story(1, headline="fox")])
        assert index.suggest(Typed(text=" -( ")).hits == []
        for typed in (
            Typed(text="a" * (SUGGEST_CHARACTERS_MAX + 1)),
            Typed(text="a " * (SUGGEST_CHARACTERS_MAX // 2)),
            Typed(text="a", limit=SUGGESTIONS_MAX + 1),
            Typed(text="a", limit=-1),
        ):
            with pytest.raises(InvalidQuery, match=r"Use (at most|a)"):
                index.suggest(typed)
        with pytest.raises(UnknownView):
            index.suggest(Typed(text="a", view="nope"))
        with pytest.raises(UnknownField):
            index.suggest(Typed(text="a", filters=[("nope", "a")]))

    # --------------------------------------------------------------------------------- what is like a document

    @given(rooms())
    @settings(max_examples=10, suppress_health_check=SUITE)
    def test_related_views_share_something(self, room: tuple[list[View], list[str]]) -> None:
        views = room[0]
        index, known = self.new(views), told(views)
        for view in islice(views, 4):
            found = index.related(view.view, view.uri, 50)
            if view.state == "gone":
                assert found is None
                continue
            assert found is not None
            here = _shareable(next(one for one in known if one.view is view))
            sharing = {
                one.view.uri
                for one in known
                if one.view.view == view.view and one.view is not view and here & _shareable(one)
            }
            assert len(found.hits) == len({hit.uri for hit in found.hits})
            assert {hit.uri for hit in found.hits} == sharing
            scores = [hit.score or 0 for hit in found.hits]
            assert scores == sorted(scores, reverse=True)

    def test_what_is_rare_relates_more_than_what_is_common(self) -> None:
        views = [story(number, headline="council votes", section="World") for number in range(20)]
        views += [
            story(30, headline="council votes on flood", tags=["Mill"]),
            story(31, headline="flood"),
            story(32, tags=["Mill"], headline="another"),
            topic(1, "flood"),
        ]
        index = self.new([*views, gone(story(33))])
        related = index.related("story", "nyt://article/30", 3)
        assert related is not None
        assert {hit.uri[-2:] for hit in related.hits[:2]} == {"31", "32"}
        assert len(related.hits) == 3
        index.write([gone(story(31), 1)], applied_through=4)
        related = index.related("story", "nyt://article/30")
        assert related is not None
        assert (related.hits[0].uri[-2:], related.applied_through) == ("32", 4)
        assert index.related("story", "nyt://article/31") is None
        assert index.related("story", "nyt://article/99") is None
        with pytest.raises(UnknownView):
            index.related("nope", "nyt://article/30")
        with pytest.raises(InvalidQuery, match="Use a limit"):
            index.related("story", "nyt://article/30", RELATED_MAX + 1)


def _fuzzily(known: Sequence[Told], first: str, second: str) -> dict[str, set[tuple[str, str]]]:
    """Queries of two words, and what they must find."""
    near = {word: {one.key for one in known if any(fits(word, held) for held in one.words)} for word in (first, second)}
    exact = {word: {one.key for one in known if folded(word) in one.words} for word in (first, second)}
    return {
        first: near[first],
        f"{first} {second}": near[first] & near[second],
        f"{first} OR {second}": near[first] | near[second],
        f'"{first}"': exact[first],
        f"headline:{first}": {
            one.key for one in known if one.view.view == "story" and folded(first) in one.text["headline"][0]
        },
        f"{first} -{second}": near[first] - exact[second],
    }


def _place(title: Sequence[str], bare: Sequence[str], *, is_whole: bool) -> int:
    """0 where the title begins so, 1 where it goes on so, 2 elsewhere."""

    def goes_on(start: int) -> bool:
        there = title[start : start + len(bare)]
        if len(there) < len(bare) or there[:-1] != list(bare[:-1]):
            return False
        return there[-1] == bare[-1] if is_whole else there[-1].startswith(bare[-1])

    return 0 if goes_on(0) else 1 if any(map(goes_on, range(len(title)))) else 2


def _shareable(one: Told) -> set[tuple[str, str]]:
    """Words by path, and facet values."""
    content = orjson.loads(one.view.content)
    found = {(path, word) for path, strings in one.text.items() for words in strings for word in words}
    if one.view.view == "topic":
        return found | {("f:name", content["name"])}
    values = {("f:tags.name", tag["name"]) for tag in content["tags"]} | {("f:section", one.section or "")}
    return {*found, *values, ("f:breaking", str(content["breaking"]))} - {("f:section", "")}

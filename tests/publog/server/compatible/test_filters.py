"""The two filter languages find what an oracle in plain Python finds in the demo newsroom's messages."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from indexers.errors import InvalidQuery
from publog.server.compatible.boolean import Every, Leaf, Negated, Some, holds, parse_list
from publog.server.compatible.fq import Present, Span, Term, parse_fq
from tests.support.courier import Courier

Data = dict[str, Any]
Test = Callable[[Data], bool]
Said = tuple[str, Test]
SUITE = [HealthCheck.function_scoped_fixture]

SECTIONS = ("City", "Climate", "Food", "Nowhere")
TAGS = ("Ferries", "Buses", "Nothing")


def moment(data: Data) -> datetime:
    return datetime.fromisoformat(data["published_at"])


def names(data: Data) -> set[str]:
    return {tag["name"] for tag in data["tags"] if tag["type"] == "subject"}


def word_counts(first: int | None, last: int | None, opening: str, closing: str) -> Said:
    def test(data: Data) -> bool:
        count = data["word_count"]
        is_above = first is None or (count >= first if opening == "[" else count > first)
        return is_above and (last is None or (count <= last if closing == "]" else count < last))

    return f"word_count:{opening}{'*' if first is None else first} TO {'*' if last is None else last}{closing}", test


def month(first: str, last: str) -> Said:
    return f"pub_date:[{first} TO {last}]", lambda data: first <= data["published_at"][:10] <= last


COUNT = st.none() | st.integers(60, 140)
LEAVES: st.SearchStrategy[Said] = st.one_of(
    st.sampled_from(SECTIONS).map(lambda name: (f'section_name:"{name}"', lambda data: data["section"] == name)),
    st.sampled_from(SECTIONS).map(lambda name: (f"section.name:{name}", lambda data: data["section"] == name)),
    st.tuples(st.sampled_from(SECTIONS), st.sampled_from(SECTIONS)).map(
        lambda pair: (f'section_name:("{pair[0]}" "{pair[1]}")', lambda data: data["section"] in pair)
    ),
    st.sampled_from(SECTIONS).map(lambda name: (f"desk:(NOT {name})", lambda data: data["desk"] != name)),
    st.tuples(COUNT, COUNT, st.sampled_from("[{"), st.sampled_from("]}")).map(lambda four: word_counts(*four)),
    st.sampled_from(("print_section", "kicker", "print_page")).flatmap(
        lambda name: st.sampled_from((f"_exists_:{name}", f'_exists_:"{name}"', f"{name}:*")).map(
            lambda text: (text, lambda data: data.get(name) is not None)
        )
    ),
    st.tuples(
        st.dates(date(2026, 3, 1), date(2026, 8, 1)),
        st.dates(date(2026, 3, 1), date(2026, 8, 1)),
    ).map(lambda pair: month(*(day.isoformat() for day in pair))),
    st.sampled_from(TAGS).map(lambda name: (f'subject:"{name}"', lambda data: name in names(data))),
    st.sampled_from(TAGS).map(lambda name: (f"timesTag.subject:{name}", lambda data: name in names(data))),
    st.sampled_from(("Monday", "Sunday")).map(
        lambda name: (f"day_of_week:{name}", lambda data: moment(data).strftime("%A") == name)
    ),
    st.integers(3, 8).map(lambda number: (f"pub_month:{number}", lambda data: moment(data).month == number)),
    st.integers(2025, 2027).map(lambda number: (f"pub_year:[{number} TO *]", lambda data: moment(data).year >= number)),
    st.sampled_from(("harbour", "calder bay")).map(
        lambda words: (
            f'source.contains:"{words}"',
            lambda data: set(words.split()) <= set(data["source"].lower().split()),
        )
    ),
)


def combined(parts: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    pairs = st.tuples(parts, parts)
    both = st.sampled_from(("AND", "&&")).flatmap(
        lambda mark: pairs.map(
            lambda p: (f"(({p[0][0]}) {mark} ({p[1][0]}))", lambda data: p[0][1](data) and p[1][1](data))
        )
    )
    either = st.sampled_from((" OR ", " || ", " ")).flatmap(
        lambda mark: pairs.map(
            lambda p: (f"(({p[0][0]}){mark}({p[1][0]}))", lambda data: p[0][1](data) or p[1][1](data))
        )
    )
    no = st.sampled_from(("NOT ", "!", "-")).flatmap(
        lambda mark: parts.map(lambda p: (f"{mark}({p[0]})", lambda data: not p[1](data)))
    )
    # AND binds closer than OR.
    mixed = st.tuples(LEAVES, LEAVES, LEAVES).map(
        lambda t: (
            f"{t[0][0]} OR {t[1][0]} AND {t[2][0]}",
            lambda data: t[0][1](data) or (t[1][1](data) and t[2][1](data)),
        )
    )
    return st.one_of(both, either, no, mixed)


@pytest.fixture(scope="session")
def stories(latest: dict[str, Data]) -> dict[str, Data]:
    """URI to data with its tags expanded, newest first."""
    found = {
        uri: {**data, "tags": [latest[tag] for tag in data["tags"]], "tag_uris": data["tags"]}
        for uri, data in latest.items()
        if uri.startswith("news://article/")
    }
    return dict(sorted(found.items(), key=lambda one: one[1]["published_at"], reverse=True))


@given(st.recursive(LEAVES, combined, max_leaves=5))
@settings(max_examples=120, suppress_health_check=SUITE)
def test_fq_finds_what_the_oracle_finds(here: TestClient, stories: dict[str, Data], said: Said) -> None:
    text, test = said
    parameters = {"fq": text, "sort": "newest", "fl": "_id"}
    answer = here.get("/svc/search/v2/articlesearch.json", params=parameters)
    assert answer.status_code == 200, (text, answer.text)
    expected = [uri for uri, data in stories.items() if test(data)]
    told = answer.json()["response"]
    assert told["meta"]["hits"] == len(expected), text
    assert [document["_id"] for document in told["docs"]] == expected[:10]


LIST_LEAVES: st.SearchStrategy[Said] = st.sampled_from(
    ("news://tag/ferries", "news://tag/buses", "news://tag/rents", "news://tag/nothing")
).map(lambda uri: (uri.replace("://", "/"), lambda data: uri in data["tag_uris"]))


def listed(parts: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda p: (f"({p[0][0]}),({p[1][0]})", lambda data: p[0][1](data) and p[1][1](data))),
        pairs.map(lambda p: (f"({p[0][0]} | {p[1][0]})", lambda data: p[0][1](data) or p[1][1](data))),
        parts.map(lambda p: (f"-({p[0]})", lambda data: not p[1](data))),
        st.tuples(LIST_LEAVES, LIST_LEAVES, LIST_LEAVES).map(
            lambda t: (
                f"{t[0][0]}|{t[1][0]},-{t[2][0]}",
                lambda data: t[0][1](data) or (t[1][1](data) and not t[2][1](data)),
            )
        ),
    )


@given(st.recursive(LIST_LEAVES, listed, max_leaves=5))
@settings(max_examples=80, suppress_health_check=SUITE)
def test_a_boolean_list_finds_what_the_oracle_finds(here: TestClient, stories: dict[str, Data], said: Said) -> None:
    text, test = said
    answer = here.get("/search", params={"tag": text, "page-size": "200"})
    assert answer.status_code == 200, (text, answer.text)
    expected = [uri.replace("://", "/") for uri, data in stories.items() if test(data)]
    assert [one["id"] for one in answer.json()["response"]["results"]] == expected


def conditions(values: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        values.map(Leaf),
        lambda parts: st.one_of(
            parts.map(Negated),
            st.lists(parts, min_size=2, max_size=3).map(tuple).map(Every),
            st.lists(parts, min_size=2, max_size=3).map(tuple).map(Some),
        ),
        max_leaves=8,
    )


def written(condition: Any, *, every: str, some: str, no: str, leaf: Callable[[str], str]) -> str:
    def write(part: Any) -> str:
        match part:
            case Leaf():
                return leaf(part.value)
            case Negated():
                return f"{no}({write(part.part)})"
            case Every():
                return f"({every.join(map(write, part.parts))})"
            case Some():
                return f"({some.join(map(write, part.parts))})"

    return write(condition)


@given(
    conditions(
        st.text(st.characters(exclude_characters=",|()", exclude_categories=["C"]), min_size=1)
        .map(str.strip)
        .filter(lambda text: text and text[0] != "-")
    )
)
def test_a_list_that_is_written_down_is_read_again(condition: Any) -> None:
    text = written(condition, every=",", some="|", no="-", leaf=str)
    try:
        assert parse_list(text) == condition
    except InvalidQuery as error:
        assert "Use" in str(error) or "fewer" in str(error)


@given(conditions(st.text(st.characters(exclude_categories=["C"]), min_size=1)))
def test_a_filter_that_is_written_down_is_read_again(condition: Any) -> None:
    def quoted(text: str) -> str:
        return 'f:"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = written(condition, every=" AND ", some=" OR ", no="NOT ", leaf=quoted)

    def plain(part: Any) -> Any:
        match part:
            case Leaf():
                return Leaf(part.value.text if isinstance(part.value, Term) else part.value)
            case Negated():
                return Negated(plain(part.part))
            case _:
                return type(part)(tuple(map(plain, part.parts)))

    try:
        assert plain(parse_fq(text)) == condition
    except InvalidQuery as error:
        assert "fewer" in str(error) or "at most" in str(error)


@given(st.text(max_size=60) | st.text('()"[]{}:!-&|*? \\aTOND_.', max_size=60))
def test_any_text_is_a_filter_or_is_refused_with_its_place(text: str) -> None:
    for parse in (parse_fq, parse_list):
        try:
            parse(text)
        except InvalidQuery as error:
            assert error.position is not None
            assert 0 <= error.position <= len(text)


def test_what_a_filter_says() -> None:
    assert parse_fq("  ") is None
    assert parse_fq('a:("b" AND NOT c)') == Every((Leaf(Term("a", "b", 4)), Negated(Leaf(Term("a", "c", 15)))))
    assert parse_fq("n:{1 TO *]") == Leaf(Span("n", "1", None, False, True, 2))
    assert parse_fq('d:["2026-01-01T00:00:00Z" TO 2026-02-01T00:00:00Z]') == Leaf(
        Span("d", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", True, True, 2)
    )
    assert parse_fq("!_exists_:x") == Negated(Leaf(Present("x", 10)))
    assert parse_fq(r"a:U\.S\. b") == Some((Leaf(Term("a", "U.S.", 2)), Leaf(Term(None, "b", 9))))
    assert parse_fq("well-known") == Leaf(Term(None, "well-known", 0))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a AND", "Something is missing"),
        ("OR a", "Something is missing"),
        ("()", "Something is missing"),
        ("(a", "never closed"),
        ("a)", "never opened"),
        ("a:(b:c)", "inside another's"),
        ("[1 TO 2]", "no field"),
        ("a:b*", "no wildcards"),
        ('a:"b', "can't be read"),
        ("a:[1 2]", "can't be read"),
        ("(" * 40 + "a" + ")" * 40, "deep"),
        ("a " * 200, "more than"),
        ("a" * 3_000, "characters"),
    ],
)
def test_what_is_no_filter_is_told(text: str, problem: str) -> None:
    with pytest.raises(InvalidQuery, match=problem):
        parse_fq(text)


@pytest.mark.parametrize(
    "text", ["", ",", "a,", "|a", "a||b", "-", "(a", "a)", "()", "a(b)", "(" * 40 + "a" + ")" * 40, "a," * 200 + "a"]
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuery):
        parse_list(text)


def test_a_list_of_known_things() -> None:
    assert holds(parse_list("a,-b|c"), {"a"}.__contains__)
    assert not holds(parse_list("a,(-b|c),-a"), {"a"}.__contains__)
    assert holds(parse_list(" - a | a "), {"b"}.__contains__)


def test_the_facets_say_what_the_messages_say(here: TestClient, courier: Courier) -> None:
    def facets(**parameters: str) -> Any:
        answer = here.get("/svc/search/v2/articlesearch.json", params={"facet": "true", **parameters})
        assert answer.status_code == 200, answer.text
        return answer.json()["response"].get("facets")

    def counted(values: list[str]) -> list[tuple[str, int]]:
        return sorted(((value, values.count(value)) for value in set(values)), key=lambda one: (-one[1], one[0]))

    everything = list(courier.articles.values())
    city = [data for data in everything if data["section"] == "City"]
    fields = "section_name,day_of_week,pub_month,type_of_material,ingredients"
    ignoring = facets(facet_fields=fields, fq="section_name:City")
    filtered = facets(facet_fields=fields, fq="section_name:City", facet_filter="true")
    for name, value in (
        ("section_name", lambda data: data["section"]),
        ("day_of_week", lambda data: moment(data).strftime("%A")),
        ("pub_month", lambda data: str(moment(data).month)),
        ("type_of_material", lambda data: data["type_of_material"]),
    ):
        for of, told in ((everything, ignoring), (city, filtered)):
            counts = counted([value(data) for data in of])
            assert [(term["term"], term["count"]) for term in told[name]["terms"]] == counts[:5]
            assert (told[name]["total"], told[name]["missing"]) == (len(of), 0)
            assert told[name]["other"] == len(of) - sum(count for _, count in counts[:5])
            assert told["ingredients"] == {"_type": "terms", "missing": len(of), "total": 0, "other": 0, "terms": []}
    assert facets(facet_field="source") == {
        "source": {
            "_type": "terms",
            "missing": 0,
            "total": 95,
            "other": 0,
            "terms": [{"term": "Calder Bay Courier", "count": 95}],
        }
    }
    assert here.get("/svc/search/v2/articlesearch.json?facet_fields=source").json()["response"].get("facets") is None
    for wrong in ("headline", "a,b", "day_of_week,document_type,news_desk,pub_month,pub_year,source"):
        assert here.get("/svc/search/v2/articlesearch.json", params={"facet_fields": wrong}).status_code == 400


def test_a_tag_is_meant_by_its_whole_name_or_by_words_in_it(here: TestClient, courier: Courier) -> None:
    def found(fq: str) -> int:
        answer = here.get("/svc/search/v2/articlesearch.json", params={"fq": fq})
        assert answer.status_code == 200, answer.text
        return answer.json()["response"]["meta"]["hits"]

    of_trust = len(courier.tagged("organization", "Calder Harbour Trust"))
    assert of_trust > 0
    assert found('organizations:"Calder Harbour Trust"') == of_trust
    assert found('organizations:"Calder Harbour"') == found('organizations:"Harbour"') == 0
    assert found('persons:"Calder Harbour Trust"') == found('subject.contains:"Calder Trust"') == 0
    assert found('organizations.contains:"trust calder"') >= of_trust
    everybody = {data["name"] for data in courier.latest.values() if data.get("type") == "organization"}
    tagged = {uri for name in everybody for uri in courier.tagged("organization", name)}
    assert found("_exists_:organizations") == found("organizations:*") == len(tagged)
    assert found('organizations.contains:""') == found('section_name.contains:""') == found('section_name:""') == 0
    counts = [data["word_count"] for data in courier.articles.values()]
    assert found(f"word_count:[{counts[0]} TO {counts[0]}]") == counts.count(counts[0]) > 0
    assert found(f"word_count:{{{counts[0]} TO {counts[0]}}}") == found(f"word_count:[{counts[0]} TO 0]") == 0
    writer = courier.latest[next(iter(courier.articles.values()))["bylines"][0]]["name"]
    assert found(f'byline:"{writer.split()[1].lower()}"') == found(f'byline:"{writer}"') > 0

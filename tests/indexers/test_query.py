"""The query language: what each text means, and that every other text is refused with a place and a remedy."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexers.dates import parse_range
from indexers.errors import InvalidQuery
from indexers.limits import QUERY_CHARACTERS_MAX, QUERY_CLAUSES_MAX
from indexers.query import All, AnyOf, Dated, Expression, Match, Not, parse

UNTYPABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
A, B, C = Match("a"), Match("b"), Match("c")
YEAR_2020, YEAR_2021, YEAR_2022 = 1_577_836_800, 1_609_459_200, 1_640_995_200


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("", None),
        (" \t\n\x00 ", None),
        ("a", A),
        ("a b", All((A, B))),
        ("a AND b", All((A, B))),
        ("a and b", All((A, Match("and"), B))),
        ("a OR b", AnyOf((A, B))),
        ("a b OR c", AnyOf((All((A, B)), C))),
        ("a (b OR c)", All((A, AnyOf((B, C))))),
        ("a(b)c", All((A, B, C))),
        ("((a))", A),
        ("-a", Not(A)),
        ("NOT a", Not(A)),
        ("NOT NOT a", Not(Not(A))),
        ("a -b", All((A, Not(B)))),
        ("a -(b OR c)", All((A, Not(AnyOf((B, C)))))),
        ("a -field:b", All((A, Not(Match("b", "field"))))),
        ("NOT a OR b", AnyOf((Not(A), B))),
        ('"a b"', Match("a b", quoted=True)),
        ("“a b”", Match("a b", quoted=True)),
        ("„a b“ c", All((Match("a b", quoted=True), C))),
        ('"OR"', Match("OR", quoted=True)),
        ('-"a b"', Not(Match("a b", quoted=True))),
        ('a"b"', All((A, Match("b", quoted=True)))),
        ("field:a", Match("a", "field")),
        ("field.inner:a", Match("a", "field.inner")),
        ('field:"a b"', Match("a b", "field", quoted=True)),
        ('field:""', Match("", "field", quoted=True)),
        ("field:-5", Match("-5", "field")),
        ("field:.net", Match(".net", "field")),
        ("date:2020", Dated(YEAR_2020, YEAR_2021)),
        ("date:2020..2021", Dated(YEAR_2020, YEAR_2022)),
        ('date:"2020..2021"', Dated(YEAR_2020, YEAR_2022)),
        ("date:2021..", Dated(YEAR_2021, None)),
        ("date:..2021", Dated(None, YEAR_2022)),
        ("date:>=2021", Dated(YEAR_2021, None)),
        ("date:>2020", Dated(YEAR_2021, None)),
        ("date:<2021", Dated(None, YEAR_2021)),
        ("date:<=2021", Dated(None, YEAR_2022)),
        ("date:2020-12", Dated(YEAR_2021 - 31 * 86_400, YEAR_2021)),
        ("date:2020-12-31", Dated(YEAR_2021 - 86_400, YEAR_2021)),
        ("date:2021-01-01T00:00:00Z", Dated(YEAR_2021, YEAR_2021 + 1)),
        ("date:>2021-01-01T01:00:00+01:00", Dated(YEAR_2021 + 1, None)),
        # What is no syntax of ours only separates words, and what is no word is passed over.
        ("a - b", All((A, B))),
        ("a & b!", All((A, Match("b!")))),
        ("--a", Match("--a")),
        ("12:30", Match("12:30")),
        ("Re: a", All((Match("Re:"), A))),
        ("http://a/b", Match("http://a/b")),
        ("field:*", Match("field:*")),
        ("a* b~2 c^9 [a TO b]", All((Match("a*"), Match("b~2"), Match("c^9"), Match("[a"), Match("TO"), Match("b]")))),
        ("'; DROP TABLE a; --", All((Match("DROP"), Match("TABLE"), Match("a;")))),
        ("a\x00b\ud800c", All((A, B, C))),
        ("مرحبا 北京", All((Match("مرحبا"), Match("北京")))),
    ],
)
def test_a_text_means_this(text: str, expression: Expression | None) -> None:
    assert parse(text) == expression


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ('a "b', 2, "never closed"),
        ('6" pipe', 1, "never closed"),
        ('field:"a', 6, "never closed"),
        ("a (b", 2, "never closed"),
        ("a) b", 1, "never opened"),
        ("a ()", 2, "nothing between"),
        ("(-)", 0, "nothing between"),
        ("OR a", 0, "nothing in front"),
        ("AND", 0, "nothing in front"),
        (")", 0, "nothing in front"),
        ("a OR", 2, "nothing behind OR"),
        ("a OR OR b", 2, "nothing behind OR"),
        ("a AND", 2, "nothing behind AND"),
        ("a AND OR b", 2, "nothing behind AND"),
        ("a NOT", 2, "nothing behind NOT"),
        ("(a -) b NOT )", 8, "nothing behind NOT"),
        ("a -& b", 2, "nothing to leave out"),
        ("*:*", 0, "no letter or digit"),
        ("🦊", 0, "no letter or digit"),
        ("{}", 0, "no letter or digit"),
        ("a field:(b c)", 2, "one word or one phrase"),
        ("field:>=5", 0, "Only date takes a comparison"),
        ("a date:soon", 2, "no date"),
        ("date:2020-13", 0, "no date"),
        ("date:2020-02-30", 0, "no date"),
        ("date:0000", 0, "no date"),
        ("date:..", 0, "no date"),
        ("date:2020...2021", 0, "no date"),
        ("date:10000", 0, "no date"),
        ("date:٢٠٢٠", 0, "no date"),
        ("(" * 17 + "a" + ")" * 17, 17, "deep"),
        ("-(" * 9 + "a" + ")" * 9, 17, "deep"),
        ("a " * (QUERY_CLAUSES_MAX + 1), 2 * QUERY_CLAUSES_MAX, "more than 128 words"),
        ("a" * (QUERY_CHARACTERS_MAX + 1), QUERY_CHARACTERS_MAX, "2001 characters"),
        ("(" * 10_000, QUERY_CHARACTERS_MAX, "10000 characters"),
    ],
)
def test_a_text_is_refused_with_its_place_and_a_remedy(text: str, position: int, problem: str) -> None:
    with pytest.raises(InvalidQuery, match=problem) as refused:
        parse(text)
    assert refused.value.position == position
    assert refused.value.remedy
    assert len(str(refused.value)) < 300


def test_a_message_as_a_person_sees_it() -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse('the "lazy fox')
    assert str(refused.value) == "A quotation mark is never closed (at character 5). Close it, or leave it out."


@given(
    st.text(st.characters(), max_size=60)
    | st.lists(
        st.sampled_from(
            ['"', "(", ")", " OR ", " AND ", " NOT ", "-", "field:", "date:", "2020", "..", ">=", "a", "*", "\ud800"]
        ),
        max_size=25,
    ).map("".join)
)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    refused = None
    try:
        assert (parse(text) is None) == (not UNTYPABLE.sub(" ", text).strip())
    except InvalidQuery as error:
        refused = error
    if refused is not None:
        assert refused.position is not None
        assert 0 <= refused.position <= len(text)


@given(st.dates(), st.dates())
def test_a_range_of_days_begins_and_ends_with_them(first: object, last: object) -> None:
    begin, end = parse_range(f"{first}..{last}")
    assert parse_range(str(first)) == (begin, begin + 86_400)
    assert parse_range(str(last))[1] == end
    assert parse_range(f">={first}") == (begin, None)
    assert parse_range(f"<={last}") == (None, end)

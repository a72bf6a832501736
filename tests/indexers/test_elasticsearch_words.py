"""The words that slips are looked for among are those that the analyzer finds, however they are read out of a text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexers import native
from indexers.engine.fields import word_analyzer
from indexers.limits import TOKEN_BYTES_MAX

ANALYZER = word_analyzer()
PIECES = ["fox", "FOXES", "the", "18F", "\u2019s", "\u2014", "caf\u00e9", "\u00e9", " ", "\n", ".", "_", "\u00a0", "\u2028", "\u0660", "\u212a", "\u0130", "\U0001f98a",
          "a" * TOKEN_BYTES_MAX, "b" * (TOKEN_BYTES_MAX + 1), "\u5317\u4eac", "\x00", "\u0301", "\u200d", "\ufb01"]  # fmt: skip


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@example("")
@example("x " * 5_000)
def test_they_are_the_analyzers_words_each_once(text: str) -> None:
    words, rest = native.words(text, TOKEN_BYTES_MAX)
    assert len(words) == len(set(words))
    assert {*words, *ANALYZER.analyze(rest)} == set(ANALYZER.analyze(text))


def test_what_is_plain_needs_no_analyzer() -> None:
    words, rest = native.words("The fox\u2019s Fox den \u2014 caf\u00e9\nx_y", TOKEN_BYTES_MAX)
    assert (words, rest) == (["the", "fox", "s", "den", "x", "y"], "caf\u00e9")


def test_many_words_and_long_ones_are_each_found(subtests: pytest.Subtests) -> None:
    for count in (1, 31, 32, 33, 1_000, 70_000):
        with subtests.test(count=count):
            expected = [f"w{number}" for number in range(count)]
            assert native.words(" ".join(expected * 2), TOKEN_BYTES_MAX) == (expected, "")

"""Marks in a document's text what a query was looking for, by the analysis that found it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import tantivy

from indexers.engine.fields import Analyzers
from indexers.engine.matching import Sought
from indexers.limits import FRAGMENT_CHARACTERS_MAX, HIGHLIGHT_CHARACTERS_MAX
from indexers.port import Highlight

_Mark = tuple[int, int]


Test = Callable[[str], bool]
"""Whether a folded word, its ending left on, is to be marked."""


def highlights(
    text: Mapping[str, Sequence[str]], sought: Iterable[Sought], tests: Sequence[Test], analyzers: Analyzers
) -> dict[str, Highlight]:
    """Text path to the fragment with the most hits in it, for paths with any."""
    found: dict[str, Highlight] = {}
    for path, strings in text.items():
        wanted = {words.tokens for words in sought if words.path in {None, path}}
        if not wanted and not tests:
            continue
        best: Highlight | None = None
        left = HIGHLIGHT_CHARACTERS_MAX
        for string in strings:
            if left <= 0:
                break
            highlight = _highlight(string[:left], wanted, tests, analyzers)
            left -= len(string)
            if highlight is not None and (best is None or len(highlight.marks) > len(best.marks)):
                best = highlight
        if best is not None:
            found[path] = best
    return found


def _highlight(
    text: str, wanted: set[tuple[str, ...]], tests: Sequence[Test], analyzers: Analyzers
) -> Highlight | None:
    marks = _marks(analyzers.text.pre_tokenize(text).tokens, wanted) if wanted else []
    if tests:
        words = analyzers.words.pre_tokenize(text).tokens
        places = [
            (word.char_offset_from, word.char_offset_to) for word in words if any(test(word.text) for test in tests)
        ]
        marks = _united(sorted({*marks, *places}))
    if not marks:
        return None
    if len(text) <= FRAGMENT_CHARACTERS_MAX:
        return Highlight(text, tuple(marks))
    inside = max((_from(marks, number) for number in range(len(marks))), key=len)
    begin, end = _window(text, inside[0][0], inside[-1][1])
    return Highlight(text[begin:end], tuple((first - begin, min(last, end) - begin) for first, last in inside))


def _marks(tokens: Sequence[tantivy.Token], wanted: set[tuple[str, ...]]) -> list[_Mark]:
    """Where the sought words stand side by side; places that overlap are one."""
    words = [token.text for token in tokens]
    first_words = {sequence[0] for sequence in wanted}
    if first_words.isdisjoint(words):
        return []
    marks: list[_Mark] = []
    for number, word in enumerate(words):
        if word not in first_words:
            continue
        for sequence in wanted:
            last = number + len(sequence) - 1
            if (
                tuple(words[number : last + 1]) != sequence
                or tokens[last].position - tokens[number].position != last - number
            ):
                continue
            begin, end = tokens[number].char_offset_from, tokens[last].char_offset_to
            if marks and begin < marks[-1][1]:
                before = marks.pop()
                begin, end = before[0], max(before[1], end)
            marks.append((begin, end))
    return marks


def _united(marks: Iterable[_Mark]) -> list[_Mark]:
    """Places in order, those that overlap as one."""
    united: list[_Mark] = []
    for begin, end in marks:
        if united and begin < united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], end)
        else:
            united.append((begin, end))
    return united


def _from(marks: Sequence[_Mark], number: int) -> Sequence[_Mark]:
    """The marks from this one on that fit into one fragment; it alone does in any case."""
    begin = marks[number][0]
    last = number
    while last + 1 < len(marks) and marks[last + 1][1] - begin <= FRAGMENT_CHARACTERS_MAX:
        last += 1
    return marks[number : last + 1]


def _window(text: str, first: int, last: int) -> tuple[int, int]:
    """A fragment around what lies between the two, cut between words where there are any."""
    spare = max(FRAGMENT_CHARACTERS_MAX - (last - first), 0)
    begin = max(min(first - spare // 2, len(text) - FRAGMENT_CHARACTERS_MAX), 0)
    end = min(max(begin + FRAGMENT_CHARACTERS_MAX, first + 1), len(text))
    if begin > 0 and not text[begin - 1].isspace():
        space = text.find(" ", begin, first)
        begin = space + 1 if space >= 0 else begin
    if end < len(text) and not text[end].isspace():
        space = text.rfind(" ", last, end)
        end = space if space >= 0 else end
    return begin, end

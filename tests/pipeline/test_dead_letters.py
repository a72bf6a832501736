"""Dead letters are added one run after the other, and a stream finds in their file what it is asked for."""

from contextlib import closing
from pathlib import Path

from denormalizer.fold import DeadLetter
from pipeline.dead_letters import DeadLetters, Replayed


def letter(offset: int, reason: str = "cut short") -> DeadLetter:
    return DeadLetter(offset, "x://a/1", "malformed-avro", reason, b"\0value")


def test_letters_are_added_beside_those_that_are_there(tmp_path: Path) -> None:
    with closing(DeadLetters(tmp_path / "letters")) as letters:
        letters.replace([letter(4), letter(2)])
        letters.add([letter(3), letter(4, "told again")])
        assert list(letters.all()) == [letter(2), letter(3), letter(4, "told again")]
        letters.add([])
        letters.remove([letter(2), letter(3)], letters.mark())
        assert letters.counts() == {"malformed-avro": 1}


def test_a_request_is_answered_to_whoever_asked_by_the_stream_that_was_asked(tmp_path: Path) -> None:
    with closing(DeadLetters(tmp_path / "letters")) as here, closing(DeadLetters(tmp_path / "letters")) as there:
        first, other = here.ask("g1"), here.ask("g2")
        assert there.asked("g1") == [first]
        assert here.answer_to(first) is None
        there.answer(first, Replayed(1, 2, 3))
        assert there.asked("g1") == []
        assert here.answer_to(first) == Replayed(1, 2, 3)
        assert there.asked("g2") == [other]
        here.withdraw(other)
        assert there.asked("g2") == []
        assert here.answer_to(other) is None

"""How long an index has been behind."""

from publog.telemetry.lag import SAMPLES_MAX, LagClock


def test_an_index_is_behind_since_the_oldest_message_it_lacks_was_seen() -> None:
    clock = LagClock()
    clock.seen(4, 4, 10.0)
    assert clock.seconds(100.0) == 0
    clock.seen(6, 4, 20.0)
    clock.seen(8, 4, 30.0)
    assert clock.seconds(35.0) == 15.0
    clock.seen(8, 5, 36.0)
    assert clock.seconds(36.0) == 16.0, "offset 6 came with 5, and is missing still"
    clock.seen(8, 6, 40.0)
    assert clock.seconds(40.0) == 10.0
    clock.seen(8, 8, 41.0)
    assert clock.seconds(50.0) == 0


def test_a_log_that_was_ahead_before_anyone_looked_is_behind_since_then() -> None:
    clock = LagClock()
    clock.seen(1_000, 3, 7.0)
    assert clock.seconds(9.5) == 2.5


def test_it_remembers_a_bounded_number_of_times_and_the_oldest_of_them() -> None:
    clock = LagClock()
    for offset in range(10 * SAMPLES_MAX):
        clock.seen(offset, -1, float(offset))
    assert clock.seconds(20_000.0) == 20_000.0
    assert len(clock._samples) <= SAMPLES_MAX
    clock.seen(10 * SAMPLES_MAX, 10 * SAMPLES_MAX, 20_000.0)
    assert clock.seconds(20_000.0) == 0

"""Dates as documents and people write them, in seconds since 1970-01-01T00:00:00Z."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY_SECONDS: Final = 86_400
_SECOND: Final = timedelta(seconds=1)
_PERIOD: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?\Z")

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

EARLIEST: Final = (date.min.toordinal() - _EPOCH_DAY - 1) * _DAY_SECONDS
"""No date lies before this second: the year 1, in any zone."""

LATEST: Final = (date.max.toordinal() - _EPOCH_DAY + 2) * _DAY_SECONDS - 1
"""No date lies behind this second: the year 9999, in any zone."""

Range = tuple[int | None, int | None]
"""The first second and the one behind the last; None: open on that side."""


@lru_cache(maxsize=4_096)
def seconds_of(text: str) -> int | None:
    """The second of a timestamp (RFC 3339; UTC where it names no zone) or the first of a date; None if it is neither."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // _SECOND


def part_of(text: str, part: str) -> str | int | None:
    """The year, the month (1 to 12) or the weekday ("Monday") of a timestamp in UTC, or of a date; None if it is neither."""
    second = seconds_of(text)
    if second is None:
        return None
    try:
        time = _EPOCH + second * _SECOND
    except OverflowError:
        return None
    match part:
        case "year":
            return time.year
        case "month":
            return time.month
        case _:
            return _WEEKDAYS[time.weekday()]


def parse_range(text: str) -> Range:
    """The range in `2020`, `2020-03`, `2020-03-05`, a timestamp, `A..B`, `A..`, `..B`, `>=A`, `>A`, `<=A` or `<A`.

    A year, month or day is all of its seconds, so `2020..2021` is two whole years and `>2020` begins with 2021.

    Raises:
        ValueError: it is none of these.
    """
    first, dots, last = text.partition("..")
    if dots:
        if not (first or last):
            raise ValueError(text)
        return (_period(first)[0] if first else None, _period(last)[1] if last else None)
    operator = text[: 2 if text[1:2] == "=" else 1]
    if operator not in {">", ">=", "<", "<="}:
        return _period(text)
    begin, end = _period(text[len(operator) :])
    match operator:
        case ">=":
            return begin, None
        case ">":
            return end, None
        case "<=":
            return None, end
        case _:
            return None, begin


def _period(text: str) -> tuple[int, int]:
    """The first second of a year, month, day or second, and the one behind its last."""
    match = _PERIOD.match(text)
    if match is None:
        second = seconds_of(text) if "T" in text.upper() else None
        if second is None:
            raise ValueError(text)
        return second, second + 1
    year, month, day = int(match[1]), match[2] and int(match[2]), match[3] and int(match[3])
    begin = date(year, month or 1, day or 1).toordinal()
    if day:
        end = begin + 1
    elif month and month < 12:
        end = date(year, month + 1, 1).toordinal()
    else:
        end = date.max.toordinal() + 1 if year == date.max.year else date(year + 1, 1, 1).toordinal()
    return (begin - _EPOCH_DAY) * _DAY_SECONDS, (end - _EPOCH_DAY) * _DAY_SECONDS

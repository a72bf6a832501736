"""Times as people read them."""

from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(text: str | None) -> Markup:
    """An RFC 3339 time in UTC as a <time>; the text itself where it is none."""
    try:
        at = datetime.fromisoformat(text or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return Markup().join([text or ""])
    shown = f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        text, text, f"{shown}:{at:%S}" if at.second else shown
    )

"""What to call an asset or a view where there is room for a line."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

_NAMES: Final = ("headline", "name", "title", "caption", "alt", "slug")
"""Fields that name what they stand in, in most newsrooms; the first that has words is taken."""


def title_of(content: Mapping[str, Any]) -> str:
    """The title in a view's content or an asset's data; its URI, or nothing, where no field names it."""
    for name in (*_NAMES, "uri"):
        value = content.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def titles_in(content: object) -> dict[str, str]:
    """What is nested in a view's content, by URI."""
    return {
        record["uri"]: title
        for record in _records(content)
        if isinstance(record.get("uri"), str) and (title := title_of(record)) != record["uri"]
    }


def _records(value: object) -> Iterator[Mapping[str, Any]]:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            record = cast("dict[str, Any]", one)
            yield record
            pending.extend(record.values())
        elif isinstance(one, list):
            pending.extend(cast("list[Any]", one))

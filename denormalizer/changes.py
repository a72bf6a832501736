"""What changed between two versions of an asset or a view, as paths."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

ABSENT: Final = object()
"""Stands for a value that one of the two does not have."""


class Change(NamedTuple):
    """A place where two JSON values differ."""

    path: str
    before: Any
    after: Any


def changes(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """The innermost places where two JSON values differ; array items are compared by their place."""
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        for name in dict.fromkeys((*old, *new)):
            yield from changes(old.get(name, ABSENT), new.get(name, ABSENT), f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(after, list):
        was, now = cast("list[Any]", before), cast("list[Any]", after)
        for number in range(max(len(was), len(now))):
            yield from changes(
                was[number] if number < len(was) else ABSENT,
                now[number] if number < len(now) else ABSENT,
                f"{path}[{number}]",
            )
    elif before is not after and (before != after or isinstance(before, bool) != isinstance(after, bool)):
        yield Change(path, before, after)

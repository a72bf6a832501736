# What it does stands in native.pyx.
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from assets.schema import Record

def cutter(
    record: Record,
    shapes: Sequence[tuple[Sequence[str], Sequence[str]]],
    ids: Iterable[int],
    make: Callable[[list[bytes], Any], Any],
    bytes_max: int,
) -> Callable[[str, bytes], list[Any] | None] | None: ...
def encoder(record: Record) -> Callable[[bytes, dict[str, Any]], bytes | None] | None: ...

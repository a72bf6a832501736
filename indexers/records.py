"""View records as lines: taken apart and put together without touching a byte of content or sources."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson

from denormalizer.view import View
from indexers.errors import InvalidRecord
from indexers.limits import LINE_BYTES_MAX, READ_BYTES

_HEAD: Final = re.compile(
    rb'\{"view":"([^"\\]+)","uri":"([^"\\]+)","version":([0-9]+),"state":"(live|gone)","content":(?=\{)'
)
_SOURCES: Final = b',"sources":{'
_BOUNDS: Final = b',"bounds":'


def read_record(line: bytes, place: str) -> View:
    """The inverse of `View.to_line`, byte for byte, without parsing the content.

    Raises:
        InvalidRecord: it is no such line; `place` says where it stands.
    """
    head = _HEAD.match(line)
    # In content a quotation mark stands escaped inside a string, and sources hold no object: the last one is the record's.
    middle = line.rfind(_SOURCES)
    if head is None or middle < head.end():
        raise InvalidRecord(place, f"this is no view record: {line[:100]!r}")
    end = line.find(b"}", middle) + 1
    tail = line[end:]
    bounds: list[str] = []
    if tail != b"}":
        if not tail.startswith(_BOUNDS):
            raise InvalidRecord(place, f"a view record does not end like this: {line[-100:]!r}")
        try:
            bounds = orjson.loads(tail[len(_BOUNDS) : -1])
        except orjson.JSONDecodeError:
            raise InvalidRecord(place, f"a view record does not end like this: {line[-100:]!r}") from None
    return View(
        head[1].decode(),
        head[2].decode(),
        int(head[3]),
        "live" if head[4] == b"live" else "gone",
        line[head.end() : middle],
        line[middle + len(_SOURCES) - 1 : end],
        tuple(bounds),
    )


def read_content(view: View, place: str) -> dict[str, Any]:
    """A view's content, parsed.

    Raises:
        InvalidRecord: it is no JSON object.
    """
    try:
        content: Any = orjson.loads(view.content)
    except orjson.JSONDecodeError as error:
        raise InvalidRecord(place, f"the content of {view.view} {view.uri} is not JSON ({error})") from None
    if not isinstance(content, dict):
        raise InvalidRecord(place, f"the content of {view.view} {view.uri} is no JSON object")
    return cast("dict[str, Any]", content)


def read_sources(view: View, place: str) -> list[str]:
    """The URIs of a view's closure.

    Raises:
        InvalidRecord: the sources are no JSON object.
    """
    try:
        sources: Any = orjson.loads(view.sources)
    except orjson.JSONDecodeError as error:
        raise InvalidRecord(place, f"the sources of {view.view} {view.uri} are not JSON ({error})") from None
    if not isinstance(sources, dict):
        raise InvalidRecord(place, f"the sources of {view.view} {view.uri} are no JSON object")
    return list(cast("dict[str, Any]", sources))


def open_part(part: Path) -> BinaryIO:
    """A file of view records.

    Raises:
        InvalidRecord: it can't be opened.
    """
    try:
        return part.open("rb", buffering=READ_BYTES)
    except OSError as error:
        raise InvalidRecord(str(part), f"it can't be read ({error.strerror})") from None


def open_parts(parts: Iterable[Path]) -> Iterator[tuple[BinaryIO, str]]:
    """Files of view records, one after the other, each with its name."""
    for part in parts:
        with open_part(part) as file:
            yield file, str(part)


def read_lines(file: BinaryIO, name: str) -> Iterator[tuple[bytes, str]]:
    """The lines of a file, without their ends, each with its place.

    Raises:
        InvalidRecord: a line is too long or the last one was cut off.
    """
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        place = f"{name}:{number}"
        if not line.endswith(b"\n"):
            whole = len(line) <= LINE_BYTES_MAX
            raise InvalidRecord(place, "the last line has no end" if whole else f"longer than {LINE_BYTES_MAX} bytes")
        yield line[:-1], place


def check_end(file: BinaryIO, name: str) -> None:
    """See that a file ends with a whole line; its position stays at the beginning.

    Raises:
        InvalidRecord: the last line was cut off.
    """
    if file.seek(0, os.SEEK_END) > 0:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            raise InvalidRecord(name, "the last line has no end")
    file.seek(0)

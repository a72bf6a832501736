"""Intake: messages from JSON Lines files, plain or compressed, in bounded memory."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast
from uuid import uuid4

from assets.errors import AssetsError, UnreadableFile
from assets.limits import LINE_BYTES_MAX

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STANDARD_INPUT: Final = "-"
_BUFFER_BYTES: Final = 1024 * 1024


class Line(NamedTuple):
    """One line with something on it."""

    number: int
    """From 1, empty lines counted."""
    text: bytes | None
    """None when it is too long to be looked at."""
    id: str
    """What stands in for the message's `id` when it has none: this line, behind exactly the lines before it. So the
    same file again, or a longer one that begins like it, is recognised line by line."""


def read_lines(name: str) -> Iterator[Line]:
    """The lines of a `.jsonl`, `.gz` or `.zst` file; `-` is standard input.

    Raises:
        UnreadableFile: when it is missing, cut short, or not what its name says.
    """
    number = 0
    try:
        with _open(name) as file:
            for line in _lines(file):
                number = line.number
                yield line
    except AssetsError:
        raise
    except FileNotFoundError:
        raise UnreadableFile(f"{name}: there is no such file") from None
    except (OSError, EOFError, zlib.error, zstd.ZstdError) as error:
        beyond = f" beyond line {number:,}; publish it again once it is whole" if number else ""
        raise UnreadableFile(f"{name}: can't be read{beyond}: {error}") from None


def new_lines(file: IO[bytes]) -> Iterator[Line]:
    """The lines of an open file that is sent once: each stands for itself, whatever was sent before."""
    for line in _lines(file):
        yield line._replace(id=uuid4().hex)


def _open(name: str) -> IO[bytes]:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer
    match Path(name).suffix:
        case ".gz":
            return cast("IO[bytes]", BufferedReader(cast("Any", gzip.open(name)), _BUFFER_BYTES))
        case ".zst":
            return cast("IO[bytes]", BufferedReader(cast("Any", zstd.open(name)), _BUFFER_BYTES))
        case _:
            return Path(name).open("rb", buffering=_BUFFER_BYTES)


def _lines(file: IO[bytes]) -> Iterator[Line]:
    chain = blake2b(digest_size=12)
    number = 0
    while text := file.readline(LINE_BYTES_MAX + 2):
        number += 1
        too_long = len(text) > LINE_BYTES_MAX and len(text.rstrip(b"\r\n")) > LINE_BYTES_MAX
        while too_long and text and not text.endswith(b"\n"):
            chain.update(text)
            text = file.readline(LINE_BYTES_MAX)
        text = text.strip()
        if text or too_long:
            chain.update(text)
            # Line numbers first: the ids of one import lie side by side in an index.
            yield Line(number, None if too_long else text, f"line-{number:09}-{chain.hexdigest()}")

"""Bodies as they come in: decompressed, counted and timed on the way, so that none costs more than its bounds."""

import re
import sys
import zlib
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Any, Final, Protocol

import anyio
from starlette.requests import ClientDisconnect, Request

from publog.server.limits import BODY_BYTES_MAX, BODY_MEMORY_BYTES, BODY_SECONDS_MAX, JSON_DEPTH_MAX
from publog.server.problems import Problem

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Spool = SpooledTemporaryFile[bytes]

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
ENCODINGS: Final = ("identity", "gzip", "zstd")

_PIECE_BYTES: Final = 64 * 1024
"""What is decompressed at a time, before it is counted."""

_WINDOW_LOG_MAX: Final = 23
"""8 MiB: what a decoder of the zstd content coding must be able to keep (RFC 9659)."""

# Everything matches, an unfinished text too: no text makes it look twice.
_BRACKETS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def media_type(request: Request, known: tuple[str, ...]) -> str:
    """The type of the body that was sent, one of those known.

    Raises:
        Problem: it is none of them.
    """
    type_, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if type_.strip().lower() in known and charset in ("", "utf-8"):
        return type_.strip().lower()
    raise Problem(
        415,
        "unsupported-media-type",
        "The body is of another type",
        f"Send {' or '.join(known)} in UTF-8, and say so in Content-Type.",
        headers={"Accept-Post": ", ".join(known)},
        known=list(known),
    )


async def receive(request: Request) -> Spool:
    """The whole body, decompressed, at its begin; the caller closes it.

    Raises:
        Problem: it is too large, too slow, cut short or not compressed as it says.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared) > BODY_BYTES_MAX:
        raise _too_large("The body")
    decoder = _decoder(request.headers.get("content-encoding", "identity").strip().lower())
    spool: Spool = SpooledTemporaryFile(BODY_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
    try:
        with anyio.fail_after(BODY_SECONDS_MAX):
            come = written = 0
            async for chunk in request.stream():
                come += len(chunk)
                if come > BODY_BYTES_MAX:
                    raise _too_large("The body")
                for piece in decoder.feed(chunk):
                    written += len(piece)
                    if written > BODY_BYTES_MAX:
                        raise _too_large("The decompressed body")
                    spool.write(piece)
        if not decoder.is_at_end:
            raise _undecodable("it is cut short")
    except BaseException as error:
        spool.close()
        match error:
            case TimeoutError():
                raise Problem(
                    408,
                    "request-timeout",
                    "The body came too slowly",
                    f"A body may take {BODY_SECONDS_MAX:g} seconds to come in; send less at a time.",
                    headers={"Connection": "close"},
                ) from None
            case ClientDisconnect():
                raise Problem(400, "cut-short", "The body was cut short", "The connection ended within it.") from None
            case zlib.error() | zstd.ZstdError():
                raise _undecodable(str(error)) from None
            case _:
                raise
    spool.seek(0)
    return spool


def check_depth(text: bytes, line: int | None = None) -> None:
    """Refuse JSON that is nested too deep, before anything recursive looks at it.

    Raises:
        Problem: it is.
    """
    if text.count(b"[") + text.count(b"{") <= JSON_DEPTH_MAX:
        return
    depth = 0
    for found in _BRACKETS.finditer(text):
        match found[0]:
            case b"[" | b"{":
                depth += 1
                if depth > JSON_DEPTH_MAX:
                    detail = f"has brackets more than {JSON_DEPTH_MAX} deep"
                    raise Problem(422, "too-deep", "The JSON is nested too deep", detail, line=line)
            case b"]" | b"}":
                depth -= 1
            case _:
                pass


class _Decoder(Protocol):
    """Takes what comes, gives what it is in pieces."""

    def feed(self, chunk: bytes) -> Iterator[bytes]: ...

    @property
    def is_at_end(self) -> bool: ...


class _Identity:
    is_at_end = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


class _Gzip:
    """One member behind the other."""

    def __init__(self) -> None:
        self._inner: Any = None
        self.is_at_end = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self._inner is None:
                self._inner = zlib.decompressobj(wbits=31)
                self.is_at_end = False
            piece = self._inner.decompress(chunk, _PIECE_BYTES)
            if piece:
                yield piece
            chunk = self._inner.unconsumed_tail
            if self._inner.eof:
                chunk, self._inner, self.is_at_end = self._inner.unused_data, None, True


class _Zstd:
    """One frame behind the other."""

    def __init__(self) -> None:
        self._inner: Any = None
        self.is_at_end = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self._inner is None:
                options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}
                self._inner = zstd.ZstdDecompressor(options=options)
                self.is_at_end = False
            piece = self._inner.decompress(chunk, _PIECE_BYTES)
            while piece or not (self._inner.needs_input or self._inner.eof):
                yield piece
                if self._inner.needs_input or self._inner.eof:
                    break
                piece = self._inner.decompress(b"", _PIECE_BYTES)
            chunk = b""
            if self._inner.eof:
                chunk, self._inner, self.is_at_end = self._inner.unused_data, None, True


def _decoder(encoding: str) -> _Decoder:
    match encoding:
        case "" | "identity":
            return _Identity()
        case "gzip" | "x-gzip":
            return _Gzip()
        case "zstd":
            return _Zstd()
        case _:
            raise Problem(
                415,
                "unsupported-encoding",
                "The body is encoded in another way",
                f"Content-Encoding may be {', '.join(ENCODINGS)}.",
                headers={"Accept-Encoding": ", ".join(ENCODINGS)},
                known=list(ENCODINGS),
            )


def _too_large(what: str) -> Problem:
    return Problem(
        413,
        "too-large",
        "The body is too large",
        f"{what} has more than {BODY_BYTES_MAX:,} bytes; send it in parts.",
        headers={"Connection": "close"},
    )


def _undecodable(reason: str) -> Problem:
    return Problem(400, "undecodable", "The body can't be decompressed", f"The body can't be decompressed: {reason}.")

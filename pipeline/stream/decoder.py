"""Decoding with the schemas that the log has now: publishers register new ones while a stream runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assets.catalog import Kind
from assets.codec import Codec
from assets.errors import Undecodable
from assets.log.port import Log


class Decoder:
    """A codec that is made anew when a message names a schema that was registered since."""

    def __init__(self, kinds: Mapping[str, Kind], log: Log) -> None:
        self._kinds = kinds
        self._log = log
        self._schemas = log.schemas()
        self._codec = Codec(kinds, self._schemas)

    def decode(self, kind: str, value: bytes) -> dict[str, Any]:
        """See `Codec.decode`."""
        try:
            return self._codec.decode(kind, value)
        except Undecodable as error:
            if error.code != "unknown-schema":
                raise
            schemas = self._log.schemas()
            if len(schemas) == len(self._schemas):
                raise
        self._schemas = schemas
        self._codec = Codec(self._kinds, schemas)
        return self._codec.decode(kind, value)

    def cutter(
        self, kind: str, shapes: Sequence[tuple[Sequence[str], Sequence[str]]], make: Callable[[list[bytes], Any], Any]
    ) -> Callable[[str, bytes], list[Any] | None]:
        """See `Codec.cutter`."""
        codec = self._codec
        made = codec.cutter(kind, shapes, make)

        def cut(uri: str, value: bytes) -> list[Any] | None:
            nonlocal codec, made
            if codec is not self._codec:
                codec = self._codec
                made = codec.cutter(kind, shapes, make)
            return None if made is None else made(uri, value)

        return cut

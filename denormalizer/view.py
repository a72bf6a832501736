"""The content view: the one record that the denormalizer emits and every sink stores."""

from typing import Any, Final, Literal, NamedTuple

import orjson

State = Literal["live", "gone"]

EMPTY_CONTENT: Final = b"{}"
"""The content of a view whose root is unpublished."""


class View(NamedTuple):
    """A content view at a watermark (DESIGN 2). `content` and `sources` are ready JSON."""

    view: str
    uri: str
    version: int
    """The highest offset of any message of the assets in the closure."""
    state: State
    content: bytes
    """A JSON object."""
    sources: bytes
    """A JSON object: every URI of the closure with its last offset, null where it was never published."""
    bounds: tuple[str, ...] = ()
    """The bounds that cut this view short: `nodes`, `bytes`; empty for nearly all."""

    def to_line(self) -> bytes:
        """The record as one JSON line, without the line end."""
        # View names and URIs hold no character that JSON escapes (checked by the catalog and the gateway).
        return (
            f'{{"view":"{self.view}","uri":"{self.uri}","version":{self.version},"state":"{self.state}","content":'
        ).encode() + b"".join(
            (
                self.content,
                b',"sources":',
                self.sources,
                b',"bounds":%b' % orjson.dumps(self.bounds) if self.bounds else b"",
                b"}",
            )
        )

    @classmethod
    def from_line(cls, line: bytes) -> "View":
        """The inverse of `to_line`, byte for byte.

        Raises:
            orjson.JSONDecodeError, KeyError: when the line is no view record.
        """
        record: dict[str, Any] = orjson.loads(line)
        return cls(
            record["view"],
            record["uri"],
            record["version"],
            record["state"],
            orjson.dumps(record["content"]),
            orjson.dumps(record["sources"]),
            tuple(record.get("bounds", ())),
        )

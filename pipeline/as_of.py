"""Views straight from the log, without an index: now or at any past offset, all or a few, through the one fold."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from assets.catalog import Catalog
from assets.codec import Codec
from assets.errors import Undecodable
from assets.log.port import Log
from assets.model import NEVER, Message, kind_of, microseconds
from denormalizer.as_of import AsOf
from denormalizer.fold import Fold
from denormalizer.fragments import to_json
from denormalizer.plan import Plan, compile_catalog
from denormalizer.view import View
from pipeline.errors import PipelineError

_DIGITS_MAX: Final = 100
"""No offset has so many, and to read more takes ever longer."""


class AssetVersion(NamedTuple):
    """One message of an asset."""

    message: Message
    data: bytes | None
    """A JSON object; None where it was unpublished or can't be read."""
    problem: str | None = None
    """Why it can't be read."""


class NoWatermark(PipelineError):
    """A text that names no offset and no time of a log. Terminal."""


class LogViews:
    """The views of a log as one catalog reads them."""

    def __init__(self, log: Log, catalog: Catalog) -> None:
        self._log = log
        self._codec = Codec(catalog.kinds, log.schemas())
        self.plan: Plan = compile_catalog(catalog)

    def at(self, last: int) -> AsOf:
        """The assets and views at a watermark, each read when it is asked for."""
        return AsOf(self.plan, self._codec, lambda uri: self._log.history(uri, last))

    def fold(self, last: int) -> Fold:
        """The fold of messages 0 to `last`, with nothing emitted."""
        fold = Fold(self.plan, self._codec, contiguous=self._log.contiguous)
        fold.apply(self._log.read(0, last))
        return fold

    def versions(self, view: str, uri: str, last: int) -> Iterator[View]:
        """Every version of one view up to `last`, newest first: as it stood at the end of each transaction."""
        while last > NEVER:
            found = next(self.at(last).views(uri, view), None)
            if found is None:
                return
            yield found
            # Nothing in its closure has a message between its version and `last`, so it was the same all the while.
            last = self._before_transaction(found.version)

    def asset_versions(self, uri: str, last: int) -> Iterator[AssetVersion]:
        """Every message of one asset up to `last`, newest first."""
        for message in self._log.history(uri, last):
            if message.value is None:
                yield AssetVersion(message, None)
                continue
            try:
                yield AssetVersion(message, to_json(self._codec.decode(kind_of(uri), message.value)))
            except Undecodable as error:
                yield AssetVersion(message, None, str(error))

    def _before_transaction(self, offset: int) -> int:
        """The last offset before the transaction that a message belongs to."""
        step = 1
        while True:
            start = max(offset - step, 0)
            ends = [message.offset for message in self._log.read(start, offset - 1) if message.tx_end]
            if ends:
                return ends[-1]
            if start == 0:
                return NEVER
            step *= 8


def watermark_of(log: Log, text: str) -> int:
    """The watermark that a text names: an offset, or the last message published at or before an RFC 3339 time.

    Raises:
        NoWatermark: with what to write instead.
    """
    if text.isascii() and text.isdigit():
        last = log.last_offset()
        if len(text) > _DIGITS_MAX or int(text) > last:
            raise NoWatermark(f"the log's last offset is {last}")
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise NoWatermark("give an offset, or a time like 2026-11-23T09:00:00Z") from None
    if time.tzinfo is None:
        raise NoWatermark("say the time's zone, as in 2026-11-23T09:00:00Z")
    return log.offset_at(microseconds(time))

"""Where the backfill of an index is, for whoever looks."""

from typing import NamedTuple

from assets.log.port import Log
from backfill.record import Record, Records
from indexers import Index
from pipeline.progress import Progress, progress_of


class Standing(NamedTuple):
    """How the backfill of a home is."""

    current: str
    """The generation that is searched; empty for none."""
    applied_through: int
    """Of that one."""
    last_offset: int
    at_work: bool
    """Whether a process works on it."""
    record: Record | None
    """The last backfill, finished or not."""
    through: int
    """The watermark of what it builds; -1 until it is built."""
    build: Progress | None


def standing(log: Log, index: Index, records: Records) -> Standing:
    """How it is now."""
    record = records.read()
    info = index.info()
    about = record and next((one for one in index.generations() if one.name == record.generation), None)
    return Standing(
        info.generation,
        info.applied_through,
        log.last_offset(),
        records.is_at_work(),
        record,
        about.applied_through if about else -1,
        record and progress_of(records.work(record.generation), record.shards, record.last),
    )

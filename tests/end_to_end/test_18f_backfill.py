"""The 18F history by every route: batch, stream, backfill and `views` agree byte for byte at the same watermark."""

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest

from assets.catalog import load_catalog
from assets.log import open_log
from backfill.run import Backfill
from indexers import open_index
from pipeline.as_of import LogViews
from pipeline.run import run_batch
from pipeline.stream.engine import Tuning
from tests.end_to_end.test_18f import DATA, History
from tests.support.logs import append
from tests.support.streaming import running

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the 18F history in {DATA} (PUBLOG_SHARED moves it)")

PIECES = [0.0, 0.95, 0.97, 0.98, 1.0]
"""How much of the history there is when the stream and the backfill begin, and at each look."""

PART_VIEWS = 50
IN_ONE_PROCESS = ["--direct_running_mode=in_memory"]
"""Processes of shards take longer to start than 18F's whole history takes."""


@pytest.fixture(scope="module")
def history() -> History:
    return History()


@pytest.mark.parametrize(("shards", "micro_batch"), [(1, 1000), (2, 1), (5, 7)])
def test_all_routes_agree(shards: int, micro_batch: int, history: History, tmp_path: Path) -> None:
    catalog = load_catalog(DATA / "catalog")
    # In memory: a micro-batch of one message each has a commit, and there are thousands.
    streamed, filled, batched = f"memory:{tmp_path}", f"tantivy:{tmp_path / 'filled'}", f"jsonl:{tmp_path / 'batched'}"
    ends = [int(len(history.messages) * piece) for piece in PIECES]
    kept = open_index(streamed)
    with closing(kept), closing(open_log(f"sqlite:{tmp_path / 'log.sqlite'}", create=True)) as log:
        for number, kind in enumerate(catalog.kinds.values(), 1):
            assert log.register_schema(kind.name, kind.text).id == number
        append(log, history.messages[: ends[1]])
        with (
            running(
                log=log.url,
                index=streamed,
                load_catalog=lambda _: catalog,
                folder=tmp_path / "stream",
                tuning=Tuning(shards, micro_batch),
            ) as stream,
            closing(open_index(filled)) as index,
            patch("backfill.run.PART_VIEWS", PART_VIEWS),
        ):
            stream.reaches(streamed, log.last_offset())
            made = Backfill(log, index, tmp_path / "home")
            record = made.build(made.begin(catalog, shards), options=IN_ONE_PROCESS)
            (about,) = index.generations()
            assert about.loaded > shards, "in parts"
            for start, end in pairwise(ends[1:]):
                append(log, history.messages[start:end])
                assert made.catch_up(record) == log.last_offset()
            with index.lease("a test") as lease:
                made.cut_over(record, lease.token)
            stream.reaches(streamed, log.last_offset())
            stream.end()
        run_batch(
            log=log.url,
            index=batched,
            catalog=catalog,
            folder=tmp_path / "batch",
            shards=shards,
            options=IN_ONE_PROCESS,
        )
        right = sorted(view.to_line() for view in LogViews(log, catalog).fold(log.last_offset()).emit(last=True))
        one_by_one = LogViews(log, catalog).at(log.last_offset())
        roots = {message.uri for message in history.messages}
        assert sorted(view.to_line() for uri in roots for view in one_by_one.views(uri)) == right
    assert len(right) > 500
    for url in (streamed, filled, batched):
        with closing(open_index(url)) as index:
            assert index.info().applied_through == len(history.messages) - 1
            assert sorted(view.to_line() for view in index.scan()) == right, url

"""A backfill with another catalog while a stream follows, a publisher publishes and searches go on, killed and resumed.

`make soak` kills it ten times; `make test` less often.
"""

import os
from pathlib import Path

import pytest

from tests.support.live_backfill import MOMENTS, Moment, Newsroom, Record, backfill_while_publishing

FEWER = [MOMENTS[3], MOMENTS[4], MOMENTS[8]]


@pytest.mark.parametrize("kills", [[], MOMENTS if os.environ.get("PUBLOG_SOAK") else FEWER], ids=["whole", "killed"])
def test_a_backfill_while_publishing_and_searching_go_on(
    kills: list[Moment], tmp_path: Path, record_property: Record
) -> None:
    backfill_while_publishing(Newsroom(tmp_path), kills, record_property)

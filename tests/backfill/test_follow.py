"""A generation that has caught up is as of its watermark to the last document, whatever is published on the way."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from unittest.mock import patch

import pytest

from assets.catalog import parse_catalog
from assets.gateway import Gateway
from assets.log import open_log
from backfill.run import Backfill
from indexers import open_index
from pipeline.stream.engine import Tuning
from tests.support.newsroom import CATALOG, Json, article, byline, envelope

ARTICLES = 12
ADA = "news://byline/ada"


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_hubs_edited_again_and_again_while_a_generation_catches_up(tmp_path: Path, opened: ExitStack) -> None:
    opened.enter_context(patch("backfill.follow.Tuning", lambda shards: Tuning(shards, backlog_views=1)))
    log = opened.enter_context(closing(open_log(f"memory:{tmp_path}")))
    index = opened.enter_context(closing(open_index(f"memory:{tmp_path}")))
    catalog = parse_catalog(CATALOG)
    gateway = Gateway(log, catalog)

    def publish(*messages: Json) -> None:
        for message in messages:
            (outcome,) = gateway.publish([gateway.propose([envelope(message)])], "allow")
            assert outcome.status == "appended"

    publish(byline("ada", name="Ada"), *(article(number, byline=ADA) for number in range(ARTICLES)))
    made = Backfill(log, index, tmp_path)
    record = made.build(made.begin(catalog, 1))
    publish(byline("ada", name="Ada Lovelace"))
    edits = iter(range(3 * ARTICLES))

    def meanwhile(_: object) -> None:
        number = next(edits, None)
        if number is not None:
            # Fresh edits that the fan-out of the hub stands behind, and the hub once more.
            publish(byline("ada", name=f"Ada {number}") if number % 5 == 4 else article(f"other-{number}"))

    reached = made.catch_up(record, meanwhile)
    assert ARTICLES < reached < log.last_offset(), "it does not run behind what is published meanwhile"
    report = made.verify(record.generation)
    assert report.passed, report.differences
    assert report.watermark == reached

"""A process that publishes against others: FOLDER ROUNDS NUMBER. It answers with the offsets of its receipts, by id."""

import json
import sys
from pathlib import Path

from assets.catalog import parse_catalog
from assets.errors import Conflict
from assets.gateway import Gateway, Outcome
from assets.holding import Holding
from assets.log import open_log
from tests.support.newsroom import CATALOG, Json, article, byline, envelope, image


def race(folder: Path, rounds: int, racer: int) -> dict[str, int]:
    gateway = Gateway(
        open_log(f"sqlite:{folder / 'log.sqlite'}"), parse_catalog(CATALOG), Holding(folder / "held.sqlite")
    )
    receipts: dict[str, int] = {}

    def publish(message: Json) -> Outcome:
        (outcome,) = gateway.publish([gateway.propose([envelope(message)])], "hold")
        receipts.update((receipt.id, receipt.offset) for receipt in (*outcome.receipts, *gateway.release()))
        return outcome

    seen = -1
    for number in range(rounds):
        publish(image(number, id=f"shared-{number}"))
        # The one refers to what the next racer brings.
        publish(article(f"{racer}-{number}", byline=f"news://byline/{number}-{(racer + 1) % 2}"))
        publish(byline(f"{number}-{racer % 2}"))
        while (outcome := publish(image("contested", id=f"{racer}/{number}/{seen}", expect=seen))).status != "appended":
            error = outcome.refusals[0].error
            assert isinstance(error, Conflict)
            assert error.present is not None
            seen = error.present
        seen = outcome.receipts[0].offset
    return receipts


if __name__ == "__main__":
    folder, rounds, racer = sys.argv[1:]
    print(json.dumps(race(Path(folder), int(rounds), int(racer))))  # noqa: T201 - its answer

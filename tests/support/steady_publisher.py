"""A process that publishes until it is killed: HOME RECEIPTS SEED PER_SECOND. It notes what was acknowledged, line by line."""

import json
import sys
import time
import tomllib
from pathlib import Path
from random import Random

from assets.catalog import parse_catalog
from assets.gateway import Gateway
from assets.holding import Holding
from assets.log import open_log
from tests.support.newsroom import CATALOG, Json, article, byline, envelope, image, unpublish

ARTICLES, BYLINES, IMAGES = 200, 5, 20


def messages(random: Random, number: int) -> list[Json]:
    """Edits, unpublishes and returns; bylines stand in many articles."""
    who = f"news://byline/{random.randrange(BYLINES)}"
    picture = f"news://image/{random.randrange(IMAGES)}"
    match random.randrange(12):
        case 0:
            return [byline(who[-1], name=f"Name {number}", photo=picture)]
        case 1:
            return [image(picture.rpartition("/")[2], path=f"/{number}.jpg", credit=who)]
        case 2:
            return [unpublish(f"news://article/{random.randrange(ARTICLES)}")]
        case 3:
            both = [article(random.randrange(ARTICLES), headline=f"Both {number}", byline=who) for _ in range(2)]
            return [{**one, "tx": f"tx{number}"} for one in both]
        case _:
            about = random.randrange(ARTICLES)
            return [article(about, headline=f"Headline {number}", byline=who, images=[picture])]


def main(home: Path, receipts: Path, seed: int, per_second: float) -> None:
    random = Random(seed)
    settings = home / "publog.toml"
    named = tomllib.loads(settings.read_text()).get("log") if settings.exists() else None
    log = open_log(named or f"sqlite:{home / 'log.sqlite'}", create=True)
    gateway = Gateway(log, parse_catalog(CATALOG), Holding(home / "held.sqlite"))
    with receipts.open("a", encoding="utf-8") as file:
        number = 0
        while True:
            number += 1
            drafts = [
                envelope({**one, "id": f"{seed}-{number}-{place}"})
                for place, one in enumerate(messages(random, number))
            ]
            (outcome,) = gateway.publish([gateway.propose(drafts)], "allow")
            assert outcome.status == "appended", outcome
            for receipt in outcome.receipts:
                file.write(json.dumps(receipt._asdict()) + "\n")
            file.flush()
            time.sleep(random.expovariate(per_second))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))

"""Another process that uses an index: `python -m tests.contract.index_child DOES URL ...`; it says `ready`, and then does.

load PART OFFSET     loads the part file and ends
write URI VERSION    writes one story and keeps the index open until its input ends
churn                writes fifty stories in version 1, 2, 3, ..., each version in one write, until it is killed
poll                 searches until its input ends, then says each different answer it got, as JSON lines
"""

import itertools
import json
import select
import sys
from pathlib import Path

from indexers import Query, open_index
from tests.contract.index_newsroom import CATALOG, story


def main() -> None:
    does, url, *arguments = sys.argv[1:]
    index = open_index(url)
    say("ready")
    match does:
        case "load":
            index.load([Path(arguments[0])], catalog=CATALOG, applied_through=int(arguments[1]))
        case "write":
            number, version = map(int, arguments)
            index.write([story(number, version=version)], applied_through=version)
            say("written")
            sys.stdin.read()
        case "churn":
            for version in itertools.count(1):
                index.write([story(number, version=version) for number in range(50)], applied_through=version)
        case "poll":
            seen: set[tuple[int, int, int]] = set()
            while not select.select([sys.stdin], [], [], 0)[0]:
                found = index.search(Query(limit=3))
                info = index.info()
                seen.add((found.applied_through, found.total, len(found.hits)))
                seen.add((info.applied_through, info.live["story"], 3))
            say(json.dumps(sorted(seen)))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Another process that uses an index: `python -m tests.contract.index_child DOES URL ...`; it says `ready`, and then does.

load PART OFFSET     loads the part file and ends
write URI VERSION    writes one story and keeps the index open until its input ends
churn                writes fifty stories in version 1, 2, 3, ..., each version in one write, until it is killed
cramped PART         loads the part file, then writes 2,000 stories, without room for either; says the errors
poll                 searches until its input ends, then says each different answer it got, as JSON lines
"""

import itertools
import json
import resource
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from indexers import Query, open_index
from indexers.errors import IndexersError
from tests.contract.index_newsroom import CATALOG, noisy_stories, story


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
        case "cramped":
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
            parts = [Path("/dev/null"), Path(arguments[0])]
            say(failure_of(lambda: index.load(parts, catalog=CATALOG, applied_through=9)))
            say(failure_of(lambda: index.write(noisy_stories(2_000, version=9), applied_through=9)))
        case "poll":
            seen: set[tuple[int, int, int]] = set()
            while not select.select([sys.stdin], [], [], 0)[0]:
                found = index.search(Query(limit=3))
                info = index.info()
                seen.add((found.applied_through, found.total, len(found.hits)))
                seen.add((info.applied_through, info.live["story"], 3))
            say(json.dumps(sorted(seen)))


def failure_of(use: Callable[[], object]) -> str:
    try:
        use()
    except IndexersError as error:
        return type(error).__name__
    return "nothing"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

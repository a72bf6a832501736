"""Another process that uses an index: `python -m tests.contract.index_child DOES URL ...`; it says `ready`, and then does.

load PART OFFSET     loads the part file and ends
write URI VERSION    writes one story and keeps the index open until its input ends
churn                writes fifty stories in version 1, 2, 3, ..., each version in one write, until it is killed
cramped PART         loads the part file, then writes 2,000 stories, without room for either; says the errors
build NAME FOLDER    loads the folder's part files into a generation, each in a step, from the first that is not there
churn-generations PART  makes a generation of the part file, makes it current, removes the others, until it is killed
lease HOLDER         takes the lease, says its token and keeps it until its input ends
watch                looks at the index in all ways until its input ends, then says what it saw, as `seen` below
poll                 searches until its input ends, then says each different answer it got, as JSON lines
"""

import itertools
import json
import resource
import select
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from indexers import Index, Query, open_index
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
        case "watch":
            looks: set[Seen] = set()
            while not select.select([sys.stdin], [], [], 0)[0]:
                looks |= seen(index)
            say(json.dumps(sorted(looks)))
        case "poll":
            answers: set[tuple[int, int, int]] = set()
            while not select.select([sys.stdin], [], [], 0)[0]:
                found = index.search(Query(limit=3))
                info = index.info()
                answers.add((found.applied_through, found.total, len(found.hits)))
                answers.add((info.applied_through, info.live["story"], 3))
            say(json.dumps(sorted(answers)))
        case _:
            change_generations(index, does, *arguments)


def change_generations(index: Index, does: str, *arguments: str) -> None:
    match does:
        case "build":
            name, parts = arguments[0], sorted(Path(arguments[1]).iterdir())
            (loaded,) = (info.loaded for info in index.generations() if info.name == name)
            for number, part in enumerate(parts[loaded:], start=loaded + 1):
                index.extend(name, [part], loaded=number)
            index.finish(name, applied_through=20)
        case "churn-generations":
            for number in itertools.count(1):
                former = index.info().generation
                name = index.begin(CATALOG)
                index.extend(name, [Path(arguments[0])], loaded=1)
                index.finish(name, applied_through=number)
                with index.lease("churn") as lease:
                    index.switch(name, expected=former, token=lease.token)
                for info in index.generations():
                    if not info.current:
                        index.remove(info.name)
        case "lease":
            with index.lease(arguments[0]) as lease:
                say(str(lease.token))
                sys.stdin.read()


Seen = tuple[str, int, int, int]
"""A generation, and of one look at it: how many documents, and the least and the highest of their versions."""


def seen(index: Index) -> set[Seen]:
    """Several looks at an index of fewer than sixty documents: two pages of searches, a scan, and what it says."""
    pages = [index.search(Query(limit=30))]
    if pages[0].cursor is not None:
        pages.append(index.search(Query(limit=30, cursor=pages[0].cursor)))
    found = {(page.generation, page.total, *ends([hit.version for hit in page.hits])) for page in pages if page.hits}
    scanned = [view.version for view in index.scan()]
    info = index.info()
    return found | {("", len(scanned), *ends(scanned)), (info.generation, info.live["story"], -1, -1)}


def ends(versions: Sequence[int]) -> tuple[int, int]:
    return min(versions), max(versions)


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

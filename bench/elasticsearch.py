"""How long Elasticsearch takes to index view records as a backfill does, beside the same bulk bodies when they are ready.

    python -m bench --only elasticsearch [--views N] [--repeats N] [--json FILE] [--keep DIR]

The bodies are publog's, made before. Both go into new indexes of the same settings and mapping, send as many requests at a
time, and end with a refresh. The node is a real one that the bench starts on this machine (Java 17 and Maven).
"""

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final, NamedTuple

import orjson
from elasticsearch import Elasticsearch

from assets.catalog import newsroom_catalog
from bench.measuring import Failed, run
from denormalizer.view import View
from indexers import open_index
from indexers.elasticsearch.calls import Calls
from indexers.elasticsearch.writing import Maker, portions
from indexers.engine.fields import Fields
from indexers.limits import BULKS_MAX
from indexers.records import read_record
from tests.servers.elasticsearch import Node, drop

VIEWS: Final = 30_000
_VIEWS_PER_MESSAGE: Final = 0.4
"""At the least, in a history of some length."""
_JSON: Final = {"accept": "application/json", "content-type": "application/x-ndjson"}


_NAMES: Final = ("ready bodies one by one", f"ready bodies {BULKS_MAX} at a time", "publog")


class Cost(NamedTuple):
    """Seconds by the clock, and of processor time here and in the node."""

    seconds: float
    cpu_seconds: float
    node_seconds: float


class Round(NamedTuple):
    """Of the three."""

    plain: Cost
    """Of ready bodies, one after the other, as a loop over `client.bulk` sends them."""
    ready: Cost
    """Of ready bodies, so many at a time as publog sends."""
    publog: Cost

    def ratio(self, rival: Cost) -> float:
        """How fast we are, beside sending what is ready."""
        return rival.seconds / self.publog.seconds

    def cpu_ratio(self, rival: Cost) -> float:
        """The same by processor time, which other programs disturb less."""
        return sum(rival[1:]) / sum(self.publog[1:])


class BulkResults(NamedTuple):
    """What was measured."""

    views: int
    body_bytes: int
    rounds: list[Round]


class BulkBench:
    """The measurement, in one folder."""

    def __init__(self, folder: Path, views: int = VIEWS) -> None:
        self._folder = folder
        self._views = views
        self._part = folder / f"records-{views}.jsonl"
        self._catalog = newsroom_catalog()

    def measure(self, rounds: int, say: Callable[[str], None]) -> BulkResults:
        """Make the records, warm the node up, and load it in turn.

        Raises:
            Failed: a command did not end well, or an index does not hold what it was given.
        """
        say(f"{self._views:,} view records of the newsroom's history")
        self._make_records()
        bodies = list(self._bodies())
        measured: list[Round] = []
        # A machine for a while: the best code of the JVM, and memory.
        with Node(self._folder / "elasticsearch", java_options="") as node:
            for number in range(rounds + 1):
                one = Round(self._send(node, bodies, 1), self._send(node, bodies, BULKS_MAX), self._load(node))
                if number == 0:
                    continue
                measured.append(one)
                seconds = [f"{name} {cost.seconds:.2f} s" for name, cost in zip(_NAMES, one, strict=True)]
                say(f"round {number} of {rounds}: {', '.join(seconds)}")
        return BulkResults(self._views, sum(map(len, bodies)), measured)

    def _make_records(self) -> None:
        if self._part.exists():
            return
        home, output = self._folder / "bulk-home", self._folder / "output.txt"
        publog = [sys.executable, "-m", "publog", "--home", home]
        history = self._folder / "bulk-history.jsonl"
        run([sys.executable, "-m", "bench.history", history, str(int(self._views / _VIEWS_PER_MESSAGE))], output)
        run([*publog, "publish", history], output)
        whole = self._folder / "records.jsonl"
        run([*publog, "run", "--batch", "--index", f"jsonl:{whole}"], output)
        with closing(open_index(f"jsonl:{whole}")) as index, self._part.with_suffix(".partial").open("wb") as file:
            found = [view.to_line() + b"\n" for view in islice(index.scan(), self._views)]
            file.writelines(found)
        if len(found) < self._views:
            raise Failed(f"the history has {len(found):,} views only")
        self._part.with_suffix(".partial").replace(self._part)

    def _records(self) -> Iterator[tuple[View, bytes]]:
        with self._part.open("rb") as file:
            for line in file:
                yield read_record(line[:-1], str(self._part)), line[:-1]

    def _bodies(self) -> Iterator[bytes]:
        maker = Maker(self._catalog, Fields(self._catalog))
        actions = (maker.action(view, line, "the bench", "external_gte") for view, line in self._records())
        for portion in portions(actions, Calls("http://localhost:9200", "the bench")):
            yield b"".join(action.lines for action in portion)

    def _send(self, node: Node, bodies: list[bytes], at_a_time: int) -> Cost:
        """Bodies that are ready."""
        with self._generation(node.url, "ready") as (index, client):
            path = f"/{index}/_bulk"

            def send(body: bytes) -> Any:
                return client.perform_request(
                    "POST", path, params={"filter_path": "items.*.status,items.*.error"}, headers=_JSON, body=body
                )

            under_way: deque[Future[Any]] = deque()
            measure = measuring(node)
            with ThreadPoolExecutor(at_a_time) as pool:
                for body in bodies:
                    if len(under_way) == at_a_time:
                        check(under_way.popleft().result())
                    under_way.append(pool.submit(send, body))
                for future in under_way:
                    check(future.result())
            client.indices.refresh(index=index)
            return measure()

    def _load(self, node: Node) -> Cost:
        """The same records as a step of a backfill has them, in a file."""
        with closing(open_index(f"{node.url}/publog")) as index:
            name = index.begin(self._catalog)
            measure = measuring(node)
            index.extend(name, [self._part], loaded=1)
            index.finish(name, applied_through=1)
            cost = measure()
            held = sum(chain(*(counts.values() for counts in index.generation(name).info()[3:])))
            if held != self._views:
                raise Failed(f"the index holds {held:,} of {self._views:,} views")
        drop(node.url, "publog")
        return cost

    @contextmanager
    def _generation(self, url: str, name: str) -> Generator[tuple[str, Elasticsearch]]:
        with closing(open_index(f"{url}/{name}")) as index, Elasticsearch(url, request_timeout=60) as client:
            made = f"{name}-{index.begin(self._catalog).lower()}"
            yield made, client
            held = client.count(index=made)["count"]
            if held != self._views:
                raise Failed(f"the index of ready bodies holds {held:,} of {self._views:,} views")
        drop(url, name)


def measuring(node: Node) -> Callable[[], Cost]:
    """What it cost since this was called."""

    def now() -> Cost:
        return Cost(perf_counter(), process_time(), node.cpu_seconds())

    began = now()
    return lambda: Cost(*(end - begin for end, begin in zip(now(), began, strict=True)))


def check(answer: Any) -> None:
    """Raise `Failed` where a document was not taken."""
    if any("error" in item["index"] for item in answer["items"]):
        raise Failed("a ready body was not taken")


def show(results: BulkResults) -> str:
    """The results for a person, with the bar."""
    rounds = results.rounds
    lines = [
        f"{results.views:,} views, {results.body_bytes / 1e6:,.0f} MB of bulk bodies, medians of {len(rounds)} rounds:"
    ]
    for name, costs in zip(_NAMES, zip(*rounds, strict=True), strict=True):
        seconds, cpu, node = (median(figures) for figures in zip(*costs, strict=True))
        speed = f"{results.views / seconds:,.0f} views/s"
        lines.append(
            f"{name:<26} {seconds:6.2f} s ({speed}); processor time here {cpu:.2f} s, in the node {node:.2f} s"
        )
    for place, name in enumerate(_NAMES[:2]):
        ratio = median(one.ratio(one[place]) for one in rounds)
        by_cpu = median(one.cpu_ratio(one[place]) for one in rounds)
        lines.append(f"of the speed of {name}: {ratio:.2f} (bar: at least 0.8), by cpu {by_cpu:.2f}")
    return "\n".join(lines)


def to_json(results: BulkResults) -> bytes:
    """Every figure."""
    rounds = [{name: cost._asdict() for name, cost in one._asdict().items()} for one in results.rounds]
    document = {**results._asdict(), "rounds": rounds}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

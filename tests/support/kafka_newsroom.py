"""A newsroom whose log is on Kafka: a gateway over HTTP, a stream into an embedded index, and who publishes to it."""

import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any, Self

import httpx2

from assets.fixing import catalog_of
from assets.log import Log, open_log
from assets.model import Receipt
from backfill.verify import as_text, verify
from indexers import open_index
from tests.support.newsroom import Json, write_catalog
from tests.support.serving import serving
from tests.support.steady_publisher import messages
from tests.support.streaming import StreamProcess, applied_through, following, until

PER_SECOND = 100.0
TRANSIENT = {"urn:publog:problem:log-unreachable", "urn:publog:problem:log-busy"}
"""What a publisher is told while the broker is away, or comes back."""


class KafkaNewsroom:
    """A folder with a home whose settings name the log."""

    def __init__(self, folder: Path, address: str, topic: str) -> None:
        self.folder = folder
        self.home = folder / ".publog"
        self.log = f"kafka://{address}/{topic}?index={folder}/beside"
        self.index = f"tantivy:{self.home}/index"
        self.home.mkdir(parents=True)
        write_catalog(folder / "catalog")
        settings = {"log": self.log, "index": self.index, "catalog": str(folder / "catalog")}
        (self.home / "publog.toml").write_text("".join(f'{name} = "{value}"\n' for name, value in settings.items()))

    @contextmanager
    def gateway(self) -> Generator["tuple[subprocess.Popen[str], str]"]:
        with serving(self.folder, is_busy=True) as (server, url):
            yield server, url

    @contextmanager
    def streaming(self) -> Generator[StreamProcess]:
        stream = following(self.home)
        try:
            yield stream
        finally:
            if stream.is_running():
                stream.kill()

    @contextmanager
    def opened(self) -> Generator[Log]:
        with closing(open_log(self.log)) as log:
            yield log

    def is_current(self) -> bool:
        with self.opened() as log:
            return applied_through(self.index) == log.last_offset()

    def check(self, publisher: "Publisher") -> None:
        """The log has what was acknowledged, each once and where its receipt says, and the index what the log says."""
        until(self.is_current)
        with self.opened() as log, closing(open_index(self.index)) as index:
            found = [Receipt(entry.id, entry.uri, entry.offset) for entry in log.read()]
            assert found == publisher.acknowledged
            assert log.verify() == []
            report = verify(log, index, catalog_of(log, None))
            assert report.different == 0, as_text(report)


class Publisher:
    """Publishes over HTTP about so many messages a second, each transaction again with its ids until it is acknowledged."""

    def __init__(self, url: str, seed: int) -> None:
        self.acknowledged: list[Receipt] = []
        self.problems: list[str] = []
        """What it was told instead, by type."""
        self._client = httpx2.Client(base_url=url, timeout=60)
        self._random = Random(seed)
        self._seed = seed
        self._failure: BaseException | None = None
        self._ending = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._client.close()
        self.raise_what_failed()

    def raise_what_failed(self) -> None:
        if self._failure is not None:
            raise self._failure

    def has_published(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        wanted = len(self.acknowledged) + count
        until(lambda: len(self.acknowledged) >= wanted or self._failure is not None)
        self.raise_what_failed()

    def _run(self) -> None:
        try:
            for number, drafts in enumerate(self._transactions()):
                if self._ending.is_set():
                    return
                self._publish([{**one, "id": f"{self._seed}-{number}-{place}"} for place, one in enumerate(drafts)])
                self._ending.wait(self._random.expovariate(PER_SECOND))
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self._failure = error

    def _transactions(self) -> Iterator[list[Json]]:
        number = 0
        while True:
            number += 1
            yield messages(self._random, number)

    def _publish(self, drafts: list[Json]) -> None:
        while True:
            answer = self._client.post("/v1/messages", params={"references": "allow"}, json=drafts)
            told: Any = answer.json()
            if answer.status_code == 200:
                receipts = [Receipt(**receipt) for receipt in told["receipts"]]
                assert sorted(receipt.id for receipt in receipts) == sorted(draft["id"] for draft in drafts)
                self.acknowledged += sorted(receipts, key=lambda receipt: receipt.offset)
                return
            assert answer.status_code == 503, told
            assert told["type"] in TRANSIENT, told
            assert float(answer.headers["retry-after"]) > 0
            self.problems.append(told["type"])
            time.sleep(0.1)

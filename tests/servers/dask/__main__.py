"""A cluster for a person, until it is interrupted."""

import signal
import sys
import threading
from pathlib import Path

from tests.servers.dask import Cluster


def main(folder: str, workers: str = "2") -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Cluster(Path(folder), int(workers)) as cluster:
        sys.stdout.write(f"{cluster.address}\n")
        sys.stdout.flush()
        stopped.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

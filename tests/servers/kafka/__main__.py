"""Runs a broker for a person: until Ctrl-C or SIGTERM."""

import signal
import sys
import threading
from pathlib import Path

from tests.servers.kafka.broker import Broker


def main(folder: str, port: str = "0") -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Broker(Path(folder), int(port)) as broker:
        sys.stdout.write(f"ready {broker.address}\n")
        sys.stdout.flush()
        stopped.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

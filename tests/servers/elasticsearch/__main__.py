"""Runs a node for a person: until Ctrl-C or SIGTERM."""

import signal
import sys
import threading
from pathlib import Path

from tests.servers.elasticsearch.node import Node


def main(folder: str, port: str = "0") -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Node(Path(folder), int(port), java_options="") as node:
        sys.stdout.write(f"ready {node.url}\n")
        sys.stdout.flush()
        stopped.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`make servers`: the project's own Kafka and Elasticsearch for a person, until Ctrl-C; what they keep stays in a folder."""

import json
import signal
import sys
import threading
from pathlib import Path

from tests.servers.elasticsearch.node import Node
from tests.servers.kafka.broker import Broker, free_port

FOLDER = Path(".publog-servers")


def main(folder: Path = FOLDER) -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    say(f"starting Kafka and Elasticsearch in {folder}; the first time they are fetched")
    folder.mkdir(parents=True, exist_ok=True)
    kafka, search = ports(folder / "ports.json")
    with Broker(folder / "kafka", kafka) as broker, Node(folder / "elasticsearch", search) as node:
        log, index = f"kafka://{broker.address}/publog", f"{node.url}/publog"
        say(f'\nFor publog.toml in a home:\n\n    log = "{log}"\n    index = "{index}"\n')
        say(
            f"Once: publog log create {log}\nThen: publog publish FILE, publog run --stream, publog serve\n\nCtrl-C stops."
        )
        stopped.wait()
        say("stopping")


def ports(path: Path) -> tuple[int, int]:
    """Two that were free the first time, and the same ever since: somebody's publog.toml names them."""
    if not path.exists():
        path.write_text(json.dumps([free_port(), free_port()]))
    kafka, search = json.loads(path.read_text())
    return kafka, search


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

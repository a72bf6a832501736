"""A process that keeps a copy of the views from the change feed until it is killed: URL COPY events|pages SEED.

The copy and the position in the feed change in one step. A version that came before ends it with an error.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx2

from tests.support.newsroom import Json

SCHEMA = """
CREATE TABLE IF NOT EXISTS copy (view, uri, record, PRIMARY KEY (view, uri));
CREATE TABLE IF NOT EXISTS seen (view, uri, version, PRIMARY KEY (view, uri, version));
CREATE TABLE IF NOT EXISTS state (name PRIMARY KEY, value);
"""

Told = tuple[str, str, str]
"""What it is, its data, and the position behind it."""


def events(client: httpx2.Client, position: str | None) -> Iterator[Told]:
    headers = {"Accept": "text/event-stream", **({} if position is None else {"Last-Event-ID": position})}
    with client.stream("GET", "/v1/changes", headers=headers) as answer:
        answer.raise_for_status()
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
                continue
            if "event" in fields:
                yield fields["event"], fields["data"], fields.get("id", "")
            fields = {}


def pages(client: httpx2.Client, position: str | None, random: Random) -> Iterator[Told]:
    position = position or "0"
    while True:
        answer = client.get("/v1/changes", params={"from": position, "limit": random.randint(1, 50), "wait": 1})
        answer.raise_for_status()
        page = answer.json()
        position = page["next"]
        # One step for the whole page, as its position is.
        yield "page", json.dumps([json.dumps(one, separators=(",", ":")) for one in page["changes"]]), position
        if not page["has_more"]:
            yield "applied", json.dumps({"applied_through": page["applied_through"]}), position


def keep(database: sqlite3.Connection, told: Iterator[Told]) -> None:
    for event, data, position in told:
        with database:
            if event == "applied":
                note(database, "applied_through", json.loads(data)["applied_through"])
            elif event in ("view", "page"):
                for record in [data] if event == "view" else json.loads(data):
                    copy(database, record)
            else:
                sys.exit(f"{event}: {data}")
            note(database, "position", position)


def copy(database: sqlite3.Connection, record: str) -> None:
    view: Json = json.loads(record)
    database.execute("INSERT INTO seen VALUES (?, ?, ?)", (view["view"], view["uri"], view["version"]))
    database.execute("REPLACE INTO copy VALUES (?, ?, ?)", (view["view"], view["uri"], record))


def note(database: sqlite3.Connection, name: str, value: Json) -> None:
    database.execute("REPLACE INTO state VALUES (?, ?)", (name, value))


def main(url: str, path: Path, way: str, seed: int) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    database.executescript(SCHEMA)
    row = database.execute("SELECT value FROM state WHERE name = 'position'").fetchone()
    position = None if row is None else row[0]
    with httpx2.Client(base_url=url, timeout=60) as client:
        keep(database, events(client, position) if way == "events" else pages(client, position, Random(seed)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))

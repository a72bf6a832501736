"""Steps of graphs that runners are tried with: in a module, as workers elsewhere import them by name."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec


class Leave(beam.DoFn):
    """What a shard does: leaves a file, and says so in a row under the job's key."""

    def __init__(self, folder: str, failing: int = -1) -> None:
        super().__init__()
        self._folder = folder
        self._failing = failing

    def process(self, element: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        if element["shard"] == self._failing:
            raise ValueError("this shard can't be done")
        with (Path(self._folder) / f"part-{element['shard']}").open("a") as part:
            part.write("done\n")
        yield "the job", {"shard": element["shard"]}


class Gather(beam.DoFn):
    """What the last step does: it has all rows at once."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def process(self, element: tuple[str, Iterable[dict[str, Any]]]) -> None:
        key, rows = element
        with (Path(self._folder) / "gathered").open("a") as gathered:
            gathered.write(json.dumps([key, sorted(row["shard"] for row in rows)]) + "\n")


_COUNT = beam.DoFn.StateParam(ReadModifyWriteStateSpec("count", VarIntCoder()))


class Count(beam.DoFn):
    """Counts the elements of a key, slowly; a key that is worked on twice at a time counts short."""

    def __init__(self, folder: str, seconds: float) -> None:
        super().__init__()
        self._folder = folder
        self._seconds = seconds

    def process(self, element: tuple[str, int], state: Any = _COUNT) -> None:
        count = (state.read() or 0) + 1
        time.sleep(self._seconds)
        state.write(count)
        (Path(self._folder) / f"count-{element[1]}").write_text(str(count))

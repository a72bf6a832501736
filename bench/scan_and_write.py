"""The floor of a batch: read every message of the log, write as many bytes as the views have, and nothing else."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

_ROWS: Final = 256
_BLOCK: Final = 1024 * 1024


def main(log: Path, views: Path, target: Path) -> None:
    with closing(sqlite3.connect(log)) as connection:
        rows = connection.execute("SELECT offset, uri, value FROM messages ORDER BY offset")
        while rows.fetchmany(_ROWS):
            pass
    left = views.stat().st_size
    block = b"x" * _BLOCK
    with target.open("wb", buffering=0) as file:
        while left > 0:
            left -= file.write(block[: min(left, _BLOCK)])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

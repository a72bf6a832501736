"""The floor of `publish`: decode the JSON lines with orjson, encode the Avro with fastavro, and nothing else.

Nothing is validated, framed, looked up or stored. Times and dates become Python's, because fastavro takes no text.
"""

# fastavro has half of its types.
# pyright: reportUnknownMemberType=false

import sys
from collections.abc import Iterator
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import fastavro
import orjson

_TIMES: Final = {
    "article": ("published_at", "first_published_at", "updated_at"),
    "image": ("taken_at",),
    "byline": (),
    "tag": (),
}


def encode_file(path: Path, schemas: dict[str, Any]) -> Iterator[bytes]:
    """The Avro of each message that publishes."""
    with path.open("rb") as file:
        for line in file:
            message = orjson.loads(line)
            data = message.get("data")
            if data is None:
                continue
            kind = message["kind"]
            for name in _TIMES[kind]:
                if name in data:
                    data[name] = datetime.fromisoformat(data[name])
            if kind == "article":
                if "print_date" in data:
                    data["print_date"] = date.fromisoformat(data["print_date"])
                for correction in data.get("corrections", ()):
                    correction["date"] = date.fromisoformat(correction["date"])
            buffer = BytesIO()
            fastavro.schemaless_writer(buffer, schemas[kind], data)
            yield buffer.getvalue()


def read_schemas(kinds: Path) -> dict[str, Any]:
    """The schema of each kind, as fastavro takes it."""
    return {
        path.stem: fastavro.parse_schema(orjson.loads(path.read_bytes()), named_schemas={})
        for path in kinds.glob("*.avsc")
    }


def main(history: Path, kinds: Path) -> None:
    print(f"{sum(map(len, encode_file(history, read_schemas(kinds)))):,} bytes of Avro")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

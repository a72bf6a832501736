"""The floor of `publish`: decode the JSON lines with orjson, encode the Avro with fastavro, and nothing else.

Nothing is validated, framed, looked up or stored. Times and dates become Python's, because fastavro takes no text.
"""

import sys
from collections.abc import Iterator
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import orjson
from fastavro import parse_schema, schemaless_writer

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
            schemaless_writer(buffer, schemas[kind], data)
            yield buffer.getvalue()


def main(history: Path, kinds: Path) -> None:
    schemas = {path.stem: parse_schema(orjson.loads(path.read_bytes()), named_schemas={}) for path in kinds.glob("*.avsc")}
    print(f"{sum(map(len, encode_file(history, schemas)))} bytes of Avro")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

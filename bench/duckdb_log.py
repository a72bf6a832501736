"""The rival DuckDB's own stored log of the same history, in the layout that its join reads fastest.

A table for each kind: offset, uri, op, and a typed column for each field (read out of one column of JSON, the articles take
three times as long). Times and dates are the text that views show, so that the join need not format them.
"""

import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson

from bench.plain_fold import read_log

_ROW_GROUP_ROWS: Final = 16_384
"""Threads share a scan by row groups. In DuckDB's usual 122,880 one thread would read all the articles there are."""


def store_log(log: Path, database: Path, kinds: Path) -> None:
    """Copy publog's log into a new DuckDB database."""
    schemas = {path.stem: orjson.loads(path.read_bytes()) for path in kinds.glob("*.avsc")}
    lines = {kind: database.with_suffix(f".{kind}.jsonl") for kind in schemas}
    with ExitStack() as stack:
        files = {kind: stack.enter_context(path.open("wb")) for kind, path in lines.items()}
        for offset, uri, data in read_log(log):
            row = {"offset": offset, "uri": uri, "op": "unpublish" if data is None else "publish", **(data or {})}
            files[uri.split("/", 3)[2]].write(orjson.dumps(row, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
    with closing(duckdb.connect()) as connection:
        connection.execute(f"ATTACH '{database}' AS log (ROW_GROUP_SIZE {_ROW_GROUP_ROWS})")
        for kind, schema in schemas.items():
            types = {"offset": "BIGINT", "uri": "VARCHAR", "op": "VARCHAR"}
            types.update((field["name"], _type(field["type"])) for field in schema["fields"])
            columns = ", ".join(f"\"{name}\": '{type_}'" for name, type_ in types.items())
            connection.execute(
                f"CREATE TABLE log.{kind} AS FROM read_json('{lines[kind]}', format = 'newline_delimited',"
                f' columns = {{{columns}}}) ORDER BY "offset"'
            )
            lines[kind].unlink()


def _type(schema: Any) -> str:
    """An Avro type as DuckDB has it; every column is nullable there."""
    match schema:
        case [*branches]:
            return _type(next(branch for branch in branches if branch != "null"))
        case {"type": "array"}:
            return f"{_type(schema['items'])}[]"
        case {"type": "record"}:
            fields = ", ".join(f'"{field["name"]}" {_type(field["type"])}' for field in schema["fields"])
            return f"STRUCT({fields})"
        case {"type": "enum"} | {"logicalType": "timestamp-millis" | "date"} | "string":
            return "VARCHAR"
        case {"type": inner}:
            return _type(inner)
        case "int" | "long" | "boolean":
            return {"int": "INTEGER", "long": "BIGINT", "boolean": "BOOLEAN"}[schema]
        case _:
            raise ValueError(f"the newsroom has no {schema}")


if __name__ == "__main__":
    store_log(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))

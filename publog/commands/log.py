"""`publog log`: look at the log itself."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Annotated, Any

import orjson
import typer

from assets.codec import Codec
from assets.copying import copy_log
from assets.errors import InvalidUri, Undecodable
from assets.log import create_log, open_log
from assets.log.ends import last_messages
from assets.log.port import Log
from assets.model import Message, check_uri, kind_of, rfc3339
from publog.options import CatalogOption, JsonOption, LogOption, settings_of
from publog.terminal import fail, meter, say, write_json, write_lines

app = typer.Typer(no_args_is_help=True, help="The one ordered log.")

TAIL_WAIT_SECONDS = 1.0
"""Longest wait for new messages before Ctrl-C is looked at again."""

PROBLEMS_SHOWN_MAX = 50


@app.command("info")
def info(context: typer.Context, log: LogOption = None, json: JsonOption = False) -> None:
    """How long the log is, and the schemas beside it."""
    settings = settings_of(context, log)
    with closing(settings.open_log()) as opened:
        last = opened.last_offset()
        catalog = settings.load_catalog(opened)
        count = opened.count(0, last)
        ends = [message.time for first in (0, last) for message in islice(opened.read(max(first, 0), last), 1)]
        schemas = opened.schemas()
        facts: dict[str, Any] = {
            "url": opened.url,
            "messages": count,
            "last_offset": last,
            "first_time": rfc3339(min(ends)) if ends else None,
            "last_time": rfc3339(max(ends)) if ends else None,
            "catalog": catalog.digest,
            "schemas": [{"id": schema.id, "kind": schema.kind, "version": schema.version} for schema in schemas],
        }
    if json:
        write_json(facts)
        return
    say(f"{facts['url']}: {count:,} messages" + (f", the last at offset {last:,}" if count else ""))
    if ends:
        say(f"first and last published at {facts['first_time']} and {facts['last_time']}")
    say("schemas: " + (", ".join(f"{schema.kind} v{schema.version} (id {schema.id})" for schema in schemas) or "none"))
    say(f"catalog: {catalog.digest[:16]}, views {', '.join(catalog.views) or 'none'}")


@app.command("tail")
def tail(
    context: typer.Context,
    count: Annotated[int, typer.Option("-n", metavar="N", min=0, help="How many of the last.")] = 10,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as messages arrive.")] = False,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """The last messages; with -f the next ones too, as they are published."""
    settings = settings_of(context, log)
    with closing(settings.open_log()) as opened:
        position = opened.last_offset()
        for message in last_messages(opened, position, count):
            _show(message, json=json)
        while follow:
            last = opened.wait_past(position, TAIL_WAIT_SECONDS)
            for message in opened.read(position + 1, last) if last > position else ():
                _show(message, json=json)
            position = last


@app.command("verify")
def verify(
    context: typer.Context, log: LogOption = None, catalog: CatalogOption = None, json: JsonOption = False
) -> int:
    """Check the whole log: its storage, its order, and that every payload can be read."""
    settings = settings_of(context, log, catalog=catalog)
    with closing(settings.open_log()) as opened:
        problems = list(opened.verify())
        last = opened.last_offset()
        count = opened.count(0, last)
        chosen = settings.load_catalog(opened)
        if not problems:
            with meter("reading", "messages", count) as progress:
                for number, problem in enumerate(_payloads(opened, last, Codec(chosen.kinds, opened.schemas()))):
                    if problem is not None:
                        problems.append(problem)
                    if number % 10_000 == 0:
                        progress.show(number)
    if json:
        write_json({"messages": count, "problems": problems})
    else:
        for problem in problems[:PROBLEMS_SHOWN_MAX]:
            fail(problem)
        if problems:
            fail(f"{len(problems):,} problems in {count:,} messages")
        else:
            say(f"all {count:,} messages are in order and can be read", style="green")
    return 1 if problems else 0


@app.command("create")
def create(
    context: typer.Context,
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="The log; by default the one in force.")] = None,
    replication: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="On Kafka: how many brokers keep each message.")
    ] = None,
    min_insync_replicas: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="On Kafka: how many must have a message before it is acknowledged."),
    ] = None,
) -> None:
    """Make an empty log: a file, or a topic of one partition that keeps everything for ever."""
    settings = settings_of(context, url)
    made = create_log(settings.log, replication, min_insync_replicas)
    say(f"made {settings.log}" if made else f"{settings.log} is there already", style="green")


@app.command("copy")
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The log to copy.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where to: empty, or begun by an earlier copy.")],
    json: JsonOption = False,
) -> None:
    """Copy a log to another place: messages, order, transactions, schemas and catalog; run again, it goes on.

    Offsets are the new place's own, so make the index anew from there: publog backfill.
    """
    with (
        closing(open_log(source, create=False)) as old,
        closing(open_log(target)) as new,
        meter("copying", "messages", old.count()) as progress,
    ):
        copied = copy_log(old, new, progress.show)
    if json:
        write_json(copied._asdict())
        return
    say(f"{copied.messages:,} messages copied, all {copied.verified:,} compared and the same", style="green")


def _payloads(log: Log, last: int, codec: Codec) -> Iterator[str | None]:
    """For each message, why its payload can't be read, or None."""
    for message in log.read(0, last):
        problem = None
        if message.value is not None:
            try:
                codec.decode(kind_of(message.uri), message.value)
            except Undecodable as error:
                problem = f"message {message.offset} ({message.uri}) can't be read: {error}"
        yield problem


def _kind(uri: str) -> str | None:
    try:
        return check_uri(uri)
    except InvalidUri:
        return None


def _show(message: Message, *, json: bool) -> None:
    op = "unpublish" if message.value is None else "publish"
    if not json:
        size = "" if message.value is None else f"  {len(message.value):,} bytes"
        tx = f"  tx {message.tx}" if message.tx else ""
        say(f"{message.offset:>9}  {rfc3339(message.time)}  {op:<9}  {message.uri}{size}{tx}")
        return
    write_lines(
        [
            orjson.dumps(
                {
                    "offset": message.offset,
                    "uri": message.uri,
                    "kind": _kind(message.uri),
                    "op": op,
                    "time": rfc3339(message.time),
                    "id": message.id,
                    "tx": message.tx,
                    "tx_end": message.tx_end,
                    "bytes": None if message.value is None else len(message.value),
                }
            )
        ]
    )

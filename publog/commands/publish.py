"""`publog publish`: files of messages into the log."""

from collections import Counter
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import orjson
import typer

from assets.catalog import References
from assets.fixing import fix_catalog
from assets.gateway import Gateway
from assets.holding import HELD_FILE, Holding
from assets.imports import Batch, import_lines
from assets.intake import STANDARD_INPUT, read_lines
from publog.options import CatalogOption, JsonOption, LogOption, settings_of
from publog.settings import UsedWrongly
from publog.terminal import err, meter, say, write_json

REFUSED_SHOWN_MAX = 50
"""Refused lines that are printed one by one, for each file."""


def publish(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="JSON Lines, also .gz and .zst; - is standard input.")
    ],
    log: LogOption = None,
    catalog: CatalogOption = None,
    references: Annotated[
        References | None,
        typer.Option(help="References to what nobody has published. [default: as the catalog says]"),
    ] = None,
    receipts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a receipt for each message, once it is durable.")
    ] = None,
    json: JsonOption = False,
) -> int:
    """Validate messages and append them to the log, transaction by transaction.

    The same file again appends nothing twice: messages are known by their `id`, or by their place in the file.

    Example: `publog publish articles.jsonl.zst --references hold`
    """
    for name in files:
        if name != STANDARD_INPUT and not Path(name).exists():
            raise UsedWrongly(f"{name}: there is no such file")
        if Path(name).is_dir():
            raise UsedWrongly(f"{name}: is a folder; name the files in it")
    if files.count(STANDARD_INPUT) > 1:
        raise UsedWrongly(f"{STANDARD_INPUT}: standard input can be read once")
    settings = settings_of(context, log, catalog=catalog)
    total = Counter[str]()
    refused: list[dict[str, Any]] = []
    with (
        closing(settings.open_log(create=True)) as opened,
        closing(Holding(settings.home / HELD_FILE)) as holding,
        _receipts_file(receipts) as receipts_file,
    ):
        chosen = settings.load_catalog(opened)
        gateway = Gateway(opened, chosen, holding)
        fix_catalog(opened, chosen)
        try:
            for name in files:
                shown = 0
                with meter(f"publishing {name}", "messages") as progress:
                    done = 0
                    for batch in import_lines(gateway, read_lines(name), references):
                        if receipts_file is not None:
                            receipts_file.writelines(orjson.dumps(entry._asdict()) + b"\n" for entry in batch.receipts)
                            receipts_file.flush()
                        for line, reason in batch.refused:
                            refused.append({"file": name, "line": line, "reason": reason}) if json else None
                            if not json and shown < REFUSED_SHOWN_MAX:
                                err.print(f"{name}:{line}: {reason}", markup=False)
                            shown += 1
                        total.update(_counts(batch))
                        done += batch.lines
                        progress.show(done)
                if shown > REFUSED_SHOWN_MAX and not json:
                    err.print(f"{name}: and {shown - REFUSED_SHOWN_MAX:,} more refused lines", markup=False)
        except BaseException:
            # A file that ends in the middle, or Ctrl-C: what was done so far is done.
            if total and not json:
                _show(total)
            raise
        if json:
            write_json({**_counts(Batch()), **total, "refused_lines": refused})
        else:
            _show(total)
    return 1 if total["refused"] else 0


def _counts(batch: Batch) -> dict[str, int]:
    return {
        "appended": batch.appended,
        "already_there": batch.present,
        "held": batch.held,
        "refused": len(batch.refused),
        "released": batch.released,
        "dangling_references": batch.holes,
    }


def _show(total: Counter[str]) -> None:
    # Without separators in the numbers: scripts read this line.
    parts = [f"{total[name]} {name.replace('_', ' ')}" for name in ("appended", "already_there", "held", "refused")]
    say(", ".join(parts), style="red" if total["refused"] else "green")
    if total["released"]:
        say(f"{total['released']:,} held before were released: what they waited for is there now")
    if total["dangling_references"]:
        say(f"{total['dangling_references']:,} references point at what nobody has published; views show a hole there")
    if total["refused"]:
        say("correct them in a file of their own: in this one, each line without an id behind a change would be new")


@contextmanager
def _receipts_file(path: Path | None) -> Generator[IO[bytes] | None]:
    if path is None:
        yield None
    else:
        with path.open("wb") as file:
            yield file

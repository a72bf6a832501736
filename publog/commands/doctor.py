"""`publog doctor`: is everything in order, and what to do where it is not."""

from collections.abc import Iterator
from contextlib import closing
from typing import Annotated, Any, NamedTuple

import typer

from assets.codec import COMPILED
from assets.holding import HELD_FILE, Holding
from assets.log.port import Log
from backfill.verify import as_text, verify
from denormalizer.range_fold import COMPILED as FOLD_COMPILED
from indexers import open_index
from indexers.errors import IndexersError
from indexers.port import IndexInfo
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from publog.options import CatalogOption, IndexOption, JsonOption, LogOption, settings_of
from publog.settings import Settings
from publog.terminal import meter, say, write_json


class Finding(NamedTuple):
    """One thing looked at."""

    what: str
    good: bool
    text: str


def doctor(
    context: typer.Context,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Also compare every document of the index with the log.")
    ] = False,
    log: LogOption = None,
    index: IndexOption = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> int:
    """Look at the log, the index and what was kept aside; say what to do where something is wrong."""
    settings = settings_of(context, log, index, catalog)
    with closing(settings.open_log()) as opened:
        findings = list(_findings(settings, opened, thorough=thorough))
    good = all(finding.good for finding in findings)
    if json:
        described: list[dict[str, Any]] = [finding._asdict() for finding in findings]
        write_json({"good": good, "findings": described})
    else:
        for finding in findings:
            say(
                f"{'ok ' if finding.good else '!! '} {finding.what}: {finding.text}", "green" if finding.good else "red"
            )
    return 0 if good else 1


def _findings(settings: Settings, log: Log, *, thorough: bool) -> Iterator[Finding]:
    problems = log.verify()
    last = log.last_offset()
    yield Finding("log", not problems, "; ".join(problems) or f"{log.count(0, last):,} messages, storage in order")
    catalog = settings.load_catalog(log)
    yield Finding("catalog", True, f"{len(catalog.kinds)} kinds, {len(catalog.views)} views")
    slower = "read and written by libraries alone, which takes twice as long; with a C compiler, install publog again"
    yield Finding("payloads", True, "read and written by the compiled module" if COMPILED and FOLD_COMPILED else slower)
    yield from _kept_aside(settings)
    try:
        with closing(open_index(settings.index)) as index:
            info = index.info()
            yield _index(info, last, log.count(info.applied_through + 1, last), catalog.digest)
            if thorough and info.catalog_digest == catalog.digest:
                with meter("comparing", "documents") as progress:
                    report = verify(log, index.generation(info.generation), catalog, progress.show)
                yield Finding("views", report.passed, as_text(report))
    except IndexersError as error:
        yield Finding("index", False, str(error))


def _kept_aside(settings: Settings) -> Iterator[Finding]:
    # Looking creates nothing.
    path = settings.home / DEAD_LETTERS_FILE
    if path.exists():
        with closing(DeadLetters(path)) as letters:
            counts = letters.counts()
        text = ", ".join(f"{count:,} {code}" for code, count in counts.items())
        yield Finding("dead letters", not counts, f"{text}; see publog dead-letters list" if text else "none")
    path = settings.home / HELD_FILE
    if path.exists():
        with closing(Holding(path)) as holding:
            held = holding.count()
        yield Finding("held", True, f"{held:,} messages wait for what they refer to" if held else "none")


def _index(info: IndexInfo, last: int, lag: int, digest: str) -> Finding:
    if info.applied_through < 0:
        return Finding("index", False, "empty; fill it with publog run --batch")
    if info.catalog_digest != digest:
        return Finding("index", False, "built with another catalog; build it again with publog run --batch")
    if info.applied_through > last:
        text = f"reflects offset {info.applied_through:,}, and the log ends at {last:,}: it is another log's; publog backfill"
        return Finding("index", False, text)
    live = sum(info.live.values())
    if lag:
        return Finding(
            "index",
            False,
            f"{lag:,} messages behind the log; publog run --batch brings it up to date, publog run --stream keeps it so",
        )
    return Finding("index", True, f"{live:,} live documents, applied through {info.applied_through}")

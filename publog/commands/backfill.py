"""`publog backfill`: rebuild the index from the first message beside the live one, verify it, and swap it in."""

import logging
import os
import platform
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from assets.catalog import Catalog
from assets.log.port import Log
from backfill import plan as planning
from backfill import verify as verification
from backfill.catalog_changes import Change, catalog_changes
from backfill.record import Record
from backfill.run import Backfill
from backfill.standing import standing
from backfill.verify import Report
from indexers import Index, open_index
from indexers.errors import NoIndex
from pipeline.beam_loading import load_beam
from pipeline.progress import Progress as BuildProgress
from pipeline.stream.engine import Progress as StreamProgress
from publog.options import (
    CatalogOption,
    IndexOption,
    JsonOption,
    LogOption,
    MemoryOption,
    MetricsOption,
    settings_of,
)
from publog.settings import Settings, UsedWrongly
from publog.terminal import line, meter, say, unit_of_offsets, write_json

if TYPE_CHECKING:
    from publog.telemetry.backfill import BackfillMetrics


class _Group(TyperGroup):
    """Without a subcommand all that is given is the plain backfill's, Beam's options included."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # With one, the options before it end where the first word stands that is none.
        ctx.allow_interspersed_args = not any(arg in self.commands for arg in args)
        super().parse_args(ctx, args)
        if ctx._protected_args and ctx._protected_args[0].startswith("-"):  # noqa: SLF001
            ctx._protected_args, ctx.args = [], [*ctx._protected_args, *ctx.args]  # noqa: SLF001
        return ctx.args


_log: Final = logging.getLogger("publog.backfill")

app = typer.Typer(
    cls=_Group,
    help="Rebuild the index from the first message, beside the live one, while publishing goes on.",
    invoke_without_command=True,
)

NICENESS: Final = 10
"""Of a backfill, from 0 for what is most urgent to 19."""

ShardsOption = Annotated[
    int | None,
    typer.Option("--shards", metavar="N", min=1, help="Processes side by side. [default: one for each core but one]"),
]
RunnerOption = Annotated[
    str | None, typer.Option(metavar="RUNNER", help="A Beam runner. [default: FnApiRunner, on this machine]")
]
GenerationOption = Annotated[
    str | None, typer.Option("--generation", metavar="NAME", help="[default: the one that is built, else the current]")
]
_BEAM = {"allow_extra_args": True, "ignore_unknown_options": True}


@dataclass(frozen=True)
class _Parts:
    """What every subcommand works on."""

    settings: Settings
    log: Log
    index: Index
    backfill: Backfill
    metrics: "BackfillMetrics"


@contextmanager
def _opened(
    context: typer.Context, log: str | None, index: str | None, catalog: Any = None, metrics: str | None = None
) -> Generator[_Parts]:
    from publog.telemetry.backfill import BackfillMetrics
    from publog.telemetry.exporter import exporting
    from publog.telemetry.newsroom import Surroundings

    settings = settings_of(context, log, index, catalog)
    with (
        closing(settings.open_log()) as opened,
        closing(open_index(settings.index)) as target,
        exporting(metrics) as exported,
    ):
        if exported is not None:
            exported.register(Surroundings(settings.home))
        yield _Parts(settings, opened, target, Backfill(opened, target, settings.home), BackfillMetrics(exported))


@contextmanager
def _leased(parts: _Parts, what: str) -> Generator[int]:
    """The right to change what is current, and its token."""
    command = f"publog backfill {what}".rstrip()
    holder = f"{command} (process {os.getpid()} on {platform.node()})"
    with parts.index.lease(holder) as lease, parts.backfill.records.at_work(), _behind_others():
        yield lease.token


@contextmanager
def _behind_others() -> Generator[None]:
    """Leave the processor to the stream and to searches, which people wait for; what is started meanwhile does so too."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(before, NICENESS))
    try:
        yield
    finally:
        # Only some may take back what they gave.
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, before)


@app.callback(context_settings=_BEAM)
def backfill(
    context: typer.Context,
    shards: ShardsOption = None,
    memory: MemoryOption = None,
    runner: RunnerOption = None,
    log: LogOption = None,
    index: IndexOption = None,
    catalog: CatalogOption = None,
    metrics: MetricsOption = None,
    json: JsonOption = False,
) -> int:
    """Rebuild the index from the first message, beside the live one: build, follow, verify, swap.

    Without a subcommand it does it all, or goes on with what was begun. Searches and the stream go on meanwhile.

    Example: `publog backfill --catalog new-catalog`
    """
    if context.invoked_subcommand is not None:
        if json or any(option is not None for option in (shards, memory, runner, log, index, catalog)):
            # Each subcommand reads its own: these would be forgotten without a word.
            raise UsedWrongly(f"options go behind the subcommand: publog backfill {context.invoked_subcommand} ...")
        return 0
    with _opened(context, log, index, catalog, metrics) as parts, _leased(parts, "") as token:
        _check_runner(parts, runner, context.args)
        record = parts.backfill.records.read()
        if record is None or record.phase == "current":
            chosen = _choose(parts)
            if not json:
                _tell_plan(parts, chosen, shards or _cores())
            record = _begin(parts, chosen, shards, memory)
        elif (catalog or context.find_root().obj.flags.catalog) is not None:
            _check_same(parts, record, parts.settings.load_catalog(parts.log))
        record = _build(parts, record, runner, context.args, json=json)
        return _cut_over(parts, record, token, json=json)


@app.command()
def plan(
    context: typer.Context,
    shards: ShardsOption = None,
    log: LogOption = None,
    index: IndexOption = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Say how much there is to do, how long it takes and how much disk, before anything starts; and what changes."""
    with _opened(context, log, index, catalog) as parts:
        chosen = parts.settings.load_catalog(parts.log)
        if not json:
            _tell_plan(parts, chosen, shards or _cores())
            return
        made = planning.plan(parts.log, chosen, parts.index.url, shards or _cores())
        changes = [change._asdict() for change in _changes(parts, chosen)]
        write_json({**planning.as_json(made), "catalog_changes": changes})


@app.command(context_settings=_BEAM)
def start(
    context: typer.Context,
    shards: ShardsOption = None,
    memory: MemoryOption = None,
    runner: RunnerOption = None,
    log: LogOption = None,
    index: IndexOption = None,
    catalog: CatalogOption = None,
    metrics: MetricsOption = None,
    json: JsonOption = False,
) -> int:
    """Build a new generation beside the live one, and bring it up to the log's end."""
    with _opened(context, log, index, catalog, metrics) as parts, _leased(parts, "start"):
        parts.backfill.records.refuse_unfinished()
        _check_runner(parts, runner, context.args)
        record = _begin(parts, _choose(parts), shards, memory)
        return _bring_up(parts, record, runner, context.args, json=json)


@app.command(context_settings=_BEAM)
def resume(
    context: typer.Context,
    runner: RunnerOption = None,
    log: LogOption = None,
    index: IndexOption = None,
    metrics: MetricsOption = None,
    json: JsonOption = False,
) -> int:
    """Go on with what was begun, from its last checkpoint."""
    with _opened(context, log, index, metrics=metrics) as parts, _leased(parts, "resume"):
        return _bring_up(parts, parts.backfill.records.unfinished(), runner, context.args, json=json)


@app.command()
def status(context: typer.Context, log: LogOption = None, index: IndexOption = None, json: JsonOption = False) -> None:
    """Where the backfill is."""
    with _opened(context, log, index) as parts:
        found = standing(parts.log, parts.index, parts.backfill.records)
        unit = unit_of_offsets(parts.log)
    record, done, through, last, at_work = found.record, found.build, found.through, found.last_offset, found.at_work
    if json:
        building = record is not None and record.phase == "building"
        write_json(
            {
                "at_work": at_work,
                "current": found.current,
                "applied_through": found.applied_through,
                "last_offset": last,
                "backfill": record and {**asdict(record), "applied_through": through},
                "build": done._asdict() if building and done else None,
            }
        )
        return
    say(f"searched: {found.current or 'nothing yet'}, applied through {found.applied_through} of {last}")
    if record is None or done is None:
        say("no backfill was begun here: publog backfill plan")
        return
    now = "at work" if at_work else "nobody is at work on it"
    match record.phase:
        case "building":
            say(
                f"{record.generation}: building since {record.begun}, {done.applied:,} of {done.offsets:,} {unit} read,"
                f" {done.views:,} views written, {done.parts:,} parts indexed; {now}"
            )
        case "built":
            say(f"{record.generation}: built, applied through {through}, {last - through:,} {unit} behind; {now}")
        case "current":
            say(f"{record.generation}: done, begun {record.begun}")
    if record.phase != "current" and not at_work:
        say(f"next: publog backfill {'resume' if record.phase == 'building' else 'cutover'}", style="bold")


@app.command()
def verify(
    context: typer.Context,
    generation: GenerationOption = None,
    fix: Annotated[bool, typer.Option("--repair", help="Write the documents that differ again, from the log.")] = False,
    log: LogOption = None,
    index: IndexOption = None,
    metrics: MetricsOption = None,
    json: JsonOption = False,
) -> int:
    """Compare every document of a generation with its view recomputed from the log, by another route than it was built."""
    with _opened(context, log, index, metrics=metrics) as parts:
        record = parts.backfill.records.read()
        built = record.generation if record is not None and record.phase == "built" else None
        name = generation or built or parts.index.info().generation
        if not name:
            raise NoIndex(parts.index.url)
        report = _verify(parts, name)
        if fix and not report.passed:
            with _leased(parts, "verify --repair"), closing(parts.index.generation(name)) as handle:
                count = verification.repair(parts.log, handle, parts.index.catalog(name), report)
                if not json:
                    say(verification.as_text(report))
                    say(f"{count:,} documents were written again; once more:")
            report = _verify(parts, name)
    if json:
        write_json(verification.as_json(report))
    else:
        say(verification.as_text(report), style="green" if report.passed else "red")
        if not report.passed:
            say("next: publog backfill verify --repair", style="bold")
    return 0 if report.passed else 1


@app.command()
def cutover(
    context: typer.Context,
    log: LogOption = None,
    index: IndexOption = None,
    metrics: MetricsOption = None,
    json: JsonOption = False,
) -> int:
    """Bring the built generation up to date, verify it, and let searches go to it in one step."""
    with _opened(context, log, index, metrics=metrics) as parts, _leased(parts, "cutover") as token:
        record = parts.backfill.records.unfinished()
        if record.phase == "building":
            raise UsedWrongly(f"generation {record.generation} is not built yet: publog backfill resume")
        return _cut_over(parts, record, token, json=json)


@app.command()
def rollback(
    context: typer.Context,
    log: LogOption = None,
    index: IndexOption = None,
    metrics: MetricsOption = None,
    json: JsonOption = False,
) -> int:
    """Bring the former generation up to date, and let searches go to it again."""
    with _opened(context, log, index, metrics=metrics) as parts, _leased(parts, "rollback") as token:
        unit = unit_of_offsets(parts.log)
        with line() as shown:

            def follow(state: StreamProgress) -> None:
                parts.metrics.moved("catching up", state.applied + 1, state.last + 1)
                shown.show(f"catching up: {state.lag:,} {unit} behind")

            switch = parts.backfill.roll_back(token, follow)
        _log.info("rolled back", extra={"current": switch.current, "former": switch.former})
        if json:
            write_json({"current": switch.current, "former": switch.former})
        else:
            say(f"searches go to generation {switch.current} again", style="green")
            say(f"{switch.former} is kept; back to it: publog backfill rollback")
    return 0


@app.command()
def generations(
    context: typer.Context,
    remove: Annotated[str | None, typer.Option("--remove", metavar="NAME", help="Remove this one.")] = None,
    log: LogOption = None,
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """List the generations of the index, or remove one that is not searched."""
    with _opened(context, log, index) as parts:
        if remove is not None:
            with _leased(parts, "generations --remove"):
                parts.backfill.remove(remove)
            if not json:
                say(f"removed {remove}")
                return
        found = parts.index.generations()
    if json:
        write_json([about._asdict() for about in found])
        return
    for about in found:
        created = datetime.fromtimestamp(about.created, UTC).isoformat().replace("+00:00", "Z")
        state = "searched" if about.current else "complete" if about.complete else "unfinished"
        say(
            f"{about.name}  {state:<10}  applied through {about.applied_through:,}  {about.bytes / 1e6:,.1f} MB"
            f"  catalog {about.catalog_digest[:12]}  begun {created}"
        )
    if not found:
        say("none yet")


# ------------------------------------------------------------------------------------------------------------ the steps


def _cores() -> int:
    """For the build: one is left to the stream and to searches."""
    return max((os.cpu_count() or 1) - 1, 1)


def _changes(parts: _Parts, catalog: Catalog) -> list[Change]:
    try:
        before = parts.index.catalog()
    except NoIndex:
        return []
    return catalog_changes(before, catalog)


def _tell_plan(parts: _Parts, catalog: Catalog, shards: int) -> None:
    say(planning.as_text(planning.plan(parts.log, catalog, parts.index.url, shards)))
    changes = _changes(parts, catalog)
    if changes:
        say("the catalog changes:")
        for change in changes:
            say(f"  {change.text}")


def _check_same(parts: _Parts, record: Record, catalog: Catalog) -> None:
    if parts.index.catalog(record.generation).digest != catalog.digest:
        raise UsedWrongly(
            f"generation {record.generation} is being built with another catalog; go on with it (publog backfill resume),"
            f" or give it up first (publog backfill generations --remove {record.generation})"
        )


def _choose(parts: _Parts) -> Catalog:
    """The catalog of a new generation; the log's own is the one that goes with what is current."""
    parts.backfill.end_switch()
    return parts.settings.load_catalog(parts.log)


def _begin(parts: _Parts, catalog: Catalog, shards: int | None, memory: int | None) -> Record:
    record = parts.backfill.begin(catalog, shards or _cores(), memory=memory or 0)
    _log.info("begun", extra=asdict(record))
    return record


def _check_runner(parts: _Parts, runner: str | None, options: list[str]) -> None:
    """Refuse what can't be run before anything is begun."""
    if runner is not None or options:
        load_beam()
        from pipeline.runners import check_runner

        check_runner(runner, options, (parts.log.url, parts.index.url))


def _bring_up(parts: _Parts, record: Record, runner: str | None, options: list[str], *, json: bool) -> int:
    record = _build(parts, record, runner, options, json=json)
    unit = unit_of_offsets(parts.log)
    with line() as shown:

        def follow(state: StreamProgress) -> None:
            parts.metrics.moved("catching up", state.applied + 1, state.last + 1)
            shown.show(f"catching up: {state.lag:,} {unit} behind")

        through = parts.backfill.catch_up(record, follow)
    if json:
        write_json({**asdict(record), "applied_through": through})
    else:
        say(f"generation {record.generation} is built, applied through {through}", style="green")
        say("next: publog backfill verify, then publog backfill cutover", style="bold")
    return 0


def _build(parts: _Parts, record: Record, runner: str | None, options: list[str], *, json: bool) -> Record:
    if not json and record.phase == "building":
        say(f"generation {record.generation}: messages up to offset {record.last:,}, {record.shards} shards")
    with meter("reading", unit_of_offsets(parts.log), record.last + 1) as progress:

        def show(state: BuildProgress) -> None:
            if state.parts_made:
                progress.go_on("indexing", "parts")
                progress.show(state.parts, state.parts_made)
                parts.metrics.moved("indexing", state.parts, state.parts_made)
            elif state.applied < state.offsets:
                progress.show(state.applied, state.offsets)
                parts.metrics.moved("reading", state.applied, state.offsets)
            else:
                progress.go_on("denormalizing", "views")
                progress.show(state.views)
                parts.metrics.moved("denormalizing", state.views)

        built = parts.backfill.build(record, runner=runner, options=options, on_progress=show)
    _log.info("built", extra={"generation": built.generation, "last": built.last})
    return built


def _verify(parts: _Parts, name: str) -> Report:
    with (
        closing(parts.index.generation(name)) as handle,
        meter("verifying", "documents") as progress,
    ):

        def compare(done: int, about: int) -> None:
            progress.show(done, about)
            parts.metrics.moved("verifying", done, about)

        return verification.verify(parts.log, handle, parts.index.catalog(name), compare)


def _cut_over(parts: _Parts, record: Record, token: int, *, json: bool) -> int:
    started = time.monotonic()
    reports: list[Report] = []
    unit = unit_of_offsets(parts.log)
    try:
        with meter("catching up", unit) as progress:

            def follow(state: StreamProgress) -> None:
                progress.go_on("catching up", unit)
                progress.show(state.applied + 1, state.last + 1)
                parts.metrics.moved("catching up", state.applied + 1, state.last + 1)

            def compare(done: int, about: int) -> None:
                progress.go_on("verifying", "documents")
                progress.show(done, about)
                parts.metrics.moved("verifying", done, about)

            def verified(report: Report) -> None:
                reports.append(report)
                told = {"passed": report.passed, "expected": report.expected, "different": report.different}
                _log.info("verified", extra={"generation": report.generation, "offset": report.watermark, **told})

            switch = parts.backfill.cut_over(record, token, on_follow=follow, on_verify=compare, on_verified=verified)
    finally:
        for report in [] if json else reports:
            say(verification.as_text(report))
    _log.info("switched", extra={"current": switch.current, "former": switch.former, "through": switch.through})
    if json:
        write_json({"current": switch.current, "former": switch.former, "seconds": time.monotonic() - started})
    else:
        say(f"searches go to generation {switch.current}", style="green")
        if switch.former:
            say(f"{switch.former} is kept; back to it: publog backfill rollback")
    return 0

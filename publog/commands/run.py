"""`publog run`: the Beam pipeline from the log into the index."""

import logging
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Final

import typer

from pipeline.progress import Progress
from pipeline.run import run_batch
from publog.commands import run_stream
from publog.options import CatalogOption, IndexOption, JsonOption, LogOption, MemoryOption, MetricsOption, settings_of
from publog.settings import Settings, UsedWrongly
from publog.terminal import meter, say, unit_of_offsets, warn, write_json

_DIGITS_MAX: Final = 9
_log: Final = logging.getLogger("publog.batch")


def run(
    context: typer.Context,
    batch: Annotated[bool, typer.Option("--batch", help="Over the log as it is now; then end.")] = False,
    stream: Annotated[bool, typer.Option("--stream", help="Follow the log until stopped (Ctrl-C, SIGTERM).")] = False,
    runner: Annotated[
        str | None, typer.Option(metavar="RUNNER", help="A Beam runner. [default: FnApiRunner, on this machine]")
    ] = None,
    shards: Annotated[
        str,
        typer.Option(
            metavar="N",
            help="Parts of the work; in a batch, processes side by side. With --stream also I/N, as 2/3: this process has "
            "one part of them, and others, on any machines, have the others (Elasticsearch).",
        ),
    ] = "1",
    memory: MemoryOption = None,
    micro_batch: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="With --stream: messages at a time, where it has to catch up."),
    ] = None,
    until_input_ends: Annotated[
        bool, typer.Option("--until-input-ends", help="With --stream: stop when standard input ends, too.")
    ] = False,
    log: LogOption = None,
    index: IndexOption = None,
    catalog: CatalogOption = None,
    metrics: MetricsOption = None,
    json: JsonOption = False,
) -> int:
    """Denormalize the log into the index with Apache Beam; options that publog doesn't know go to Beam.

    Example: `publog run --batch --shards 2 --index jsonl:views.jsonl`

    Example: `publog run --stream`
    """
    if batch == stream:
        raise UsedWrongly("say what to run: publog run --batch, or publog run --stream")
    settings = settings_of(context, log, index, catalog)
    only, number = _shards(shards)
    if stream:
        if memory is not None:
            raise UsedWrongly("--memory goes with --batch; a stream keeps its assets in memory")
        return run_stream.run_stream(
            settings,
            runner,
            number,
            micro_batch,
            context.args,
            only=only,
            until_input_ends=until_input_ends,
            json=json,
            metrics=metrics,
        )
    if until_input_ends:
        raise UsedWrongly("--until-input-ends goes with --stream; a batch ends by itself")
    if metrics is not None and _is_given(context, "metrics"):
        raise UsedWrongly("--metrics goes with --stream; a batch ends by itself")
    if only is not None:
        raise UsedWrongly("--shards I/N goes with --stream; a batch needs all its shards: --shards N")
    if micro_batch is not None:
        raise UsedWrongly("--micro-batch goes with --stream; a batch is one")
    return _run_batch(settings, runner, number, memory or 0, context.args, json=json)


def _run_batch(
    settings: Settings, runner: str | None, shards: int, memory: int, options: list[str], *, json: bool
) -> int:
    with closing(settings.open_log()) as opened:
        chosen = settings.load_catalog(opened)
        end = opened.last_offset() + 1
        url, unit = opened.url, unit_of_offsets(opened)
    with meter("denormalizing", unit, end) as progress:

        def show(state: Progress) -> None:
            progress.show(state.applied, state.offsets, f", {state.views:,} views" if state.views else "")

        manifest = run_batch(
            log=url,
            index=settings.index,
            catalog=chosen,
            folder=settings.home,
            shards=shards,
            memory=memory,
            runner=runner,
            options=options,
            on_progress=show,
        )
    letters = manifest.dead_letters()
    told = {
        "log": settings.log,
        "index": settings.index,
        "offset": manifest.last,
        "views": manifest.total("live") + manifest.total("gone"),
        "dead_letters": letters,
    }
    _log.info("batch done", extra=told)
    if json:
        write_json({**asdict(manifest), "dead_letters": letters})
    else:
        say(
            f"{manifest.messages():,} messages, {manifest.total('live'):,} live views and {manifest.total('gone'):,} gone, "
            f"{manifest.bytes() / 1e6:,.1f} MB into {settings.index}",
            style="green",
        )
        for result in manifest.shards:
            say(
                f"  shard {result.shard}: {result.total('live') + result.total('gone'):,} views, {result.bytes / 1e6:,.1f} MB"
            )
        if bounded := manifest.bounded():
            warn(f"{bounded:,} views were cut short at a bound; their records say so in `bounds`")
        if letters:
            warn(f"{letters:,} messages could not be processed: publog dead-letters list")
    return 1 if letters else 0


def _shards(text: str) -> tuple[int | None, int]:
    """The shard that this process has, from 0 (None: all of them), and how many there are."""
    first, slash, rest = text.partition("/")
    number = rest if slash else first
    if not all(part.isascii() and part.isdigit() and len(part) <= _DIGITS_MAX for part in (first, number)):
        raise UsedWrongly(f"--shards {text}: write a number, or which of how many, as in 2/3")
    if not 1 <= int(first) <= int(number):
        raise UsedWrongly(f"--shards {text}: write a number from 1 on, or which of how many, from 1/3 to 3/3")
    return (int(first) - 1 if slash else None), int(number)


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line, and not in the environment only."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"

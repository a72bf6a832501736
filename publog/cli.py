"""The command line: every command in one place, and every error as one clear sentence."""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from assets.errors import AssetsError, InvalidCatalog, InvalidUri, UnusableLog
from backfill.errors import BackfillError
from denormalizer.errors import DenormalizerError
from indexers.errors import IndexersError, InvalidQuery, UnusableIndex
from pipeline.errors import PipelineError, UnusableJob
from publog import VERSION
from publog.options import Shared
from publog.settings import Flags, UsedWrongly
from publog.terminal import are_logged, fail, say

DONE, FOUND_WRONG, USED_WRONGLY = 0, 1, 2
"""Exit codes: done, the work found something wrong, used wrongly."""

_INTERRUPTED = 128 + signal.SIGINT

_COMMANDS: Final = {
    "demo": "demo:demo",
    "publish": "publish:publish",
    "run": "run:run",
    "views": "views:views",
    "history": "history:history",
    "diff": "history:diff",
    "explain": "explain:explain",
    "dependents": "explain:dependents",
    "search": "search:search",
    "serve": "serve:serve",
    "backfill": "backfill:app",
    "catalog": "catalog:app",
    "log": "log:app",
    "dead-letters": "dead_letters:app",
    "keys": "keys:app",
    "doctor": "doctor:doctor",
}
"""In the order of the help: each command's module and what is in there, a function or a group."""

_BEAM: Final = {"allow_extra_args": True, "ignore_unknown_options": True}
"""What `run` does not know goes to Beam."""


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """The command line with those commands that are named among the arguments; with all of them where none is.

    The modules of all take longer to load than many a command takes.
    """
    app = typer.Typer(
        name="publog",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        help="A publishing log: normalized assets in one ordered log, kept for ever; denormalized content views and their "
        "search index rebuilt from it at any time.\n\nNew here? `publog demo` shows it all in a minute.",
    )
    app.callback()(shared)
    for name in [name for name in _COMMANDS if name in arguments] or _COMMANDS:
        module, _, member = _COMMANDS[name].partition(":")
        command = getattr(import_module(f"publog.commands.{module}"), member)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, context_settings=_BEAM if name == "run" else None)(command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        say(f"publog {VERSION}")
        raise typer.Exit


def shared(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Holds the embedded log, state and index. [env: PUBLOG_HOME] [default: .publog]"
        ),
    ] = None,
    log_url: Annotated[str | None, typer.Option("--log", metavar="URL", hidden=True)] = None,
    index: Annotated[str | None, typer.Option("--index", metavar="URL", hidden=True)] = None,
    catalog_folder: Annotated[Path | None, typer.Option("--catalog", metavar="DIR", hidden=True)] = None,
    _: Annotated[bool, typer.Option("--version", help="Say the version.", is_eager=True, callback=_version)] = False,
) -> None:
    context.obj = Shared(home, Flags(log_url, index, catalog_folder))


_WRONGLY = (UsedWrongly, UnusableLog, InvalidUri, InvalidQuery, UnusableIndex, UnusableJob)


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command; returns its exit code. No traceback reaches a person."""
    if not are_logged():
        return _run_command(arguments)
    from publog.telemetry.logs import events_told, form_of

    try:
        form = form_of()
    except UsedWrongly as error:
        sys.stderr.write(f"error: {error}\n")
        return USED_WRONGLY
    with events_told(form):
        return _run_command(arguments)


def _run_command(arguments: list[str]) -> int:
    try:
        code = make_app(arguments)(arguments, prog_name="publog", standalone_mode=False)
    except typer.TyperException as error:
        from typer.rich_utils import rich_format_error

        # With `standalone_mode=False` typer raises what it would show; this is what it would show it with.
        rich_format_error(cast("Any", error))
        return USED_WRONGLY
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        # Whoever read our output has had enough, which typer and rich both take for a failure.
        # Python would complain once more while closing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except _WRONGLY as error:
        fail(str(error))
        return USED_WRONGLY
    except InvalidCatalog as error:
        fail(f"the catalog can't be used:\n{error}")
        return FOUND_WRONG
    except (AssetsError, BackfillError, DenormalizerError, IndexersError, PipelineError) as error:
        fail(str(error))
        return FOUND_WRONG
    except OSError as error:
        fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        return FOUND_WRONG
    except Exception as error:
        if os.environ.get("PUBLOG_DEBUG"):
            raise
        fail(f"a fault in publog itself: {type(error).__name__}: {error}\nPUBLOG_DEBUG=1 shows where; please report it")
        return FOUND_WRONG
    if code == _INTERRUPTED:
        fail("stopped; what was acknowledged is kept, and the same command goes on from there")
    return code if isinstance(code, int) else DONE

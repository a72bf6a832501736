"""`publog dead-letters`: what could not be processed, and another try."""

from base64 import b64encode
from contextlib import closing

import orjson
import typer

from indexers import open_index
from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.replay import replay as replay_letters
from publog.options import CatalogOption, IndexOption, JsonOption, LogOption, settings_of
from publog.terminal import say, warn, write_lines

app = typer.Typer(no_args_is_help=True, help="Messages that could not be processed, kept apart.")


@app.command("list")
def list_(context: typer.Context, json: JsonOption = False) -> None:
    """Every dead letter: offset, URI, code and reason; with --json its bytes too."""
    settings = settings_of(context)
    with closing(DeadLetters(settings.home / DEAD_LETTERS_FILE)) as letters:
        found = list(letters.all())
    if json:
        write_lines(orjson.dumps({**letter._asdict(), "value": b64encode(letter.value).decode()}) for letter in found)
    else:
        for letter in found:
            say(f"{letter.offset:>9}  {letter.code:<20} {letter.uri}  {letter.reason}")
        say(f"{len(found):,} dead letters" if found else "no dead letters", style="yellow" if found else "green")


@app.command("replay")
def replay(
    context: typer.Context, log: LogOption = None, index: IndexOption = None, catalog: CatalogOption = None
) -> int:
    """Try every dead letter again, and bring the views that it touches up to date in the index."""
    settings = settings_of(context, log, index, catalog)
    with (
        closing(settings.open_log()) as opened,
        closing(DeadLetters(settings.home / DEAD_LETTERS_FILE)) as letters,
        closing(open_index(settings.index, letters.add_unfit)) as target,
    ):
        result = replay_letters(opened, target, settings.load_catalog(opened), letters, settings.home)
    say(f"{result.processed:,} processed, {result.views:,} views brought up to date", style="green")
    if result.left:
        warn(f"{result.left:,} still can't be processed: publog dead-letters list")
    return 1 if result.left else 0

"""`publog keys`: who may publish and read over HTTP."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Annotated

import orjson
import typer

from assets.model import rfc3339
from publog.keys import KEYS_FILE, Keys, parse_expiry
from publog.options import JsonOption, settings_of
from publog.terminal import say, warn, write_lines

app = typer.Typer(no_args_is_help=True, help="Keys for publog serve, with what each allows.")

IdArgument = Annotated[str, typer.Argument(metavar="ID")]


@app.command("add")
def add(
    context: typer.Context,
    scopes: Annotated[
        list[str],
        typer.Option("--scope", metavar="SCOPE", help="publish, publish:KIND, search or admin; may be repeated."),
    ],
    expires: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Days from now, as 90d, or a time, as 2027-01-31T00:00:00Z; else never."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Requests in a time, as 600/minute; else what the server gives every key."),
    ] = None,
) -> None:
    """Make a key and say it, once. As soon as there is one, nobody publishes over HTTP without.

    Example: `publog keys add --scope publish:article --scope search --expires 90d`
    """
    until = None if expires is None else parse_expiry(expires)
    with _keys(context) as keys:
        _say_once(keys.add(scopes, expires=until, rate=rate))


@app.command("list")
def list_(context: typer.Context, json: JsonOption = False) -> None:
    """Every key: its id, since when, what it allows, how often, until when, and whether it was revoked."""
    with _keys(context) as keys:
        found = keys.all()
    if json:
        write_lines(orjson.dumps(key._asdict()) for key in found)
        return
    for key in found:
        rate = "" if key.rate is None else f"  {key.rate}"
        ended = "".join(
            f"  {word} {rfc3339(second * 1_000_000)}"
            for word, second in (("expires" if key.is_good else "expired", key.expires), ("revoked", key.revoked))
            if second is not None
        )
        say(f"{key.id}  {rfc3339(key.created * 1_000_000)}  {' '.join(key.scopes)}{rate}{ended}")
    if not found:
        say("no keys: on this machine, anyone may publish through publog serve")


@app.command("revoke")
def revoke(context: typer.Context, id_: IdArgument) -> None:
    """End a key, at once, also in servers that run."""
    with _keys(context) as keys:
        keys.revoke(id_)
    say(f"{id_} is revoked", style="green")


@app.command("rotate")
def rotate(context: typer.Context, id_: IdArgument) -> None:
    """Another secret for a key that allows the same; the former ends at once."""
    with _keys(context) as keys:
        _say_once(keys.rotate(id_))


def _say_once(key: str) -> None:
    say(key)
    warn("keep it now: it is not kept here, and can't be shown again")


@contextmanager
def _keys(context: typer.Context) -> Generator[Keys]:
    with closing(Keys(settings_of(context).home / KEYS_FILE)) as keys:
        yield keys

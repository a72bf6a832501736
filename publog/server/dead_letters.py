"""Dead letters over HTTP: what could not be processed, and another try."""

from base64 import b64encode
from contextlib import closing
from typing import Any, Final

import msgspec

from pipeline.dead_letters import DEAD_LETTERS_FILE, DeadLetters
from pipeline.replay import replay as replay_letters
from publog.server.endpoints import Call, Endpoint, Parameters, Reply


class Letter(msgspec.Struct):
    """A message that could not be processed."""

    offset: int
    uri: str
    code: str
    reason: str
    value: str
    """Its bytes, in base64."""


class Letters(msgspec.Struct):
    """Every dead letter, by offset."""

    letters: list[Letter]


class Replayed(msgspec.Struct):
    """What another try did."""

    processed: int
    views: int
    """Brought up to date in the index."""
    left: int
    """Dead letters that still are."""


async def letters(call: Call[Any]) -> Reply:
    return Reply(await call.in_thread(_letters, call))


def _letters(call: Call[Any]) -> Letters:
    with closing(DeadLetters(call.newsroom.settings.home / DEAD_LETTERS_FILE)) as kept:
        found = list(kept.all())
    return Letters([Letter(*letter[:4], b64encode(letter.value).decode()) for letter in found])


async def replay(call: Call[Any]) -> Reply:
    return Reply(await call.in_thread(_replay, call))


def _replay(call: Call[Any]) -> Replayed:
    newsroom = call.newsroom
    with newsroom.reading() as reader, closing(DeadLetters(newsroom.settings.home / DEAD_LETTERS_FILE)) as kept:
        done = replay_letters(reader.log, newsroom.index, reader.catalog, kept, newsroom.settings.home)
    return Replayed(*done)


ENDPOINTS: Final[list[Endpoint[Any]]] = [
    Endpoint(
        "GET",
        "/v1/dead-letters",
        "deadLetters",
        "What could not be processed",
        letters,
        {200: ("By offset", Letters)},
        Parameters,
        scopes=("admin",),
        problems=(503,),
    ),
    Endpoint(
        "POST",
        "/v1/dead-letters/replay",
        "replay",
        "Try every dead letter again, and bring the views that it touches up to date",
        replay,
        {200: ("What it did", Replayed)},
        Parameters,
        scopes=("admin",),
        problems=(409, 503),
    ),
]

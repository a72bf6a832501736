"""Dead letters, and another try."""

from base64 import b64decode
from typing import Any, Final

from publog.server import dead_letters
from publog.server.dead_letters import Letters, Replayed
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.pages.layout import ask, endpoint, page
from publog.server.problems import ProblemDocument, problem_of

PATH: Final = "/pages/dead-letters"
_BYTES_SHOWN_MAX: Final = 256


async def show(call: Call[Parameters]) -> Reply:
    return await _page(call)


async def replay(call: Call[Parameters]) -> Reply:
    try:
        done = (await ask(call, dead_letters.replay, Parameters())).value
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        return await _page(call, problem=problem.document, status=problem.status)
    return await _page(call, done)


async def _page(
    call: Call[Any], done: Replayed | None = None, problem: ProblemDocument | None = None, status: int = 200
) -> Reply:
    found: Letters = (await ask(call, dead_letters.letters, Parameters())).value
    rows = [(letter, _shown(b64decode(letter.value))) for letter in found.letters]
    return await page(call, "dead-letters.html.j2", status=status, rows=rows, done=done, problem=problem)


def _shown(value: bytes) -> str:
    """Bytes as a person may compare them."""
    shown = value[:_BYTES_SHOWN_MAX].hex(" ", -4)
    return f"{shown} …" if len(value) > _BYTES_SHOWN_MAX else shown


PAGES: Final[list[Endpoint[Any]]] = [
    endpoint(PATH, "DeadLetters", show, scopes=("admin",)),
    endpoint(PATH, "DeadLetters", replay, scopes=("admin",), posts=True),
]

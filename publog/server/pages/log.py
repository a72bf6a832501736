"""The log's tail."""

from typing import Any, Final

from publog.server import log
from publog.server.endpoints import Call, Endpoint, Reply
from publog.server.log import LogParameters
from publog.server.pages.layout import ask, endpoint, page


class LogTail(LogParameters, frozen=True, rename={"from_": "from"}):
    pass


async def tail(call: Call[LogTail]) -> Reply:
    asked = call.parameters
    found: log.LogPage = (await ask(call, log.log, LogParameters(asked.from_, asked.limit))).value
    first = found.messages[0].offset if found.messages else 0
    return await page(
        call,
        "log.html.j2",
        found=found,
        limit=asked.limit,
        is_end=found.next > found.last_offset,
        earlier=max(first - asked.limit, 0) if first > 0 else None,
    )


PAGES: Final[list[Endpoint[Any]]] = [endpoint("/pages/log", "Log", tail, LogTail)]

"""Whether the server is well, for those who watch it."""

from typing import Any, Literal

import msgspec

from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.limits import READY_LAG_MESSAGES_MAX, RETRY_AFTER_SECONDS
from publog.server.metrics import METRICS_TYPE, Metrics
from publog.server.problems import Problem


class Healthy(msgspec.Struct):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(msgspec.Struct):
    """The index follows the log closely enough."""

    status: Literal["ready"]
    last_offset: int
    applied_through: int
    lag: int
    generation: str


async def healthz(call: Call[Parameters]) -> Reply:  # noqa: ARG001 - it looks at nothing
    return Reply(Healthy())


async def readyz(call: Call[Parameters]) -> Reply:
    standing = await call.in_thread(call.newsroom.standing)
    if not standing.is_loaded or standing.lag > READY_LAG_MESSAGES_MAX:
        has = f"is {standing.lag:,} messages behind the log" if standing.is_loaded else "was never loaded"
        raise Problem(
            503,
            "not-ready",
            "Not ready",
            f"The index {has}; ready is at most {READY_LAG_MESSAGES_MAX:,} behind. Is the stream running?",
            lag=standing.lag,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    return Reply(Ready("ready", standing.last_offset, standing.applied_through, standing.lag, standing.generation))


def endpoints(metrics: Metrics) -> list[Endpoint[Any]]:
    async def show(call: Call[Parameters]) -> Reply:
        return Reply(await call.in_thread(metrics.text), media_type=METRICS_TYPE)

    return [
        Endpoint(
            "GET",
            "/healthz",
            "healthz",
            "Whether the process answers",
            healthz,
            {200: ("It does", Healthy)},
            Parameters,
        ),
        Endpoint(
            "GET",
            "/readyz",
            "readyz",
            "Whether the index follows the log closely enough",
            readyz,
            {200: ("It does", Ready)},
            Parameters,
            problems=(503,),
        ),
        Endpoint(
            "GET",
            "/metrics",
            "metrics",
            "What Prometheus reads",
            show,
            {200: ("Prometheus' text format", bytes)},
            Parameters,
            scopes=("admin",),
            media_type="text/plain",
        ),
    ]

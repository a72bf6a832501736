"""Generations and backfills over HTTP: how they are, and one step at a time."""

from typing import Annotated, Any, Final, Literal

import msgspec

from assets.model import rfc3339
from backfill.record import Records
from backfill.standing import standing
from publog.server.backfill_work import Work
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.problems import NotThere

Step = Literal["start", "resume", "verify", "repair", "cutover", "rollback"]

_ARGUMENTS: Final[dict[Step, tuple[str, ...]]] = {
    "start": ("start",),
    "resume": ("resume",),
    "verify": ("verify",),
    "repair": ("verify", "--repair"),
    "cutover": ("cutover",),
    "rollback": ("rollback",),
}


class StepParameters(Parameters, frozen=True):
    step: Annotated[Step, msgspec.Meta(description="What to do; each is the command of that name.")]


class GenerationParameters(Parameters, frozen=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Of a generation.")]


class GenerationDocument(msgspec.Struct):
    """One complete or unfinished index."""

    name: str
    state: Literal["searched", "complete", "unfinished"]
    applied_through: int
    """-1 until it is finished."""
    catalog_digest: str
    created: str
    bytes: int


class Generations(msgspec.Struct):
    """Oldest first."""

    last_offset: int
    generations: list[GenerationDocument]
    live: dict[str, int]
    """Documents of the one that is searched, by view."""
    gone: dict[str, int]


class Build(msgspec.Struct):
    """How far a generation is that is being built."""

    applied: int
    """Offsets that the shard furthest behind has read; a log may have fewer messages than offsets."""
    offsets: int
    views: int
    parts: int
    parts_made: int


class BackfillRecord(msgspec.Struct):
    """The last backfill."""

    generation: str
    former: str
    last: int
    begun: str
    phase: Literal["building", "built", "current"]
    verified_through: int | None
    applied_through: int


class BackfillDocument(msgspec.Struct):
    """Where the backfill is."""

    at_work: bool
    """Whether any process works on it."""
    current: str
    applied_through: int
    last_offset: int
    backfill: BackfillRecord | None
    build: Build | None
    work: Work | None


async def generations(call: Call[Any]) -> Reply:
    return Reply(await call.in_thread(_generations, call))


def _generations(call: Call[Any]) -> Generations:
    index = call.newsroom.index
    with call.newsroom.reading() as reader:
        last = reader.log.last_offset()
    info = index.info()
    found = [
        GenerationDocument(
            about.name,
            "searched" if about.current else "complete" if about.complete else "unfinished",
            about.applied_through,
            about.catalog_digest,
            rfc3339(about.created * 1_000_000),
            about.bytes,
        )
        for about in index.generations()
    ]
    return Generations(last, found, dict(info.live), dict(info.gone))


async def remove(call: Call[GenerationParameters]) -> Reply:
    return Reply(await call.in_thread(_remove, call), 202)


def _remove(call: Call[GenerationParameters]) -> BackfillDocument:
    name = call.parameters.name
    if name not in {about.name for about in call.newsroom.index.generations()}:
        raise NotThere(f"there is no generation {name}")
    call.newsroom.backfill.begin("remove", "generations", "--remove", name)
    return _backfill(call)


async def backfill(call: Call[Any]) -> Reply:
    return Reply(await call.in_thread(_backfill, call))


def _backfill(call: Call[Any]) -> BackfillDocument:
    newsroom = call.newsroom
    with newsroom.reading() as reader:
        found = standing(reader.log, newsroom.index, Records(newsroom.settings.home))
    record, build = found.record, found.build
    return BackfillDocument(
        found.at_work,
        found.current,
        found.applied_through,
        found.last_offset,
        record
        and BackfillRecord(
            record.generation,
            record.former,
            record.last,
            record.begun,
            record.phase,
            record.verified_through,
            found.through,
        ),
        Build(*build) if record is not None and record.phase == "building" and build is not None else None,
        newsroom.backfill.work(),
    )


async def take_step(call: Call[StepParameters]) -> Reply:
    return Reply(await call.in_thread(_take_step, call), 202)


def _take_step(call: Call[StepParameters]) -> BackfillDocument:
    step = call.parameters.step
    call.newsroom.backfill.begin(step, *_ARGUMENTS[step])
    return _backfill(call)


ENDPOINTS: Final[list[Endpoint[Any]]] = [
    Endpoint(
        "GET",
        "/v1/generations",
        "generations",
        "The generations of the index",
        generations,
        {200: ("Oldest first", Generations)},
        Parameters,
        scopes=("admin",),
        problems=(503,),
    ),
    Endpoint(
        "POST",
        "/v1/generations/{name}/remove",
        "removeGeneration",
        "Remove a generation that is not searched; a backfill that builds it is given up",
        remove,
        {202: ("It is begun", BackfillDocument)},
        GenerationParameters,
        scopes=("admin",),
        problems=(404, 409, 503),
    ),
    Endpoint(
        "GET",
        "/v1/backfill",
        "backfill",
        "Where the backfill is, and what the step answered that was begun last",
        backfill,
        {200: ("Now", BackfillDocument)},
        Parameters,
        scopes=("admin",),
        problems=(503,),
    ),
    Endpoint(
        "POST",
        "/v1/backfill/{step}",
        "backfillStep",
        "Begin a step of a backfill: build a generation beside the live one, verify it, let searches go to it, go back",
        take_step,
        {202: ("It is begun", BackfillDocument)},
        StepParameters,
        scopes=("admin",),
        problems=(409, 503),
    ),
]

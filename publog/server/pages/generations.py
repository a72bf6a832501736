"""Generations of the index, and the backfill that makes them."""

from typing import Any, Final

import msgspec

from publog.server import backfills
from publog.server.backfills import BackfillDocument, GenerationParameters, Generations, Step, StepParameters
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.pages.forms import form_of
from publog.server.pages.layout import ask, endpoint, page, redirect
from publog.server.problems import Problem, ProblemDocument

PATH: Final = "/pages/generations"


class StepForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    step: Step | None = None
    remove: str = ""


async def show(call: Call[Parameters]) -> Reply:
    return await _page(call)


async def act(call: Call[Parameters]) -> Reply:
    form = await form_of(call, StepForm)
    try:
        if form.remove:
            await ask(call, backfills.remove, GenerationParameters(form.remove))
        elif form.step is not None:
            await ask(call, backfills.take_step, StepParameters(form.step))
    except Problem as problem:
        return await _page(call, problem.document, problem.status)
    return redirect(PATH)


async def _page(call: Call[Any], problem: ProblemDocument | None = None, status: int = 200) -> Reply:
    found: Generations = (await ask(call, backfills.generations, Parameters())).value
    backfill: BackfillDocument = (await ask(call, backfills.backfill, Parameters())).value
    work = backfill.work
    answer: Any = None if work is None else work.answer
    is_running = backfill.at_work or (work is not None and work.is_running)
    return await page(
        call,
        "generations.html.j2",
        status=status,
        found=found,
        backfill=backfill,
        work=work,
        is_running=is_running,
        phase=None if backfill.backfill is None else backfill.backfill.phase,
        # Other steps answer something else.
        report=answer if isinstance(answer, dict) and "watermark" in answer else None,
        problem=problem,
        can_roll_back=sum(one.state != "unfinished" for one in found.generations) > 1,
    )


PAGES: Final[list[Endpoint[Any]]] = [
    endpoint(PATH, "Generations", show, scopes=("admin",)),
    endpoint(PATH, "Generations", act, scopes=("admin",), posts=True),
]

"""Keys: who may publish and read."""

from typing import Any, Final, Literal

import msgspec

from publog.server import key_ring
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.key_ring import KeyIdParameters, KeyList, KeyWish, NewKey, add_key
from publog.server.pages.forms import form_of
from publog.server.pages.layout import ask, catalog_of, endpoint, page, redirect
from publog.server.problems import Problem, ProblemDocument, Unusable

PATH: Final = "/pages/keys"


class KeyForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    action: Literal["add", "rotate", "revoke"]
    id: str = ""
    scope: tuple[str, ...] = ()
    expires: str = ""
    rate: str = ""


async def show(call: Call[Parameters]) -> Reply:
    return await _page(call)


async def change(call: Call[Parameters]) -> Reply:
    form = await form_of(call, KeyForm)
    try:
        match form.action:
            case "add":
                if not form.scope:
                    raise Unusable("Choose what the key may do.", "scopes")
                made = await add_key(call, KeyWish(list(form.scope), form.expires or None, form.rate or None))
            case "rotate":
                made = (await ask(call, key_ring.rotate, KeyIdParameters(form.id))).value
            case "revoke":
                await ask(call, key_ring.revoke, KeyIdParameters(form.id))
                return redirect(PATH)
    except Problem as problem:
        return await _page(call, problem=problem.document, status=problem.status)
    # Told once, so not behind a redirect: nothing keeps it.
    return await _page(call, made)


async def _page(
    call: Call[Any], made: NewKey | None = None, problem: ProblemDocument | None = None, status: int = 200
) -> Reply:
    found: KeyList = (await ask(call, key_ring.keys, Parameters())).value
    kinds = sorted((await catalog_of(call)).kinds)
    scopes = ["search", "publish", *(f"publish:{kind}" for kind in kinds), "admin"]
    return await page(call, "keys.html.j2", status=status, keys=found.keys, made=made, problem=problem, scopes=scopes)


PAGES: Final[list[Endpoint[Any]]] = [
    endpoint(PATH, "Keys", show, scopes=("admin",)),
    endpoint(PATH, "Keys", change, scopes=("admin",), posts=True),
]

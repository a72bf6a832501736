"""Publishing by hand: an asset as JSON with its schema beside it, tried first, then published and watched."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from secrets import token_hex
from typing import Any, Final, Literal, NamedTuple

import msgspec
import orjson

from assets.catalog import Catalog
from assets.errors import InvalidUri
from assets.model import NEVER, check_uri, rfc3339
from publog.server import content, messages
from publog.server.content import AssetParameters, DiffParameters
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.log import entries_at
from publog.server.messages import Published, PublishParameters, ReceiptParameters, publish_text
from publog.server.pages.forms import form_of
from publog.server.pages.layout import ask, catalog_of, endpoint, may, page, redirect, segment
from publog.server.pages.schema_help import blank_of, help_of
from publog.server.problems import Place, Problem, ProblemDocument, problem_of


class PublishPage(Parameters, frozen=True):
    uri: str = ""
    kind: str = ""


class ReceiptPage(ReceiptParameters, frozen=True):
    pass


class PublishForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the form sends."""

    uri: str = ""
    data: str = ""
    expect: str = ""
    """The version that was loaded, -1 for none; empty for whatever there is."""
    loaded: str = ""
    """The URI that it was loaded from: what is sent under another one must be new."""
    nonce: str = ""
    """Of the form: sending the same text from it again publishes it once."""
    references: Literal["", "reject", "hold", "allow"] = ""
    action: Literal["check", "publish", "unpublish", "overwrite"] = "check"
    present: str = ""
    """With overwrite: the version that is knowingly written over."""


class Fault(NamedTuple):
    """Something wrong, and the field of the asset that it is in."""

    field: str
    top: str
    """The first step of the field."""
    detail: str


async def edit(call: Call[PublishPage]) -> Reply:
    asked = call.parameters
    uri = asked.uri.strip()
    catalog = await catalog_of(call)
    if not uri:
        form = PublishForm(data=_pretty(_blank(catalog, asked.kind)), expect=str(NEVER), nonce=token_hex(8))
        return await _form(call, catalog, form, kind=asked.kind)
    if not may(call, "search"):
        # Who may publish and not read begins with nothing, and publishes whatever is there.
        form = PublishForm(uri, _pretty(_blank(catalog, _kind(uri))), loaded=uri, nonce=token_hex(8))
        return await _form(call, catalog, form)
    form = PublishForm(uri, expect=str(NEVER), loaded=uri, nonce=token_hex(8))
    try:
        document: content.AssetDocument = (await ask(call, content.asset, AssetParameters(uri))).value
        form = msgspec.structs.replace(
            form, data=_pretty(orjson.loads(bytes(document.data))), expect=str(document.offset)
        )
    except Problem as problem:
        if problem.status not in (404, 409, 410):
            raise
        data = _blank(catalog, _kind(uri))
        if problem.status == 410 and problem.document.offset:
            # What it was before it was unpublished is what one begins with.
            last = AssetParameters(uri, str(problem.document.offset - 1))
            with suppress(Problem):
                data = orjson.loads(bytes((await ask(call, content.asset, last)).value.data))
        if problem.document.offset is not None:
            form = msgspec.structs.replace(form, expect=str(problem.document.offset))
        form = msgspec.structs.replace(form, data=_pretty(data))
    except InvalidUri as error:
        told = problem_of(error)
        assert told is not None
        return await _form(call, catalog, form, problem=told.document, status=422)
    return await _form(call, catalog, form, kind=_kind(uri))


async def send(call: Call[PublishPage]) -> Reply:
    form = await form_of(call, PublishForm)
    catalog = await catalog_of(call)
    try:
        text, id_ = _message(form)
        asked = PublishParameters(form.references or msgspec.UNSET, form.action == "check")
        done = await call.alone(publish_text, replace(call, parameters=asked), text, time.time())
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        if problem.status in (401, 403):
            raise problem from None
        present, changed = await _conflict(call, form, problem.document)
        return await _form(
            call, catalog, form, problem=problem.document, status=problem.status, present=present, changed=changed
        )
    if form.action == "check":
        return await _form(call, catalog, form, tried=done)
    return redirect(f"/pages/receipts/{segment(id_)}")


async def receipt(call: Call[ReceiptPage]) -> Reply:
    tracked: messages.Tracked = (await ask(call, messages.receipt, ReceiptParameters(call.parameters.id))).value
    op = "publish"
    if tracked.offset is not None:
        op = (await call.in_thread(entries_at, call.newsroom, [tracked.offset]))[tracked.offset].op
    return await page(call, "receipt.html.j2", tracked=tracked, op=op)


def _message(form: PublishForm) -> tuple[bytes, str]:
    """The message that a form makes, and its id.

    Raises:
        Problem: with the field that is wrong.
    """
    uri = form.uri.strip()
    action = "publish" if form.action in ("check", "overwrite") else form.action
    expect = form.expect if uri == form.loaded else str(NEVER)
    if form.action == "overwrite":
        expect = form.present
    # The same text sent again from the same form is the same message, and another text never is.
    text = orjson.dumps([form.nonce, uri, action, expect, form.data])
    digest = blake2b(text, digest_size=12)
    message: dict[str, Any] = {
        "uri": uri,
        "kind": check_uri(uri),
        "op": action,
        "time": rfc3339(round(time.time()) * 1_000_000),
        "id": f"page-{digest.hexdigest()}",
    }
    if expect:
        try:
            message["expect"] = int(expect)
        except ValueError:
            raise Problem(
                422, "invalid-message", "The message can't be taken", "expect: is no offset", field="expect"
            ) from None
    if action == "publish":
        try:
            msgspec.json.decode(form.data, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            detail = f"This is not a JSON object: {error}"
            raise Problem(422, "invalid-message", "The message can't be taken", detail, field="data") from None
        # As it was written: what is checked beyond here is not what another reader made of it.
        message["data"] = msgspec.Raw(form.data.encode())
    return msgspec.json.encode(message), message["id"]


async def _conflict(
    call: Call[Any], form: PublishForm, problem: ProblemDocument
) -> tuple[content.AssetDocument | None, content.Difference | None]:
    """What is there now, and what changed since the form was loaded, where that is the problem."""
    if (
        not problem.type.endswith(":conflict")
        or problem.offset is None
        or problem.offset < 0
        or not may(call, "search")
    ):
        return None, None
    uri = form.uri.strip()
    try:
        present = (await ask(call, content.asset, AssetParameters(uri))).value
    except Problem:
        present = None
    changed = None
    if uri == form.loaded and form.expect.isascii() and form.expect.isdigit():
        changed = (await ask(call, content.diff, DiffParameters(uri, int(form.expect), problem.offset))).value
    return present, changed


async def _form(
    call: Call[Any],
    catalog: Catalog,
    form: PublishForm,
    *,
    kind: str = "",
    problem: ProblemDocument | None = None,
    status: int = 200,
    tried: Published | None = None,
    present: content.AssetDocument | None = None,
    changed: content.Difference | None = None,
) -> Reply:
    kind = kind or _kind(form.uri.strip())
    faults = [] if problem is None else _faults(problem)
    return await page(
        call,
        "publish.html.j2",
        status=status,
        form=form,
        kind=kind if kind in catalog.kinds else "",
        kinds=sorted(catalog.kinds),
        help=help_of(catalog.kinds[kind]) if kind in catalog.kinds else [],
        problem=problem,
        faults=faults,
        faulty={fault.top for fault in faults},
        is_conflict=problem is not None and problem.type.endswith(":conflict"),
        is_loaded=form.loaded == form.uri.strip() and form.expect not in ("", str(NEVER)),
        own_path="/pages/publish",
        unset=msgspec.UNSET,
        tried=tried,
        present=present,
        changed=changed,
    )


def _faults(problem: ProblemDocument) -> list[Fault]:
    places = problem.errors or [Place(problem.detail, problem.field)]
    return [_fault(place) for place in places]


def _fault(place: Place) -> Fault:
    field = place.field or ""
    inner = field.removeprefix("data.") if field.startswith("data.") else ""
    return Fault(field, inner.partition(".")[0].partition("[")[0], place.detail)


def _kind(uri: str) -> str:
    try:
        return check_uri(uri)
    except InvalidUri:
        return ""


def _blank(catalog: Catalog, kind: str) -> Mapping[str, Any]:
    return blank_of(catalog.kinds[kind]) if kind in catalog.kinds else {}


def _pretty(data: Any) -> str:
    return orjson.dumps(data, option=orjson.OPT_INDENT_2).decode()


PAGES: Final[list[Endpoint[Any]]] = [
    endpoint("/pages/publish", "Publish", edit, PublishPage, ("search", "publish")),
    endpoint("/pages/publish", "Publish", send, PublishPage, ("publish",), posts=True),
    endpoint("/pages/receipts/{id}", "Receipt", receipt, ReceiptPage, ("search", "publish")),
]

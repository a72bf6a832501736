"""Signing in with a key, and out."""

from typing import Any, Final

import msgspec

from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.pages.forms import form_of
from publog.server.pages.layout import endpoint, page, redirect
from publog.server.session import COOKIE, cookie

PATH: Final = "/pages/sign-in"


class SignInForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str = ""


async def show(call: Call[Parameters]) -> Reply:
    return await page(call, "sign-in.html.j2", has_strip=False, is_wrong=False)


async def sign_in(call: Call[Parameters]) -> Reply:
    form = await form_of(call, SignInForm)
    text = form.key.strip()
    found = await call.in_thread(call.newsroom.keys.find, text)
    if found is None:
        return await page(call, "sign-in.html.j2", status=401, has_strip=False, is_wrong=True)
    sessions = call.newsroom.sessions
    sessions.end(call.request.cookies.get(COOKIE, ""))
    return redirect("/", cookie(call.request, sessions.begin(text)))


async def sign_out(call: Call[Parameters]) -> Reply:
    call.newsroom.sessions.end(call.request.cookies.get(COOKIE, ""))
    return redirect(PATH, cookie(call.request, ""))


PAGES: Final[list[Endpoint[Any]]] = [
    endpoint(PATH, "SignIn", show, scopes=()),
    endpoint(PATH, "SignIn", sign_in, scopes=(), posts=True),
    endpoint("/pages/sign-out", "SignOut", sign_out, scopes=(), posts=True),
]

"""A real browser on a real server. Nothing it does may leave for another host or run what it should not."""

import re
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, sync_playwright

from tests.support.newsroom import Json, command, quiet_environment

# Hostile strings set window.__hit when they run.
_WATCH: Final = """
window.__hit = false;
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
    window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


@contextmanager
def serving(folder: Path, *arguments: Json) -> Generator[str]:
    """`publog serve` on a free port; its address. What it says of each request goes to a file: nobody reads a pipe."""
    with (folder / "serve.txt").open("w") as said:
        server = subprocess.Popen(
            command(*arguments, "serve", "--port", 0),
            cwd=folder,
            env=quiet_environment(),
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        try:
            assert server.stdout is not None
            found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+); Ctrl-C stops\n", server.stdout.readline())
            assert found, (folder / "serve.txt").read_text()
            yield found[1]
        finally:
            server.terminate()
            server.communicate(timeout=60)
    assert "Traceback" not in (folder / "serve.txt").read_text()


@contextmanager
def chromium() -> Generator[Browser]:
    """Debian's own: Playwright brings none."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--lang=en",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
            ],
        )
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A person's visit: one window, and everything in it that should not have happened."""

    def __init__(self, browser: Browser, base: str, **options: Json) -> None:
        self.base = base
        self.context: BrowserContext = browser.new_context(base_url=base, locale="en-GB", **options)
        self.context.set_default_timeout(15_000)
        self.context.add_init_script(_WATCH)
        self.strangers: list[str] = []
        self.wrong: list[str] = []
        self.answers: dict[str, int] = {}
        self.page: Page = self.context.new_page()
        self.context.on("request", self._requested)
        self.page.on("dialog", self._dialog)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error {error}"))
        self.page.on("response", lambda answer: self.answers.update({answer.url: answer.status}))

    def close(self) -> None:
        self.context.close()

    def check(self) -> None:
        """Nothing ran, nothing left, nothing broke."""
        assert self.strangers == []
        assert self.wrong == []
        assert self.page.evaluate("[window.__hit, ...window.__violations]") == [False]
        broken = [url for url, status in self.answers.items() if status >= 500]
        assert broken == []

    def _requested(self, request: Request) -> None:
        # It goes nowhere: no name of another host has an address here.
        if urlsplit(request.url).netloc != urlsplit(self.base).netloc:
            self.strangers.append(request.url)

    def _dialog(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        # A page that is an error is told there too.
        if message.type == "error" and not message.text.startswith("Failed to load resource: the server responded"):
            self.wrong.append(f"console {message.text}")


def asset_page(uri: str, query: str = "") -> str:
    return f"/pages/assets/{quote(uri, safe='')}{query}"


def view_page(view: str, uri: str, query: str = "") -> str:
    return f"/pages/views/{view}/{quote(uri, safe='')}{query}"

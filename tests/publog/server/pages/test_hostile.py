"""200 strings that mean harm, in every text of every kind of asset and in every parameter: none runs, none breaks a page."""

import json
import time
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import httpx2
import pytest
from playwright.sync_api import Browser

from assets.catalog import newsroom_catalog
from publog.server.app import table
from publog.server.metrics import Metrics
from publog.server.newsroom import Newsroom
from publog.settings import resolve
from tests.support.browsing import Visit, asset_page, serving, view_page
from tests.support.hostile import fill, hostile_strings
from tests.support.newsroom import TIME, Json, lines, publish, run_process, write_lines

pytestmark = pytest.mark.requires_tool("chromium")

STRINGS = hostile_strings()
KINDS = ("tag", "byline", "image", "article")


def uri(kind: str, number: int) -> str:
    return f"news://{kind}/{number}"


def asset(kind: str, number: int, text: str) -> Json:
    references = {one: uri(one, number) for one in KINDS[: KINDS.index(kind)]}
    data = fill(json.loads(newsroom_catalog().kinds[kind].text), text, references)
    if kind == "article":
        (block,) = data["body"]
        types = ("text", "heading", "quote", "list", "image", "embed", "video")
        data["body"] = [{**block, "type": type_} for type_ in types]
    return publish(uri(kind, number), **data)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    messages = [asset(kind, number, text) for kind in KINDS for number, text in enumerate(STRINGS)]
    write_lines(folder / "messages.jsonl", *messages)
    ran = run_process("publish", "messages.jsonl", folder=folder)
    assert ran.code == 0, ran
    assert run_process("run", "--batch", folder=folder).code == 0
    return folder


@pytest.fixture(scope="module")
def base(home: Path) -> Generator[str]:
    with serving(home) as address:
        yield address


def test_no_text_of_an_asset_runs_leaves_or_breaks_a_page(browser: Browser, base: str) -> None:
    visit = Visit(browser, base)
    begun = time.time()
    for number in range(len(STRINGS)):
        kind = KINDS[number % 4]
        visit.page.goto(view_page("story", uri("article", number), "?show=why"), wait_until="load")
        assert visit.page.locator("h1").count() == 1, STRINGS[number]
        visit.check()
    print(time.time() - begun)
    visit.close()

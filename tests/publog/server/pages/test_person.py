"""What a person does in a browser, from a search to a story that is gone; with and without a mouse, small and dark."""

import re
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browsing import Visit, asset_page, view_page

pytestmark = pytest.mark.requires_tool("chromium")

STORY = "news://article/rents-rise-fastest-northgate"
ADA = "news://byline/ada-okafor"


@pytest.fixture
def visit(browser: Browser, demo: str) -> Generator[Visit]:
    one = Visit(browser, demo)
    yield one
    one.check()
    one.close()


def test_from_a_search_to_the_message_behind_a_name_and_on_to_a_story_that_is_gone(
    browser: Browser, visit: Visit
) -> None:
    page = visit.page
    # Searches, narrows it down, opens a story.
    page.goto("/")
    page.get_by_label("Search for").fill("rents northgate")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#total")).to_have_text("4 found for rents northgate")
    expect(page.locator(".hits mark").first).to_have_text(re.compile("rent", re.IGNORECASE))
    page.locator(".facets").get_by_role("link", name="News 2").click()
    expect(page.locator("#total")).to_contain_text("2 found")
    page.get_by_role("link", name="Rents rise fastest in Northgate").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Rents rise fastest in Northgate, council figures show")

    # Which byline message does it show?
    page.get_by_role("link", name="Why does it say that").click()
    part = page.locator(".parts li").filter(has_text=ADA)
    expect(part).to_contain_text("message 284")
    expect(part).to_contain_text("made this version")
    expect(page.locator("#story .authors")).to_contain_text("Ada Okafor-Lindqvist")

    # Edits the byline in another window, and sees the story change in this one without loading it again.
    page.evaluate("window.__same = true")
    other = Visit(browser, visit.base)
    editor = other.page
    editor.goto(asset_page(ADA))
    editor.get_by_role("navigation", name="This asset").get_by_role("link", name="Edit").click()
    data = editor.get_by_label("Data, as JSON")
    data.fill(data.input_value().replace('"name": "Ada Okafor-Lindqvist"', '"name": "Ada von Calder"'))
    editor.get_by_role("button", name="Try it").click()
    tried = editor.locator("#tried")
    expect(tried).to_contain_text(re.compile(r"it touches \d+ views"))
    touched = re.search(r"touches (\d+) views", tried.inner_text())
    editor.get_by_role("button", name="Publish", exact=True).click()
    expect(editor.get_by_role("heading", level=1)).to_have_text("Published")
    expect(editor.locator("#receipt")).to_contain_text("message 285")
    expect(editor.locator(".stages")).to_contain_text("ms after it came in")
    assert touched
    expect(editor.locator("#receipt")).to_contain_text(f"In {touched[1]} views")
    expect(page.locator("#story .authors")).to_contain_text("Ada von Calder")
    expect(part).to_contain_text("message 285")
    expect(page.locator("#announce")).to_have_text("Version 285 is shown.")
    assert page.evaluate("window.__same") is True

    # Opens the page as of before.
    page.get_by_role("link", name="As it was").click()
    moments = page.locator(".moments li")
    expect(moments).to_have_count(5)
    moments.nth(1).get_by_role("link").first.click()
    expect(page.locator(".box.past")).to_contain_text("as it was at message 284")
    expect(page.locator("#story .authors")).to_contain_text("Ada Okafor-Lindqvist")
    page.get_by_label("At a time (UTC)").fill("2026-04-01T12:00:00")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#story .authors")).to_contain_text(re.compile(r"Ada Okafor$", re.MULTILINE))
    page.get_by_role("link", name="See it as it is now").click()

    # Unpublishes the story, and finds it gone: here, and from searches.
    page.evaluate("window.__same = true")
    editor.goto(view_page("story", STORY))
    editor.get_by_role("link", name="Edit").click()
    editor.get_by_text("Unpublish…").click()
    editor.get_by_role("button", name="Unpublish it").click()
    expect(editor.get_by_role("heading", level=1)).to_have_text("Unpublished")
    expect(page.get_by_role("heading", level=1)).to_have_text("Unpublished")
    assert page.evaluate("window.__same") is True
    editor.goto("/?q=rents+northgate")
    expect(editor.locator("#total")).to_contain_text("3 found")
    expect(editor.locator(".hits")).not_to_contain_text("Rents rise fastest")
    page.get_by_role("link", name="As it was just before").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Rents rise fastest in Northgate, council figures show")
    other.check()
    other.close()


def test_two_who_edit_the_same_lose_nothing(browser: Browser, visit: Visit) -> None:
    uri = "news://byline/mei-tanaka"
    first, other = visit.page, Visit(browser, visit.base)
    second = other.page
    for page in (first, second):
        page.goto(f"/pages/publish?uri={uri}")
    for page, name in ((first, "Mei First"), (second, "Mei Second")):
        data = page.get_by_label("Data, as JSON")
        data.fill(data.input_value().replace('"name": "Mei Tanaka"', f'"name": "{name}"'))
        page.get_by_role("button", name="Publish", exact=True).click()
    expect(first.get_by_role("heading", level=1)).to_have_text("Published")
    expect(second.get_by_role("alert")).to_contain_text("Somebody published this asset after you loaded it")
    assert "Mei Second" in second.get_by_label("Data, as JSON").input_value()
    row = second.locator(".diff tbody tr").first
    expect(row).to_contain_text("Mei Tanaka")
    expect(row).to_contain_text("Mei First")
    second.get_by_role("button", name=re.compile("Publish over message")).click()
    expect(second.get_by_role("heading", level=1)).to_have_text("Published")
    second.goto(asset_page(uri))
    expect(second.get_by_role("heading", level=1)).to_have_text("Mei Second")
    other.check()
    other.close()


def test_what_is_wrong_is_told_beside_its_field(visit: Visit) -> None:
    page = visit.page
    page.goto("/pages/publish?kind=tag")
    page.get_by_label("URI", exact=True).fill("news://tag/new")
    data = page.get_by_label("Data, as JSON")
    data.fill('{"name": 7}')
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator("#field-name .error")).to_contain_text("data.name")
    assert data.input_value() == '{"name": 7}'
    data.fill('{"name": ')
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("This is not a JSON object")


def test_the_log_follows_until_it_is_told_to_pause(browser: Browser, visit: Visit) -> None:
    page = visit.page
    page.goto("/pages/log")
    newest = page.locator("#tail tr th").first
    before = int(newest.inner_text())

    def publish(name: str) -> None:
        message = {"uri": f"news://tag/{name}", "kind": "tag", "op": "publish", "time": "2026-11-23T09:00:00Z"}
        data = {"name": name, "type": "subject", "slug": name}
        answer = visit.context.request.post("/v1/messages", data={**message, "data": data})
        assert answer.ok, answer.text()

    publish("followed")
    expect(newest).to_have_text(str(before + 1))
    expect(page.locator("#tail tr").first).to_contain_text("news://tag/followed")
    page.get_by_role("button", name="Pause").click()
    publish("paused")
    expect(page.locator('[data-value="last_offset"]')).to_have_text(str(before + 2))
    expect(newest).to_have_text(str(before + 1))
    page.get_by_role("button", name="Go on").click()
    expect(newest).to_have_text(str(before + 2))


def test_a_backfill_is_begun_watched_verified_and_cut_over(visit: Visit) -> None:
    page = visit.page
    page.goto("/pages/generations")
    page.get_by_role("button", name="Start a backfill").click()
    expect(page.get_by_text("at work")).to_be_visible()
    page.wait_for_selector("text=is built, applied through", timeout=60_000)
    page.get_by_role("button", name="Verify it").click()
    expect(page.get_by_text("no documents differ")).to_be_visible(timeout=60_000)
    before = page.locator("tr", has_text="searched").locator("th").inner_text()
    page.get_by_text("Cut over…").click()
    page.get_by_role("button", name="Cut over").click()
    expect(page.get_by_role("button", name="Start a backfill")).to_be_visible(timeout=60_000)
    expect(page.locator("tr", has_text="searched").locator("th")).not_to_have_text(before)
    expect(page.get_by_text("Remove…")).to_have_count(1)
    page.goto("/?q=rents")
    expect(page.locator(".hits li").first).to_be_visible()


def test_a_keyboard_alone_goes_from_a_search_to_why(visit: Visit) -> None:
    page = visit.page
    page.goto("/")

    def tab_to(name: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            focused = page.evaluate("document.activeElement.innerText || document.activeElement.name || ''")
            if name in focused:
                # Whoever comes there sees it.
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
                return
        pytest.fail(f"no Tab leads to {name}")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to content"
    page.keyboard.press("Enter")
    tab_to("q")
    page.keyboard.type("ferry")
    page.keyboard.press("Enter")
    expect(page.locator("#total")).to_contain_text("found for ferry")
    title = page.locator(".hits h2").first.inner_text()
    tab_to(title)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    tab_to("Why does it say that")
    page.keyboard.press("Enter")
    expect(page.locator(".parts li").first).to_contain_text("message")


PAGES = [
    "/",
    "/?q=ferry",
    "/?q=headline:(ferry",
    "/pages/assets",
    asset_page(ADA),
    asset_page(ADA, "?show=used-by"),
    asset_page(ADA, "?show=history"),
    asset_page(ADA, "?show=changes&a=5&b=284"),
    view_page("story", "news://article/bakery-tar-lane"),
    view_page("byline", ADA, "?show=why"),
    view_page("tag", "news://tag/ferries", "?show=past"),
    "/pages/publish",
    f"/pages/publish?uri={ADA}",
    "/pages/log",
    "/pages/generations",
    "/pages/dead-letters",
    "/pages/keys",
    "/pages/sign-in",
    "/pages/nothing",
]

UNLABELLED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, progress")]
    .filter((one) => !((one.labels && one.labels.length) || one.getAttribute("aria-label") || one.textContent.trim()))
    .map((one) => one.outerHTML)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_made_for_everyone(browser: Browser, demo: str, scheme: str) -> None:
    one = Visit(browser, demo, color_scheme=scheme, viewport={"width": 360, "height": 780})
    for address in PAGES:
        one.page.goto(address)
        assert one.page.evaluate("document.documentElement.lang") == "en", address
        assert one.page.locator("h1").count() == 1, address
        assert one.page.locator("main").count() == 1, address
        assert one.page.evaluate(UNLABELLED) == [], address
        assert one.page.evaluate("document.documentElement.scrollWidth") <= 360, address
        assert one.page.title(), address
        ids = one.page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
        assert len(set(ids)) == len(ids), address
        assert contrasts(one) == [], address
        one.check()
    one.close()


# Each text against what is behind it, as WCAG 2 counts it.
CONTRASTS = """() => {
    const parse = (text) => (text.match(/[0-9.]+/g) ?? []).map(Number);
    const bright = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((part) => {
            const one = part / 255;
            return one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (one) => {
        for (let at = one; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const poor = new Set();
    for (const one of document.querySelectorAll("body *")) {
        const words = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!words || !one.checkVisibility()) continue;
        const [a, b] = [bright(parse(getComputedStyle(one).color)), bright(behind(one))].sort((x, y) => y - x);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < 4.5) poor.add(`${one.tagName}.${one.className} ${contrast.toFixed(2)}`);
    }
    return [...poor];
}"""


def contrasts(visit: Visit) -> list[str]:
    return visit.page.evaluate(CONTRASTS)


def test_all_but_what_follows_works_without_a_script(browser: Browser, demo: str) -> None:
    context = browser.new_context(base_url=demo, java_script_enabled=False)
    page = context.new_page()
    page.goto("/?q=ferry")
    page.locator(".hits h2 a").first.click()
    expect(page.locator("#story h1")).to_be_visible()
    page.goto("/pages/publish?uri=news://byline/ada-okafor")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#tried")).to_contain_text("This can be published")
    page.get_by_role("button", name="Publish", exact=True).click()
    # It asks again by itself until it is there.
    expect(page.get_by_role("heading", level=1)).to_have_text("Published", timeout=20_000)
    context.close()


class Elsewhere(BaseHTTPRequestHandler):
    """Another site's page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(FOREIGN.encode())

    def log_request(self, *arguments: object) -> None:
        pass


# Cookies take two ports of one host for one site.
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_site_can_change_nothing(browser: Browser, demo: str, host: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    last = context.request.get(f"{demo}/v1/status").json()["last_offset"]
    before = context.request.get(f"{demo}/v1/backfill").json()["work"]
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever).start()
        page.goto(f"http://{host}:{server.server_port}/")
        tried = page.evaluate(SEND, demo)
        with page.expect_navigation(url=re.compile("dead-letters")) as navigated:
            page.evaluate("(demo) => { form.action = `${demo}/pages/dead-letters`; form.submit(); }", demo)
        server.shutdown()
    assert tried == 5
    assert navigated.value.status == 403
    expect(page.get_by_role("heading", level=1)).to_have_text("Another site's page asked for this")
    assert context.request.get(f"{demo}/v1/status").json()["last_offset"] == last
    assert context.request.get(f"{demo}/v1/keys").json() == {"keys": []}
    assert context.request.get(f"{demo}/v1/backfill").json()["work"] == before
    context.close()


FOREIGN = """<!doctype html><form id="form" method="post"></form>"""

SEND = """async (base) => {
    const message = { uri: "news://tag/forged", kind: "tag", op: "unpublish", time: "2026-11-23T09:00:00Z" };
    const options = { method: "POST", mode: "no-cors", credentials: "include" };
    const tries = [
        ["/v1/messages", { body: JSON.stringify(message) }],
        ["/v1/keys", { body: JSON.stringify({ scopes: ["admin"] }) }],
        ["/v1/backfill/start", {}],
        ["/v1/dead-letters/replay", {}],
        ["/pages/keys", { body: new URLSearchParams({ action: "add", scope: "admin" }) }],
    ];
    let answered = 0;
    for (const [path, more] of tries) {
        // What came back is hidden from it; that something did says that it was asked.
        await fetch(base + path, { ...options, ...more }).then(() => answered++, () => answered++);
    }
    return answered;
}"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assets.catalog import newsroom_catalog
from assets.schema import Record, Type
from denormalizer.pages import atom_feed, rss_feed, story_page
from denormalizer.pages.trust import address, flow, phrase, text

KINDS = newsroom_catalog().kinds
ARTICLE = KINDS["article"].record.fields
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SITE = "https://courier.example"
ATOM = "{http://www.w3.org/2005/Atom}"
DC = "{http://purl.org/dc/elements/1.1/}"
MEDIA = "{http://search.yahoo.com/mrss/}"

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title></style></head><body onload=alert(1)>",
    "'\"><img src=x onerror=alert(1)>",
    '" autofocus onfocus=alert(1) x="',
    "javascript:alert(1)",
    " jAvA\tscript:alert(1)",
    "java\x01script:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example/x",
    "\\\\evil.example\\x",
    "http://[",
    "https://ok.example/a b,c?x=1&y='\"<>",
    "mailto:desk@courier.example",
    "]]>",
    "<![CDATA[x]]>",
    "<!-- --!> -->",
    "&lt;script&gt; &amp; &#0; &bogus;",
    "{{ 7 * 7 }}{% raw %}",
    "\x00\x01\x0b\x1f\x7f\x85\ufffe\uffff\ud800",
    "\u202eright to left\u202c \u2066isolated",
    "\u2028\u2029",
    "הכותרת",
    "x" * 3000,
    "\U0001f30a" * 9,
    "-->",
    "1e999",
    "2026-11-23T09:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "nyt://image/1",
    "<a href='javascript:alert(1)' onclick=alert(1)>x</a><p style='x'>y</article><iframe src=//evil.example>",
    "<svg><style><img src=x onerror=alert(1)></style></svg><math><mtext></form><form><mglyph><style></math>",
]

# Every element that a page may have, with its attributes.
TEMPLATE = {
    "html": {"lang", "dir"}, "head": set(), "meta": {"charset", "name", "content", "http-equiv", "property"},
    "title": set(), "link": {"rel", "href"}, "script": {"type"}, "style": set(), "body": set(), "main": set(),
    "article": set(), "header": {"class"}, "nav": {"aria-label"}, "footer": {"class"},
    "section": {"class", "id", "aria-labelledby"}, "aside": {"class", "aria-label"}, "div": {"class", "dir"},
    "h1": {"dir"}, "h2": {"dir", "id", "lang"}, "p": {"class", "dir", "lang", "role"},
    "span": {"class", "dir", "lang", "role", "aria-label"}, "bdi": set(), "time": {"datetime", "lang", "dir"},
    "ol": {"class"}, "ul": {"class", "aria-label"}, "li": {"dir"}, "dl": set(), "dt": {"lang"}, "dd": set(),
    "q": {"dir"}, "code": set(), "figure": {"class"}, "figcaption": {"dir"}, "blockquote": {"dir"},
    "img": {"src", "alt", "srcset", "sizes", "width", "height", "loading", "decoding"}, "a": {"href", "rel"},
}  # fmt: skip
# What a body block's HTML may have beyond those.
MARKUP = {
    "a": {"href", "rel"}, "abbr": {"title"}, "b": set(), "br": set(), "cite": set(), "code": set(), "em": set(),
    "i": set(), "mark": set(), "q": set(), "s": set(), "small": set(), "strong": set(), "sub": set(), "sup": set(),
    "blockquote": set(), "li": set(), "ol": set(), "p": set(), "ul": set(),
}  # fmt: skip
VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """A page taken apart: its elements in order, and the text inside each kind of element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.other: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append((self.open[-1] if self.open else "", data))

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)

    def handle_pi(self, data: str) -> None:
        self.other.append(data)

    def structure(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]

    def said(self, *tags: str) -> list[str]:
        return [words for tag, words in self.words if tag in tags]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def strings() -> st.SearchStrategy[str]:
    return st.sampled_from(HOSTILE) | st.text(max_size=40) | st.lists(st.sampled_from(HOSTILE), max_size=3).map("".join)


MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9999, 1, 1), timezones=st.timezones() | st.none())  # noqa: DTZ001


def values(type_: Type, field: str, depth: int) -> st.SearchStrategy[Any]:
    """What may stand in a view's content for a type; references expanded, bare, null, or left as a URI."""
    if isinstance(type_, Record):
        return records(type_, depth)
    if type_.kinds:
        return references(type_.kinds[0], depth)
    if type_.name == "union":
        return st.one_of([values(branch, field, depth) for branch in type_.inner if branch.name != "null"])
    if type_.name == "array":
        return st.lists(values(type_.inner[0], field, depth), max_size=3)
    if type_.name == "enum":
        return st.sampled_from(type_.symbols)
    if type_.logical in ("timestamp-millis", "date"):
        moments = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
        return st.just("2026-11-23") | moments | strings()
    if type_.name == "boolean":
        return st.booleans()
    if type_.name in ("int", "long"):
        return st.integers(-1, 6) | st.integers(-(2**63), 2**63 - 1)
    return st.sampled_from(["https://img.example/a.jpg", "/b.jpg"]) | strings() if "url" in field else strings()


def records(record: Record, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Most of the fields, some of them null and some missing."""
    fields = {name: values(type_, name, depth) for name, type_ in record.fields.items()}
    lacking = st.dictionaries(st.sampled_from(sorted(fields)), st.booleans(), max_size=4)

    def without(full: dict[str, Any], lacks: dict[str, bool]) -> dict[str, Any]:
        nulls = {name: None for name, is_null in lacks.items() if is_null}
        return {name: value for name, value in full.items() if name not in lacks} | nulls

    return st.builds(without, st.fixed_dictionaries(fields), lacking)


def references(kind: str, depth: int) -> st.SearchStrategy[Any]:
    uris = st.sampled_from([f"nyt://{kind}/1", f"nyt://{kind}/2"])
    bare = uris | st.builds(dict, uri=uris) | st.none()
    if depth == 0:
        return bare
    fields = st.deferred(lambda: records(KINDS[kind].record, depth - 1))
    expanded = st.builds(lambda uri, fields: {"uri": uri, **fields}, uris, fields)
    return expanded | expanded | bare


def stories() -> st.SearchStrategy[dict[str, Any]]:
    uris = st.just("nyt://article/1") | strings()
    return st.builds(lambda uri, fields: {"uri": uri, **fields}, uris, records(KINDS["article"].record, 2))


def mapped(value: Any, change: Callable[[str, str], str], field: str = "") -> Any:
    """The same content with every string changed."""
    if isinstance(value, dict):
        return {name: mapped(inner, change, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [mapped(item, change, field) for item in value]
    return change(field, value) if isinstance(value, str) else value


def urls(page: Page) -> Iterator[str]:
    for _, attributes in page.elements:
        for name in ("href", "src"):
            if name in attributes:
                yield attributes[name] or ""
        if attributes.get("srcset"):
            yield from (candidate.split()[0] for candidate in (attributes["srcset"] or "").split(", "))


STORY: dict[str, Any] = {
    "uri": "nyt://article/clock",
    "headline": "The harbour clock strikes thirteen",
    "kicker": "Old Quay",
    "content_kicker": "The long read",
    "print_headline": "A town shrugs",
    "seo_headline": "Why Old Quay keeps its wrong clock",
    "subheadline": "The fault was found in an afternoon.",
    "column": "Street by Street",
    "summary": "On Tuesday the town voted to leave its clock alone.",
    "lead_paragraph": "At noon the clock strikes thirteen times.",
    "body": [
        {"type": "text", "text": "Visitors look up.", "html": "Visitors <em>look</em> <u>up</u>."},
        {"type": "heading", "text": "A wheel, a vote"},
        {"type": "text", "text": "Long.", "html": "<p>One.</p><p>Two.</p>"},
        {"type": "quote", "text": "What will we set our watches wrong by?", "attribution": "Edith Pryce"},
        {"type": "image", "image": {"uri": "nyt://image/2", "url": "/wheel.jpg", "credit": "nyt://byline/3"}},
        {"type": "list", "text": "1987: the first stroke\n2026: the vote"},
        {"type": "video", "text": "Under the bell", "embed_url": "https://video.example/bell?x=1&y=2"},
        {"type": "embed", "embed_url": "javascript:alert(1)", "text": "A map"},
    ],
    "section": "Coast",
    "subsection": "Old Quay",
    "desk": "Towns",
    "pillar": "News",
    "production_office": "Calder Bay",
    "source": "Calder Bay Courier",
    "type_of_material": "Feature",
    "language": "en-GB",
    "status": "corrected",
    "published_at": "2026-11-23T09:00:00Z",
    "first_published_at": "2026-11-22T18:30:00Z",
    "updated_at": "2026-11-23T15:10:00+01:00",
    "corrections": [{"date": "2026-11-23", "text": "It strikes thirteen, not fourteen."}],
    "word_count": 1240,
    "print_date": "2026-11-24",
    "print_section": "A",
    "print_page": "4",
    "path": "coast/2026/clock",
    "web_url": "https://courier.example/coast/clock",
    "byline_line": "By nobody that we know",
    "bylines": [
        {
            "uri": "nyt://byline/1",
            "name": "Ada Okafor",
            "title": "Coast correspondent",
            "role": "reported",
            "organization": "Calder Bay Courier",
        },
        {
            "uri": "nyt://byline/2",
            "name": "Northern Wire",
            "type": "organization",
            "role": "contributed",
            "organization": "Wire Group",
        },
        {"uri": "nyt://byline/4"},
    ],
    "lead_image": {"uri": "nyt://image/1", "url": "https://img.example/quay.jpg", "credit": "nyt://byline/3"},
    "images": [
        {
            "uri": "nyt://image/1",
            "url": "https://img.example/quay.jpg",
            "caption": "The harbour office.",
            "alt": "A tower with a clock",
            "credit": {"uri": "nyt://byline/3", "name": "Mei Tanaka"},
            "credit_line": "Harbour Pictures",
            "width": 1600,
            "height": 900,
            "crops": [
                {"name": "wide", "url": "https://img.example/quay-800,1.jpg", "width": 800, "height": 450},
                {"name": "thumbnail", "url": "https://img.example/quay-75.jpg", "width": 75, "height": 75},
            ],
        },
        {"uri": "nyt://image/2", "url": "/wheel.jpg", "credit": {"uri": "nyt://byline/3", "name": "Mei Tanaka"}},
        {"uri": "nyt://image/3", "url": "bell.jpg", "caption": "The bell.", "source": "Town archive"},
    ],
    "tags": [
        {
            "uri": "nyt://tag/1",
            "name": "Old Quay",
            "type": "place",
            "parent": {
                "uri": "nyt://tag/2",
                "name": "Calder Bay",
                "parent": {"uri": "nyt://tag/3", "name": "The coast"},
            },
        },
        {"uri": "nyt://tag/4", "name": "Clocks", "type": "subject", "parent": {"uri": "nyt://tag/4"}},
    ],
    "related": ["nyt://article/2"],
}

READABLE = """\
newsroom: Calder Bay Courier
trail: News | Coast | Old Quay
labels: Feature | Old Quay | The long read | Street by Street
h1: The harbour clock strikes thirteen
subheadline: The fault was found in an afternoon.
summary: On Tuesday the town voted to leave its clock alone.
notice corrected: This story has been corrected. | What was put right
authors: Ada Okafor | Coast correspondent | Northern Wire | contributed | , | Wire Group
dates: 23 November 2026, 09:00 UTC | Updated | 23 November 2026, 14:10 UTC | 5 min read
lead: [A tower with a clock] | The harbour office. | Credit: | Mei Tanaka / Harbour Pictures
body: Visitors | look | up.
h2: A wheel, a vote
words: One. | Two.
quote: What will we set our watches wrong by? | Edith Pryce
picture: [] | Credit: | Mei Tanaka
body: 1987: the first stroke | 2026: the vote
embed: Under the bell | Watch the video | on | video.example
body: A map
h2: More pictures
picture: [] | The bell. | Credit: | Town archive
h2: Correction
date: 23 November 2026
corrections: It strikes thirteen, not fourteen.
h2: Topics
topics: place
trail: The coast | Calder Bay | Old Quay
trail: Clocks
imprint: First published | 22 November 2026, 18:30 UTC | Desk | Towns | , | Calder Bay | In print | 24 November 2026 \
| , | section A, page 4 | , | A town shrugs | Asset | nyt://article/clock
"""


class Outline(HTMLParser):
    """A page as a person reads it: a line for each heading and each element that has a class, pictures by their alt."""

    INLINE = ("name", "title", "label", "caption", "credit", "unseen", "host", "type", "grid", "facts", "opening")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: list[tuple[int, str, list[str]]] = []
        self.open: list[tuple[str, str]] = []
        self.number = 0
        self.numbers: list[int] = []
        self.feed(html[html.index("<body>") : html.index("</html>")])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "img":
            self.say(f"[{attributes['alt']}]")
            return
        name = attributes.get("class") or ""
        self.number += 1
        self.numbers.append(self.number)
        self.open.append((tag, tag if tag in ("h1", "h2") else "" if name in self.INLINE else name))

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()
        self.numbers.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.say(" ".join(data.split()))

    def say(self, words: str) -> None:
        number, name = next(
            (number, name) for number, (_, name) in zip(self.numbers[::-1], self.open[::-1], strict=True) if name
        )
        if self.lines and self.lines[-1][0] == number:
            self.lines[-1][2].append(words)
        else:
            self.lines.append((number, name, [words]))

    def __str__(self) -> str:
        return "".join(f"{name}: {' | '.join(words)}\n" for _, name, words in self.lines)


def test_a_story_page_reads_from_the_newsroom_to_the_imprint() -> None:
    assert str(Outline(story_page(STORY))) == READABLE


def test_a_page_has_one_main_landmark_one_first_heading_and_names_for_the_rest() -> None:
    page = Page(story_page(STORY))
    assert [len(page.all(tag)) for tag in ("main", "article", "h1")] == [1, 1, 1]
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {section["aria-labelledby"] for section in page.all("section")} <= ids
    assert all("alt" in image for image in page.all("img"))
    assert page.all("html") == [{"lang": "en-GB", "dir": "ltr"}]


def test_a_picture_offers_its_renditions_of_the_same_shape() -> None:
    lead = Page(story_page(STORY)).all("img")[0]
    assert lead["srcset"] == "https://img.example/quay-800%2C1.jpg 800w, https://img.example/quay.jpg 1600w"
    assert (lead["width"], lead["height"]) == ("1600", "900")


def test_the_structured_data_is_a_news_article() -> None:
    page = Page(story_page(STORY))
    assert json.loads(page.said("script")[0]) == {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "identifier": "nyt://article/clock",
        "url": "https://courier.example/coast/clock",
        "headline": "The harbour clock strikes thirteen",
        "alternativeHeadline": "The fault was found in an afternoon.",
        "description": "On Tuesday the town voted to leave its clock alone.",
        "inLanguage": "en-GB",
        "datePublished": "2026-11-23T09:00:00Z",
        "dateModified": "2026-11-23T14:10:00Z",
        "author": [
            {"@type": "Person", "name": "Ada Okafor", "jobTitle": "Coast correspondent"},
            {"@type": "Organization", "name": "Northern Wire"},
        ],
        "publisher": {"@type": "Organization", "name": "Calder Bay Courier"},
        "articleSection": ["News", "Coast", "Old Quay"],
        "keywords": ["Old Quay", "Clocks"],
        "image": ["https://img.example/quay.jpg"],
        "wordCount": 1240,
    }


def test_a_byline_line_stands_in_for_bylines_that_are_not_there() -> None:
    page = Page(story_page({**STORY, "bylines": [{"uri": "nyt://byline/1"}]}))
    assert "By nobody that we know" in page.said("span")


def test_a_lead_paragraph_stands_in_for_a_body() -> None:
    assert STORY["lead_paragraph"] in Page(story_page({**STORY, "body": []})).said("p")


def test_a_story_in_a_script_from_right_to_left_has_a_page_from_right_to_left() -> None:
    assert Page(story_page({"language": "he-IL"})).all("html") == [{"lang": "he-IL", "dir": "rtl"}]
    assert Page(story_page({"language": 'x" onload="alert(1)'})).all("html") == [{"lang": "en", "dir": "ltr"}]


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"uri": "nyt://article/1"},
        {"uri": "nyt://article/1", **dict.fromkeys(ARTICLE)},
        {"uri": "nyt://article/1", **{field: [] for field in ARTICLE}},
        {"uri": "nyt://article/1", **{field: [None, {}, {"uri": "x"}, "x", 7] for field in ARTICLE}},
        {"uri": "nyt://article/1", **{field: {"uri": "nyt://image/1"} for field in ARTICLE}},
        {"uri": "nyt://article/1", **dict.fromkeys(ARTICLE, 7.5)},
        {"uri": "nyt://article/1", **dict.fromkeys(ARTICLE, "")},
    ],
)
def test_a_story_of_which_nothing_is_there_still_has_a_page_and_feeds(nothing: dict[str, Any]) -> None:
    page = Page(story_page(nothing))
    assert page.said("h1") == ["Untitled"]
    assert not page.all("img")
    for feed in (rss_feed, atom_feed):
        ET.fromstring(feed([nothing], title="", link="", updated=NOON))


def check_page(content: dict[str, Any]) -> None:
    page = Page(story_page(content))
    assert not page.open
    assert not page.other
    for tag, attributes in page.elements:
        assert set(attributes) <= TEMPLATE.get(tag, set()) | MARKUP.get(tag, set())
        assert tag in TEMPLATE.keys() | MARKUP.keys()
    assert [attributes["type"] for attributes in page.all("script")] == ["application/ld+json"]
    assert json.loads(page.said("script")[0])["@type"] == "NewsArticle"
    assert len(page.all("style")) == 1
    for url in urls(page):
        assert re.match(r"(https?|mailto):|(?!//)[^:/?#]*([/?#].*)?\Z", url, re.IGNORECASE), url
        assert not re.search(r"[\x00-\x20\\]", url), url
    for image in page.all("img"):
        assert not (image["src"] or "").lower().startswith("mailto:")


@given(stories())
def test_no_content_adds_an_element_an_attribute_or_a_way_to_run_code(content: dict[str, Any]) -> None:
    check_page(content)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_string_in_every_field_at_once_changes_nothing_but_words(hostile: str) -> None:
    check_page(mapped(STORY, lambda _, __: hostile))
    check_page(mapped(STORY, lambda field, value: value if field == "type" else hostile))
    for feed in (rss_feed, atom_feed):
        ET.fromstring(feed([mapped(STORY, lambda _, __: hostile)], title=hostile, link=hostile, updated=NOON))


# Fields that are read as more than words: they choose what is shown, or are sanitized.
CHOOSING = {
    "uri",
    "url",
    "type",
    "role",
    "html",
    "status",
    "language",
    "embed_url",
    "web_url",
    "credit",
    "image",
    "lead_image",
}


@pytest.mark.parametrize("hostile", sorted({text(hostile) for hostile in HOSTILE} - {""}))
def test_words_never_change_the_structure_of_a_page_and_are_shown_as_written(hostile: str) -> None:
    changed = mapped(
        STORY,
        lambda field, value: value if field in CHOOSING or field.endswith(("_at", "date")) else value + hostile,
    )
    page = Page(story_page(changed))
    assert page.structure() == Page(story_page(STORY)).structure()
    assert "".join(page.said("h1")) == STORY["headline"] + hostile


def test_markup_in_a_block_keeps_its_words_and_loses_what_can_do_harm() -> None:
    assert flow("<p onclick=x>a <b>b</b><script>c</script><img src=d></p></article>") == "<p>a <b>b</b></p>"
    assert phrase("<p>a <em>b</em></p>") == "a <em>b</em>"
    links = flow("<a href='javascript:a'>a</a><a href=//b>b</a><a href='/c?d=1&e'>c</a>")
    assert re.findall('href="([^"]*)"', links) == ["/c?d=1&amp;e"]


def test_markup_without_words_gives_way_to_the_plain_text() -> None:
    block = {"type": "text", "html": "<script>alert(1)</script><p> </p>", "text": "Plain"}
    assert "Plain" in Page(story_page({"body": [block]})).said("p")


def test_a_block_shows_only_what_its_type_is_for() -> None:
    image = {"uri": "nyt://image/1", "url": "/a.jpg"}
    block = {"text": "Words", "image": image, "embed_url": "https://video.example/1"}
    page = Page(story_page({"body": [{**block, "type": "text"}, {**block, "type": "new to us"}]}))
    assert page.said("p") == ["Words", "Words"]
    assert not page.all("img") + page.all("a")


def test_a_null_reference_is_no_picture_even_beside_one_without_a_uri() -> None:
    page = Page(story_page({"body": [{"type": "image", "image": None}], "images": [{"url": "/a.jpg"}]}))
    assert len(page.all("img")) == 1


def test_a_list_with_markup_across_its_lines_stays_in_one_piece() -> None:
    check_page({"body": [{"type": "list", "html": "<em>a\nb</em>\nc", "text": "a\nb\nc"}]})


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://a.example/b?c=d&e#f", "https://a.example/b?c=d&e#f"),
        ("HTTP://a.example", "HTTP://a.example"),
        ("images/a b.jpg", "images/a%20b.jpg"),
        ("/a:b", "/a:b"),
        ("?a:b", "?a:b"),
        ("2026-11-23T09:00:00Z", ""),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("javascript:alert(1)", ""),
        ("\x01 JAVA\x00SCRIPT:alert(1)", ""),
        ("java\nscript:alert(1)", ""),
        ("vbscript:x", ""),
        ("data:image/png;base64,AA", ""),
        ("file:///etc/passwd", ""),
        ("//host/share", ""),
        ("/\\host/share", ""),
        ("/\t/host", ""),
        ("", ""),
        (None, ""),
        ({"uri": "x"}, ""),
    ],
)
def test_an_address_is_relative_or_of_an_allowed_scheme(written: object, kept: str) -> None:
    assert address(written) == kept


def test_a_picture_is_never_a_mail_address() -> None:
    assert not Page(story_page({"images": [{"uri": "x", "url": "mailto:a@b.example"}]})).all("img")


@given(st.lists(stories(), max_size=3), strings(), strings(), MOMENTS)
@example([], "", "", datetime.min.replace(tzinfo=UTC))
@example([STORY], "", "", datetime.max.replace(tzinfo=UTC))
def test_feeds_are_well_formed_whatever_is_in_the_stories(
    contents: list[dict[str, Any]], title: str, link: str, updated: datetime
) -> None:
    known = [content for content in contents if text(content.get("uri"))]
    rss = ET.fromstring(rss_feed(contents, title=title, link=link, updated=updated))
    assert rss.tag == "rss"
    titles = [text(content.get("headline")) or "Untitled" for content in known]
    assert [item.findtext("title") for item in rss.iter("item")] == [_as_xml(written) for written in titles]
    atom = ET.fromstring(atom_feed(contents, title=title, link=link, updated=updated))
    assert [entry.findtext(f"{ATOM}title") for entry in atom.iter(f"{ATOM}entry")] == [*map(_as_xml, titles)]
    names = ["feed", "id", "title", "link", "updated", "author", "name", "entry", "published", "category", "summary"]
    assert {element.tag for element in atom.iter()} <= {ATOM + name for name in names}
    for entry in atom.iter(f"{ATOM}entry"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.findtext(f"{ATOM}updated") or "")


def _as_xml(written: str) -> str:
    return written.replace("\r\n", "\n").replace("\r", "\n")


def test_an_rss_item_says_what_the_story_is() -> None:
    rss = ET.fromstring(rss_feed([STORY], title="Courier", link=SITE, updated=NOON))
    assert rss.findtext("channel/lastBuildDate") == "Mon, 23 Nov 2026 12:00:00 GMT"
    item = rss.find("channel/item")
    assert item is not None
    assert {child.tag: child.text for child in item if child.tag not in ("category", f"{DC}creator")} == {
        "title": "The harbour clock strikes thirteen",
        "link": "https://courier.example/coast/clock",
        "guid": "nyt://article/clock",
        "pubDate": "Mon, 23 Nov 2026 09:00:00 GMT",
        "description": "On Tuesday the town voted to leave its clock alone.",
        f"{MEDIA}content": None,
    }
    assert [creator.text for creator in item.iter(f"{DC}creator")] == ["Ada Okafor", "Northern Wire"]
    assert [category.text for category in item.iter("category")] == ["News", "Coast", "Old Quay", "Clocks"]


def test_an_atom_entry_says_what_the_story_is() -> None:
    atom = ET.fromstring(atom_feed([STORY], title="Courier", link=SITE, updated=NOON))
    assert atom.findtext(f"{ATOM}id") == SITE
    entry = atom.find(f"{ATOM}entry")
    assert entry is not None
    assert entry.findtext(f"{ATOM}id") == "nyt://article/clock"
    assert entry.findtext(f"{ATOM}updated") == "2026-11-23T14:10:00Z"
    assert entry.findtext(f"{ATOM}published") == "2026-11-23T09:00:00Z"
    assert entry.findtext(f"{ATOM}summary") == "On Tuesday the town voted to leave its clock alone."
    assert [name.text for name in entry.iter(f"{ATOM}name")] == ["Ada Okafor", "Northern Wire"]


def test_an_rss_description_is_html_that_shows_the_summary_as_written() -> None:
    written = "<script>alert(1)</script> & more"
    rss = ET.fromstring(rss_feed([{**STORY, "summary": written}], title="", link=SITE, updated=NOON))
    description = rss.findtext("channel/item/description") or ""
    assert Page(description).elements == []
    assert "".join(words for _, words in Page(description).words) == written


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({}, "https://courier.example/coast/clock"),
        ({"web_url": None}, "https://courier.example/coast/2026/clock"),
        ({"web_url": "javascript:alert(1)", "path": "//evil.example/?x=<y>"}, f"{SITE}/evil.example/%3Fx%3D%3Cy%3E"),
        ({"web_url": "/coast/clock", "path": None}, SITE),
    ],
)
def test_a_feed_links_to_the_story_its_path_or_the_site(fields: dict[str, Any], link: str) -> None:
    rss = ET.fromstring(rss_feed([{**STORY, **fields}], title="", link=SITE, updated=NOON))
    assert rss.findtext("channel/item/link") == link


def test_the_content_of_a_view_that_is_gone_is_in_no_feed() -> None:
    feed = rss_feed([{}, STORY], title="", link=SITE, updated=NOON)
    assert [item.findtext("guid") for item in ET.fromstring(feed).iter("item")] == ["nyt://article/clock"]


def test_a_feed_says_its_time_in_utc() -> None:
    local = NOON.astimezone(timezone(timedelta(hours=-5)))
    assert rss_feed([], title="", link="", updated=local) == rss_feed([], title="", link="", updated=NOON)


def test_pages_are_the_same_from_every_thread() -> None:
    pages: list[str] = []
    threads = [threading.Thread(target=lambda: pages.append(story_page(STORY))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pages == [story_page(STORY)] * 4

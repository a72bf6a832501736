"""200 strings that mean harm: to a page, a template, an address, an engine's syntax, a terminal, an encoding."""

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from itertools import cycle, islice
from typing import Final

from tests.support.newsroom import TIME, Json

HIT: Final = "window.__hit=true"

_MARKUP: Final = [
    f"<script>{HIT}</script>",
    f"</script><script>{HIT}</script>",
    f"</title><script>{HIT}</script>",
    f"</textarea><script>{HIT}</script>",
    f"</style><script>{HIT}</script>",
    f"</noscript><script>{HIT}</script>",
    f"--><script>{HIT}</script>",
    f"]]><script>{HIT}</script>",
    f"<img src=x onerror={HIT}>",
    f'"><img src=x onerror={HIT}>',
    f"'><img src=x onerror={HIT}>",
    f"<svg onload={HIT}>",
    f"<svg><script>{HIT}</script></svg>",
    f"<svg><a xlink:href='javascript:{HIT}'><text y=20>x</text></a></svg>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={HIT}&gt;'>",
    f'<iframe src="javascript:{HIT}"></iframe>',
    '<iframe srcdoc="<script>parent.__hit=true</script>"></iframe>',
    f'<object data="javascript:{HIT}"></object>',
    f'<embed src="javascript:{HIT}">',
    f'<form action="javascript:{HIT}"><button autofocus>x</button></form>',
    f"<input autofocus onfocus={HIT}>",
    f"<details open ontoggle={HIT}>x</details>",
    f"<video><source onerror={HIT}></video>",
    f"<audio src=x onerror={HIT}>",
    f"<body onload={HIT}>",
    f"<marquee onstart={HIT}>x</marquee>",
    f'<meta http-equiv=refresh content="0;url=javascript:{HIT}">',
    '<meta http-equiv="Content-Security-Policy" content="script-src *">',
    '<base href="http://evil.example/">',
    '<link rel=stylesheet href="http://evil.example/x.css">',
    "<style>@import 'http://evil.example/x.css'; body { display: none }</style>",
    '<img src="http://evil.example/pixel.png">',
    '<script src="http://evil.example/x.js"></script>',
    f'<a href="javascript:{HIT}">x</a>',
    f'<a href="java\tscript:{HIT}">x</a>',
    f'<a href=" &#14; javascript:{HIT}">x</a>',
    f"<p style=\"background:url('javascript:{HIT}')\">x</p>",
    f"<x onclick={HIT} style='position:fixed;inset:0'>x</x>",
    f"<template><script>{HIT}</script></template>",
    f"<xmp><script>{HIT}</script></xmp>",
    f'<noscript><p title="</noscript><img src=x onerror={HIT}>">',
    f"<!--><script>{HIT}</script>-->",
    f"<![CDATA[<script>{HIT}</script>]]>",
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    f"&lt;script&gt;{HIT}&lt;/script&gt;",
    f"&#60;script&#62;{HIT}&#60;/script&#62;",
    f"\uff1cscript\uff1e{HIT}\uff1c/script\uff1e",
    f"<scr<script>ipt>{HIT}</scr</script>ipt>",
    f"<SCRIPT >{HIT}</SCRIPT >",
    f"<script\x0b>{HIT}</script>",
]  # fmt: skip
_ATTRIBUTES: Final = [
    f'" onmouseover="{HIT}',
    f"' onmouseover='{HIT}",
    f'" autofocus onfocus="{HIT}" x="',
    f"` onerror=`{HIT}",
    f"x onerror={HIT} y",
    f'" style="animation-name:x" onanimationstart="{HIT}',
    '"/><b>bold</b>',
    "'\"><!--",
    '"><plaintext>',
    "<textarea>",
]  # fmt: skip
_ADDRESSES: Final = [
    f"javascript:{HIT}",
    f"JaVaScRiPt:{HIT}",
    f"java\nscript:{HIT}",
    f" javascript:{HIT}",
    f"\x01javascript:{HIT}",
    f"javascript://news.example/%0a{HIT}",
    f"data:text/html,<script>parent.{HIT}</script>",
    "data:image/svg+xml,<svg onload='parent.__hit=true'>",
    f"vbscript:{HIT}",
    "//evil.example/x",
    "\\\\evil.example\\x",
    "http://evil.example/",
    "https://evil.example/x.jpg 1x, https://evil.example/y.jpg 2x",
    "blob:http://evil.example/1",
    "file:///etc/passwd",
    "http://user:pass@evil.example/",
    "http://[::1",
    "news://article/../../x",
    f'news://article/"onmouseover={HIT}',
    "mailto:a@example.com?bcc=b@example.com",
]  # fmt: skip
_TEMPLATES: Final = [
    "{{ 7*7 }}",
    "{{ config }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{{ self.__init__.__globals__.__builtins__.open('/etc/passwd').read() }}",
    "{# comment #}",
    "{{",
    "{% raw %}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "%(key)s %s %d %n",
    "{0.__class__}",
    "$HOME `id` $(id)",
    "{{constructor.constructor('" + HIT + "')()}}",
    "%{7*7}",
]  # fmt: skip
_QUERIES: Final = [
    "' OR '1'='1",
    "'; DROP TABLE messages; --",
    "1; SELECT * FROM keys",
    '" UNION SELECT hash FROM keys --',
    "headline:",
    "headline:*",
    "*:*",
    "a AND OR NOT (",
    "((((((((((((((((((((",
    "))))",
    '"unclosed',
    "foo~2 bar^9 baz*",
    "/.*(a+)+$/",
    "[* TO *]",
    "{a TO b}",
    '+-&&||!(){}[]^"~*?:\\/',
    "_exists_:headline",
    "date:9999..0001",
    "date:>=now/d",
    "\\",
    'a\\"b',
    "-",
    "NOT",
    "view:story uri:news",
    '{"query":{"match_all":{}}}',
]  # fmt: skip
_TEXTS: Final = [
    "\u202eright to left\u202c",
    "\u2066isolated\u2069 \u200f\u200e",
    "\ufeffmark at the begin",
    "zero\u200bwidth\u200djoiner",
    "e\u0301" * 40,
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0010ffff\ufffe\uffff",
    "nul\x00nul",
    "bell\x07 escape\x1b[31m backspace\x08 delete\x7f",
    "\x85next\u2028line\u2029paragraph",
    "\r\nSet-Cookie: stolen=1",
    "\r\n\r\n<html>",
    "tab\tand\x0bother\x0cblanks\xa0",
    "\\ud800 a lone surrogate, escaped",
    "&amp;amp; &nbsp; &bogus; &#0; &#x110000;",
    "<" * 500,
    "&" * 500,
    '"' * 500,
    "a" * 8_000,
    "wörd " * 1_000,
    "漢字かなカナ한글العربيةעברית",
    "\u0130\u0131\u017f\u212a",
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%00%0d%0a%3cscript%3e",
    "%",
    "%zz",
    "null",
    "undefined",
    "NaN",
    "-0",
    "1e309",
    "0x1f",
    "true",
    "[]",
    "__proto__",
    "constructor",
    "toString",
    "window.__hit = true",
]  # fmt: skip

_ALL: Final = [*_MARKUP, *_ATTRIBUTES, *_ADDRESSES, *_TEMPLATES, *_QUERIES, *_TEXTS]


def hostile_strings(count: int = 200) -> list[str]:
    """That many different ones: each as it is, then in words, in quotes and in capitals."""
    made = dict.fromkeys(_ALL)
    for text, (before, after) in zip(cycle(_MARKUP + _ATTRIBUTES + _TEMPLATES), cycle(_AROUND), strict=False):
        if len(made) >= count:
            break
        made[f"{before}{text}{after}"] = None
    return list(islice(made, count))


_AROUND: Final = [("Ferry is back ", " at noon"), ('"', '"'), ("<b>", "</b>"), ("\n", "\n"), ("<!-- ", " -->")]


def fill(schema: Json, texts: Iterator[str], references: dict[str, str], repeat: int = 1) -> Json:
    """A value of an Avro type with the next text wherever one may stand; references lead where they are told to.

    Arrays have so many items.
    """
    match schema:
        case {"type": "record", "fields": fields}:
            return {field["name"]: fill(field["type"], texts, references, repeat) for field in fields}
        case {"type": "array", "items": {"logicalType": _} as items}:
            return [one for one in [fill(items, texts, references)] if one is not None]
        case {"type": "array", "items": items}:
            return [fill(items, texts, references) for _ in range(repeat)]
        case {"type": "map", "values": values}:
            return {next(texts): fill(values, texts, references)}
        case {"type": "enum", "symbols": symbols}:
            return symbols[0]
        case {"logicalType": "asset-ref", "kinds": kinds}:
            return next((references[kind] for kind in kinds if kind in references), None)
        case {"logicalType": "date"}:
            return TIME[:10]
        case {"logicalType": _}:
            return TIME
        case {"type": inner}:
            return fill(inner, texts, references)
        case list():
            return fill(next(one for one in schema if one != "null"), texts, references, repeat)
        case "string":
            return next(texts)
        case "boolean":
            return True
        case _:
            return 7


def wrong_in(page: str) -> set[str]:
    """The tags of a page that it may not have, whatever it shows. Where all is escaped, a tag ends at the first `>`."""
    return {wrong for tag in {*_TAG.findall(page)} for wrong in _wrong(tag)}


@cache
def _wrong(tag: str) -> tuple[str, ...]:
    return tuple(_Lint(tag).wrong)


class _Lint(HTMLParser):
    def __init__(self, tag: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.feed(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        is_ours = given.get("src") == "/pages/static/pages.js" or given.get("type") == "application/ld+json"
        if (
            tag not in _TAGS
            or (tag == "script" and not is_ours)
            or (tag == "meta" and given.get("http-equiv", "") not in _METAS)
        ):
            self.wrong.append(f"<{tag} {given}>")
        for name, value in given.items():
            if not _ATTRIBUTE.fullmatch(name) or (name in ("href", "src", "action") and not _ADDRESS.match(value)):
                self.wrong.append(f"<{tag} {name}={value!r}>")


_TAG: Final = re.compile(r"<[a-z!?][^>]*>?", re.IGNORECASE)
_TAGS: Final = frozenset(
    [
        "a",
        "abbr",
        "article",
        "aside",
        "b",
        "bdi",
        "blockquote",
        "body",
        "br",
        "button",
        "caption",
        "cite",
        "code",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "head",
        "header",
        "html",
        "i",
        "img",
        "datalist",
        "input",
        "ins",
        "label",
        "legend",
        "li",
        "link",
        "main",
        "mark",
        "meta",
        "nav",
        "noscript",
        "ol",
        "option",
        "p",
        "pre",
        "progress",
        "q",
        "s",
        "script",
        "section",
        "select",
        "small",
        "span",
        "strong",
        "style",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "textarea",
        "th",
        "thead",
        "time",
        "title",
        "tr",
        "ul",
    ]
)
_METAS: Final = frozenset({"", "refresh", "Content-Security-Policy"})
_ATTRIBUTE: Final = re.compile(
    r"(aria|data)-[a-z]+|action|alt|autocapitalize|autocomplete|charset|checked|class|content|crossorigin|datetime|dir|for"
    r"|height|hidden|href|http-equiv|id|lang|list|max|method|name|placeholder|property|rel|required|role|rows|scope|selected|size"
    r"|spellcheck|src|step|tabindex|title|type|value|width"
)
_ADDRESS: Final = re.compile(r"(?![\s\x00-\x20]*[a-z][a-z0-9+.\-]*:)(?!//)|https?:|mailto:", re.IGNORECASE)

"""200 strings that mean harm: to a page, a template, an address, an engine's syntax, a terminal, an encoding."""

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
    f"\"><img src=x onerror={HIT}>",
    f"'><img src=x onerror={HIT}>",
    f"<svg onload={HIT}>",
    f"<svg><script>{HIT}</script></svg>",
    f"<svg><a xlink:href='javascript:{HIT}'><text y=20>x</text></a></svg>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={HIT}&gt;'>",
    f"<iframe src=\"javascript:{HIT}\"></iframe>",
    f"<iframe srcdoc=\"<script>parent.__hit=true</script>\"></iframe>",
    f"<object data=\"javascript:{HIT}\"></object>",
    f"<embed src=\"javascript:{HIT}\">",
    f"<form action=\"javascript:{HIT}\"><button autofocus>x</button></form>",
    f"<input autofocus onfocus={HIT}>",
    f"<details open ontoggle={HIT}>x</details>",
    f"<video><source onerror={HIT}></video>",
    f"<audio src=x onerror={HIT}>",
    f"<body onload={HIT}>",
    f"<marquee onstart={HIT}>x</marquee>",
    f"<meta http-equiv=refresh content=\"0;url=javascript:{HIT}\">",
    "<meta http-equiv=\"Content-Security-Policy\" content=\"script-src *\">",
    "<base href=\"http://evil.example/\">",
    "<link rel=stylesheet href=\"http://evil.example/x.css\">",
    "<style>@import 'http://evil.example/x.css'; body { display: none }</style>",
    "<img src=\"http://evil.example/pixel.png\">",
    "<script src=\"http://evil.example/x.js\"></script>",
    f"<a href=\"javascript:{HIT}\">x</a>",
    f"<a href=\"java\tscript:{HIT}\">x</a>",
    f"<a href=\" &#14; javascript:{HIT}\">x</a>",
    f"<p style=\"background:url('javascript:{HIT}')\">x</p>",
    f"<x onclick={HIT} style='position:fixed;inset:0'>x</x>",
    f"<template><script>{HIT}</script></template>",
    f"<xmp><script>{HIT}</script></xmp>",
    f"<noscript><p title=\"</noscript><img src=x onerror={HIT}>\">",
    f"<!--><script>{HIT}</script>-->",
    f"<![CDATA[<script>{HIT}</script>]]>",
    f"<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x>&e;</x>",
    f"&lt;script&gt;{HIT}&lt;/script&gt;",
    f"&#60;script&#62;{HIT}&#60;/script&#62;",
    f"＜script＞{HIT}＜/script＞",
    f"<scr<script>ipt>{HIT}</scr</script>ipt>",
    f"<SCRIPT >{HIT}</SCRIPT >",
    f"<script\x0b>{HIT}</script>",
]  # fmt: skip
_ATTRIBUTES: Final = [
    f"\" onmouseover=\"{HIT}",
    f"' onmouseover='{HIT}",
    f"\" autofocus onfocus=\"{HIT}\" x=\"",
    f"` onerror=`{HIT}",
    f"x onerror={HIT} y",
    f"\" style=\"animation-name:x\" onanimationstart=\"{HIT}",
    "\"/><b>bold</b>",
    "'\"><!--",
    "\"><plaintext>",
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
    f"news://article/\"onmouseover={HIT}",
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
    "\" UNION SELECT hash FROM keys --",
    "headline:",
    "headline:*",
    "*:*",
    "a AND OR NOT (",
    "((((((((((((((((((((",
    "))))",
    "\"unclosed",
    "foo~2 bar^9 baz*",
    "/.*(a+)+$/",
    "[* TO *]",
    "{a TO b}",
    "+-&&||!(){}[]^\"~*?:\\/",
    "_exists_:headline",
    "date:9999..0001",
    "date:>=now/d",
    "\\",
    "a\\\"b",
    "-",
    "NOT",
    "view:story uri:news",
    "{\"query\":{\"match_all\":{}}}",
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
    "\"" * 500,
    "a" * 8_000,
    "wörd " * 1_000,
    "漢字かなカナ한글العربيةעברית",
    "İıſK",
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


def fill(schema: Json, text: str, references: dict[str, str]) -> Json:
    """A value of an Avro type that has the text wherever one may stand; references lead where they are told to."""
    match schema:
        case {"type": "record", "fields": fields}:
            return {field["name"]: fill(field["type"], text, references) for field in fields}
        case {"type": "array", "items": items}:
            one = fill(items, text, references)
            return [] if one is None else [one]
        case {"type": "map", "values": values}:
            return {text: fill(values, text, references)}
        case {"type": "enum", "symbols": symbols}:
            return symbols[0]
        case {"logicalType": "asset-ref", "kinds": kinds}:
            return next((references[kind] for kind in kinds if kind in references), None)
        case {"logicalType": "date"}:
            return TIME[:10]
        case {"logicalType": _}:
            return TIME
        case {"type": inner}:
            return fill(inner, text, references)
        case list():
            return next(
                (made for one in schema if one != "null" and (made := fill(one, text, references)) is not None), None
            )
        case "string":
            return text
        case "boolean":
            return True
        case "int" | "long" | "float" | "double":
            return 7
        case _:
            return None

"""What of a publisher's values may stand in a page or a feed: text, addresses, markup.

Every string on its way into a template comes through here. Escaping is the templates' part (autoescape is on); here
goes what escaping can't mend: characters that XML has no way to write, addresses that run code, markup that is more
than words.
"""

import re
from typing import Final

import nh3
from markupsafe import Markup

LINK_SCHEMES: Final = frozenset({"http", "https", "mailto"})
"""Where a link may lead, beside a relative address."""

PICTURE_SCHEMES: Final = frozenset({"http", "https"})
"""Where a picture may come from, beside a relative address."""

# XML 1.0, section 2.2: everything outside Char. HTML can do without them too.
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Browsers drop tabs and line ends inside an address and take \ for /, so that neither means what it says.
_MISREAD: Final = re.compile(r"[\s\x7f-\x9f\\]|\A//")
# RFC 3986, section 4.2: a relative address has no colon in its first segment, whether or not a scheme has such a name.
_SCHEME: Final = re.compile(r"([^:/?#]*):")

_PHRASE_TAGS: Final = frozenset({
    "a", "abbr", "b", "br", "cite", "code", "em", "i", "mark", "q", "s", "small", "strong", "sub", "sup",
})  # fmt: skip
_FLOW_TAGS: Final = frozenset({"blockquote", "li", "ol", "p", "ul"})
_IS_FLOW: Final = re.compile(rf"<(?:{'|'.join(sorted(_FLOW_TAGS))})>")


def text(value: object) -> str:
    """A string without the characters that XML forbids and without blanks around it; empty for what is no string."""
    return _FORBIDDEN.sub("", value).strip() if isinstance(value, str) else ""


def address(value: object, schemes: frozenset[str] = LINK_SCHEMES) -> str:
    """A relative address, or one with an allowed scheme; empty for any other.

    `//host/path` is refused as well: on a page opened from disk it would lead into the local network.
    """
    url = text(value).replace(" ", "%20")
    if _MISREAD.search(url):
        return ""
    scheme = _SCHEME.match(url)
    return url if scheme is None or scheme[1].lower() in schemes else ""


def phrase(value: object) -> Markup:
    """A publisher's HTML as words with links and emphasis, sanitized; paragraphs and lists lose their tags."""
    return Markup(_PHRASES.clean(text(value)))  # noqa: S704 - what the sanitizer leaves


def flow(value: object) -> Markup:
    """A publisher's HTML as `phrase`, with paragraphs, lists and quotations, sanitized."""
    return Markup(_FLOWS.clean(text(value)))  # noqa: S704 - what the sanitizer leaves


def is_flow(markup: Markup) -> bool:
    """Whether what `flow` gave has paragraphs of its own, which can't stand inside a paragraph."""
    return _IS_FLOW.search(markup) is not None


def _attribute(_tag: str, name: str, value: str) -> str | None:
    return (address(value) or None) if name == "href" else value


def _sanitizer(tags: frozenset[str]) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=tags,
        attributes={"a": {"href"}, "abbr": {"title"}},
        attribute_filter=_attribute,
        url_schemes=LINK_SCHEMES,
        link_rel="noopener noreferrer",
    )


_PHRASES: Final = _sanitizer(_PHRASE_TAGS)
_FLOWS: Final = _sanitizer(_PHRASE_TAGS | _FLOW_TAGS)

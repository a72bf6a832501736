"""Fills a catalog's templates with a view's content."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from markupsafe import escape

from assets.interfaces import Constant, Each, Field, Listing, Position, Shape, Template
from denormalizer.pages import trust

_WORDS: Final = re.compile(r"[^\W_]+")


def fill(template: Template, value: Any, place: int = 0) -> Any:
    """The template filled with a content, or with an item at a place of its list; null where there is nothing."""
    match template:
        case Constant():
            return template.value
        case Position():
            return template.first + place
        case Shape():
            return {name: fill(inner, value, place) for name, inner in template.fields.items()}
        case Listing():
            return [item for part in template.parts for item in _listed(part, value, place)]
        case Field():
            found = _at(value, template.path)
            if isinstance(found, str):
                found = template.words.get(found, found)
            return _converted(template, found, value, place)
        case Each():
            return _converted(template, _items(template, value), value, place)


def _converted(template: Field | Each, found: Any, value: Any, place: int) -> Any:
    for name in template.conversions:
        if found is not None:
            found = CONVERSIONS_OF[name](found)
    if found in (None, "", []) and template.otherwise is not None:
        return fill(template.otherwise, value, place)
    return found


def _listed(part: Template, value: Any, place: int) -> Sequence[Any]:
    return _items(part, value) if isinstance(part, Each) else [fill(part, value, place)]


def _items(template: Each, value: Any) -> list[Any]:
    found = _at(value, template.path)
    items = cast("list[Any]", found if isinstance(found, list) else [] if found is None else [found])
    chosen = [
        item
        for item in items
        # What is no record where one is looked into is a reference that leads nowhere.
        if all(_at(item, field) in values for field, values in template.only.items())
    ]
    filled = [fill(template.item, item, place) for place, item in enumerate(chosen)]
    return [item for item in filled if item is not None]


def _at(value: Any, path: str) -> Any:
    """What is at a dotted path; of lists on the way, what is there in each item."""
    for number, step in enumerate(steps := path.split(".")):
        if isinstance(value, list):
            rest = ".".join(steps[number:])
            found = [_at(item, rest) for item in cast("list[Any]", value)]
            return [item for item in found if item is not None]
        value = cast("dict[str, Any]", value).get(step) if isinstance(value, dict) else None
    return value


def slug(text: str) -> str:
    """A name as part of an address: its words in lower case, joined by hyphens."""
    return "-".join(_WORDS.findall(text.lower()))


def id_of(uri: str) -> str:
    """The id of an asset: its URI without the marks behind the scheme."""
    return uri.replace("://", "/", 1)


def uri_of(id_: str) -> str:
    """The inverse of `id_of`."""
    return id_.replace("/", "://", 1)


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _html(value: Any) -> Any:
    return str(escape(trust.text(value)))


def _paragraph(value: Any) -> Any:
    return f"<p>{_html(value)}</p>"


def _markup(value: Any) -> Any:
    return str(trust.flow(value)) or None


def _lines(value: Any) -> Any:
    texts = cast("list[Any]", value) if isinstance(value, list) else [value]
    return "\n".join(text for text in texts if isinstance(text, str) and text)


def _byline(value: Any) -> Any:
    names = [name for name in cast("list[Any]", value) if isinstance(name, str)] if isinstance(value, list) else [value]
    if not names:
        return None
    *others, last = names
    return f"By {', '.join(others)} and {last}" if others else f"By {last}"


def _address(value: Any) -> Any:
    return trust.address(value) or None


def _first(value: Any) -> Any:
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    return items[0] if items else None


def _count(value: Any) -> Any:
    return len(cast("str | list[Any]", value)) if isinstance(value, str | list) else None


def _of_text(convert: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: convert(value) if isinstance(value, str) else None


def _time(form: str) -> Callable[[Any], Any]:
    def show(text: str) -> str | None:
        try:
            time = datetime.fromisoformat(text)
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).strftime(form)
        except (ValueError, OverflowError):
            return None

    return _of_text(show)


CONVERSIONS_OF: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": _text,
    "html": _html,
    "markup": _markup,
    "paragraph": _paragraph,
    "lines": _lines,
    "byline": _byline,
    "address": _address,
    "first": _first,
    "count": _count,
    "slug": _of_text(slug),
    "id": _of_text(id_of),
    "time": _time("%Y-%m-%dT%H:%M:%SZ"),
    "offset_time": _time("%Y-%m-%dT%H:%M:%S+0000"),
}
"""What `assets.interfaces.CONVERSIONS` names."""

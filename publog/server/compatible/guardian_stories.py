"""Documents of the Guardian's API: the envelope, and a story with what of it is asked for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from assets.interfaces import STORIES, Shape
from indexers.dates import seconds_of
from indexers.port import Hit
from publog.server.compatible.guardian_parameters import ELEMENT_TYPES, FIELDS, MANNERS, TAG_TYPES, ShownParameters
from publog.server.compatible.serving import Served, Shelf, content_of, served
from publog.server.compatible.templates import fill
from publog.server.endpoints import Call, Endpoint, Reply
from publog.server.problems import Unusable

_BLOCKS: Final = re.compile(r"(main|body|all)\Z|body:(latest|oldest)(:[0-9]{1,4})?\Z|body:key-events\Z|body:.+\Z")


class Answer(msgspec.Struct, omit_defaults=True, rename="camel"):
    """An answer; which parts it has depends on what was asked."""

    status: str = msgspec.field(default="")
    user_tier: str | msgspec.UnsetType = msgspec.UNSET
    total: int | msgspec.UnsetType = msgspec.UNSET
    start_index: int | msgspec.UnsetType = msgspec.UNSET
    page_size: int | msgspec.UnsetType = msgspec.UNSET
    current_page: int | msgspec.UnsetType = msgspec.UNSET
    pages: int | msgspec.UnsetType = msgspec.UNSET
    order_by: str | msgspec.UnsetType = msgspec.UNSET
    tag: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    section: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    content: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    results: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class Enveloped(msgspec.Struct):
    """Every answer of the Guardian's API."""

    response: Answer


@dataclass(frozen=True)
class Guardian:
    """The interface, and how its ids become addresses here."""

    served: Served
    base: str

    @property
    def stories(self) -> Shelf:
        """The stories."""
        return self.served.shelf(STORIES)

    def answer(self, **parts: Any) -> Reply:
        """An answer with these parts."""
        tier = self.served.interface.settings.get("user_tier", "developer")
        return Reply(Enveloped(Answer("ok", tier, **parts)))

    def addressed(self, document: Any) -> dict[str, Any]:
        """A document with its address in this API, without what it has not."""
        given = _without_nulls(document)
        given.setdefault("webUrl", f"{self.base}/{given.get('id', '')}")
        given["apiUrl"] = f"{self.base}/{given.get('id', '')}"
        return given


def opened(call: Call[Any]) -> Guardian:
    """The API as a request finds it."""
    url = call.request.url
    return Guardian(served(call.newsroom, "guardian"), f"{url.scheme}://{url.netloc}")


def story(guardian: Guardian, hit: Hit, asked: ShownParameters) -> dict[str, Any]:
    """A story with what is asked for."""
    content = content_of(hit)
    shapes = guardian.stories.collection.shapes
    shown = guardian.addressed(fill(shapes["item"], content))
    if asked.show_fields:
        shape = shapes["fields"]
        own = list(shape.fields) if isinstance(shape, Shape) else []
        names = names_of("show-fields", asked.show_fields, list(dict.fromkeys(["all", *own, *FIELDS])))
        fields = cast("dict[str, Any]", _without_nulls(fill(shape, content)))
        shown["fields"] = {name: value for name, value in fields.items() if "all" in names or name in names}
    if asked.show_tags:
        names = names_of("show-tags", asked.show_tags, ("all", *TAG_TYPES))
        tags = [tag for tag in _records(fill(shapes["tags"], content)) if "all" in names or tag.get("type") in names]
        shown["tags"] = [guardian.addressed(tag) for tag in tags]
    if asked.show_elements:
        names = names_of("show-elements", asked.show_elements, ("all", *ELEMENT_TYPES))
        elements = [
            one for one in _records(fill(shapes["elements"], content)) if "all" in names or one.get("type") in names
        ]
        shown["elements"] = _without_nulls(elements)
    if asked.show_section == "true":
        section = _without_nulls(fill(shapes["section"], content))
        if section:
            shown["section"] = guardian.addressed(section)
    if asked.show_blocks:
        shown["blocks"] = _blocks(asked.show_blocks, content, guardian)
    return shown


def _blocks(text: str, content: dict[str, Any], guardian: Guardian) -> dict[str, Any]:
    """A story has one block of text, its main block is its picture."""
    shapes = guardian.stories.collection.shapes
    block = _without_nulls(fill(shapes["block"], content))
    blocks: dict[str, Any] = {"totalBodyBlocks": 1}
    for name in (part.strip() for part in text.split(",")):
        if not _BLOCKS.match(name):
            raise Unusable(f"show-blocks: {name[:100]!r} names no blocks; use all, main or body", "show-blocks")
        if name in ("main", "all"):
            main = [one for one in _records(fill(shapes["elements"], content)) if one.get("relation") == "main"]
            if main:
                blocks["main"] = {"id": f"{block.get('id', '')}/main", "elements": _without_nulls(main)}
        if name in ("body", "all"):
            blocks["body"] = [block]
        elif name != "main":
            chosen = [block] if _is_chosen(name.removeprefix("body:"), block) else []
            blocks.setdefault("requestedBodyBlocks", {})[name] = chosen
    return blocks


def _is_chosen(which: str, block: dict[str, Any]) -> bool:
    kind, _, rest = which.partition(":")
    match kind:
        case "latest" | "oldest":
            return True
        case "key-events":
            return False
        case "published-since":
            published = seconds_of(str(block.get("publishedDate", "")))
            if not rest.isascii() or not rest.isdigit():
                raise Unusable("show-blocks: published-since takes milliseconds since 1970", "show-blocks")
            return published is not None and published * 1_000 >= int(rest)
        case "around":
            return rest.partition(":")[0] == block.get("id")
        case _:
            return which == block.get("id")


def names_of(name: str, text: str, known: Iterable[str]) -> list[str]:
    """The names in a comma list.

    Raises:
        Unusable: one is unknown.
    """
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for one in names:
        if one not in known:
            raise Unusable(f"{name}: {one[:100]!r} is none of {', '.join(known)}", name, list(known))
    return names


def _records(value: Any) -> list[dict[str, Any]]:
    """The objects in a list that a catalog's templates made."""
    return [item for item in cast("list[Any]", value) if isinstance(item, dict)]


def _without_nulls(value: Any) -> Any:
    """A document without what it has not: this API leaves it out."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _without_nulls(inner) for name, inner in fields.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in cast("list[Any]", value)]
    return value


def reading(path: str, name: str, summary: str, handle: Any, parameters: Any) -> Endpoint[Any]:
    """An endpoint of this API."""
    return Endpoint(
        "GET",
        path,
        name,
        summary,
        handle,
        {200: ("As the Guardian's API has it", Enveloped)},
        parameters,
        scopes=("search",),
        problems=(404, 503),
        manners=MANNERS,
    )

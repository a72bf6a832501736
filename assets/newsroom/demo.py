"""The demo newsroom: a short history made by hand, with stories that read well. The words are data, in demo_data/.

The seed moves the times and decides which stories go to print as well; the words stay the same.
"""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, NotRequired, TypedDict, cast

from assets.newsroom.history import Message
from assets.newsroom.payloads import Data

_FOLDER: Final = Path(__file__).with_name("demo_data")
_SITE: Final = "https://courier.example"
_PAPER: Final = "Calder Bay Courier"
_START: Final = datetime(2026, 3, 13, 8, tzinfo=UTC)
_PRINTED_SHARE: Final = 0.5

# Desk, pillar and printed section of each section.
_SECTIONS: Final = {
    "City": ("Metro", "News", "A"),
    "Climate": ("Environment", "News", "A"),
    "Business": ("Business", "News", "B"),
    "Health": ("Health", "News", "A"),
    "Education": ("Education", "News", "A"),
    "Culture": ("Arts", "Arts", "C"),
    "Sport": ("Sport", "Sport", "D"),
    "Science": ("Science", "News", "A"),
    "Food": ("Weekend", "Lifestyle", "C"),
    "Travel": ("Weekend", "Lifestyle", "C"),
}
_CROPS: Final = (("wide", 1600, 900), ("square", 800, 800), ("thumbnail", 150, 150))


def demo_history(seed: int = 2026) -> list[Message]:
    """The demo newsroom's messages in order, just under 300.

    Every reference is to something published before or in its transaction.
    """
    return list(_Demo(seed).messages())


class _Byline(TypedDict):
    id: str
    name: str
    title: str
    bio: str
    type: NotRequired[str]
    role: NotRequired[str]
    social: NotRequired[str]
    portrait: NotRequired[str]
    portrait_by: NotRequired[str]


class _Tag(TypedDict):
    id: str
    name: str
    description: str
    type: NotRequired[str]
    parent: NotRequired[str]
    section: NotRequired[str]
    aliases: NotRequired[list[str]]


class _Image(TypedDict):
    id: str
    caption: str
    alt: str
    type: NotRequired[str]
    credit: NotRequired[str]
    source: NotRequired[str]


class _Article(TypedDict):
    id: str
    headline: str
    section: str
    summary: str
    bylines: list[str]
    tags: list[str]
    body: list[str]
    kicker: NotRequired[str]
    images: NotRequired[list[str]]
    related: NotRequired[list[str]]
    type: NotRequired[str]
    material: NotRequired[str]
    status: NotRequired[str]
    stars: NotRequired[int]


class _Edit(TypedDict):
    uri: str
    op: NotRequired[str]
    set: NotRequired[Data]
    correction: NotRequired[str]


class _Change(TypedDict):
    after: str
    edits: list[_Edit]


class _Demo:
    """The newsroom's state while its history is written down."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - a history, not a secret
        self._now = _START
        self._transactions = 0
        # The latest payload of every asset published so far.
        self._latest: dict[str, Data] = {}
        self._bylines = cast("list[_Byline]", _entries("bylines"))
        self._tags = {tag["id"]: tag for tag in cast("list[_Tag]", _entries("tags"))}
        self._images = {image["id"]: image for image in cast("list[_Image]", _entries("images"))}
        self._articles = cast("list[_Article]", _entries("articles"))
        self._changes = cast("list[_Change]", _entries("changes"))

    def messages(self) -> Iterator[Message]:
        for byline in self._bylines:
            self._later(minutes=5)
            yield from self._transaction(self._new_byline(byline))
        for article in self._articles:
            self._next_story()
            yield from self._transaction(self._new_article(article))
            if self._random.random() < _PRINTED_SHARE:
                self._later(minutes=90)
                yield self._printed(article)
            for change in self._changes:
                if change["after"] == article["id"]:
                    self._later(minutes=180)
                    yield from self._transaction([self._edited(edit) for edit in change["edits"]])

    def _new_byline(self, byline: _Byline) -> list[Message]:
        data: Data = {
            "name": byline["name"],
            "type": byline.get("type", "person"),
            "title": byline["title"],
            "role": byline.get("role", "reported"),
            "organization": _PAPER,
            "bio": byline["bio"],
            "location": "Calder Bay",
            "slug": byline["id"],
        }
        if "portrait" not in byline:
            return [self._published("byline", byline["id"], data)]
        first, _, last = byline["name"].partition(" ")
        portrait = f"portrait-of-{byline['id']}"
        data |= {
            "first_name": first,
            "last_name": last,
            "photo": f"news://image/{portrait}",
            "email": f"{byline['id']}@courier.example",
        }
        if "social" in byline:
            data["social"] = [{"network": "post.example", "handle": byline["social"]}]
        picture: _Image = {
            "id": portrait,
            "type": "portrait",
            "caption": f"{byline['name']} of the {_PAPER}.",
            "alt": byline["portrait"],
            "credit": byline.get("portrait_by", byline["id"]),
        }
        return [self._new_image(picture), self._published("byline", byline["id"], data)]

    def _new_image(self, image: _Image) -> Message:
        base = f"{_SITE}/pictures/{image['id']}"
        credit = image.get("credit")
        source = image.get("source", _PAPER)
        data: Data = {
            "url": f"{base}/original.jpg",
            "type": image.get("type", "photo"),
            "caption": image["caption"],
            "alt": image["alt"],
            "credit": f"news://byline/{credit}" if credit else None,
            "credit_line": None if credit else source,
            "copyright": f"© {source}",
            "source": source,
            "location": "Calder Bay",
            "taken_at": _stamp(self._now - timedelta(minutes=self._random.randrange(30, 600))),
            "width": 2400,
            "height": 1600,
            "mime": "image/jpeg",
            "crops": [
                {"name": name, "url": f"{base}/{name}.jpg", "width": width, "height": height}
                for name, width, height in _CROPS
            ],
        }
        return self._published("image", image["id"], data)

    def _new_tags(self, name: str) -> list[Message]:
        """The tag and its ancestors, those that are not published yet, widest first."""
        if f"news://tag/{name}" in self._latest:
            return []
        tag = self._tags[name]
        parent = tag.get("parent")
        wider = self._new_tags(parent) if parent else []
        data: Data = {
            "name": tag["name"],
            "type": tag.get("type", "subject"),
            "parent": f"news://tag/{parent}" if parent else None,
            "description": tag["description"],
            "section": tag.get("section"),
            "slug": name,
            "aliases": tag.get("aliases", []),
        }
        return [*wider, self._published("tag", name, data)]

    def _new_article(self, article: _Article) -> list[Message]:
        messages = [message for tag in article["tags"] for message in self._new_tags(tag)]
        images = [f"news://image/{image}" for image in article.get("images", [])]
        messages += [
            self._new_image(self._images[image])
            for image in article.get("images", [])
            if f"news://image/{image}" not in self._latest
        ]
        desk, pillar, _ = _SECTIONS[article["section"]]
        body = [_block(line) for line in article["body"]]
        words = sum(len(block["text"].split()) for block in body)
        if len(images) > 1:
            body.insert(2, {"type": "image", "image": images[1]})
        now = _stamp(self._now)
        path = f"{article['section'].lower()}/{now[:10]}/{article['id']}"
        data: Data = {
            "headline": article["headline"],
            "kicker": article.get("kicker"),
            "summary": article["summary"],
            "lead_paragraph": article["body"][0],
            "body": body,
            "section": article["section"],
            "desk": desk,
            "pillar": pillar,
            "production_office": "Calder Bay",
            "source": _PAPER,
            "document_type": article.get("type", "article"),
            "type_of_material": article.get("material", "News"),
            "language": "en-GB",
            "status": article.get("status", "published"),
            "published_at": now,
            "first_published_at": now,
            "updated_at": now,
            "word_count": words,
            "path": path,
            "web_url": f"{_SITE}/{path}",
            "bylines": [f"news://byline/{byline}" for byline in article["bylines"]],
            "images": images,
            "lead_image": images[0] if images else None,
            "tags": [f"news://tag/{tag}" for tag in article["tags"]],
            "related": [f"news://article/{related}" for related in article.get("related", [])],
            "star_rating": article.get("stars"),
        }
        return [*messages, self._published("article", article["id"], data)]

    def _printed(self, article: _Article) -> Message:
        """The edit that says where the story is in tomorrow's paper."""
        _, _, section = _SECTIONS[article["section"]]
        changed: Data = {
            "print_date": (self._now + timedelta(days=1)).date().isoformat(),
            "print_section": section,
            "print_page": str(self._random.randrange(1, 17)),
        }
        return self._edited({"uri": f"news://article/{article['id']}", "set": changed})

    def _edited(self, edit: _Edit) -> Message:
        uri = edit["uri"]
        kind, name = uri.removeprefix("news://").split("/")
        if edit.get("op") == "unpublish":
            return {"uri": uri, "kind": kind, "op": "unpublish", "time": _stamp(self._now)}
        data = self._latest[uri] | edit.get("set", {})
        if kind == "article":
            data["updated_at"] = _stamp(self._now)
        if "correction" in edit:
            data["status"] = "corrected"
            data["corrections"] = [
                *data.get("corrections", []),
                {"date": _stamp(self._now)[:10], "text": edit["correction"]},
            ]
        return self._published(kind, name, data)

    def _published(self, kind: str, name: str, data: Data) -> Message:
        uri = f"news://{kind}/{name}"
        self._latest[uri] = data
        return {"uri": uri, "kind": kind, "op": "publish", "time": _stamp(self._now), "data": data}

    def _transaction(self, messages: list[Message]) -> list[Message]:
        if len(messages) > 1:
            self._transactions += 1
            for message in messages:
                data = message.pop("data", None)
                message["tx"] = f"demo-{self._transactions}"
                if data is not None:
                    message["data"] = data
        return messages

    def _next_story(self) -> None:
        self._later(minutes=36 * 60)
        if self._now.hour < 6:
            self._now += timedelta(hours=6)

    def _later(self, *, minutes: int) -> None:
        self._now += timedelta(seconds=self._random.randrange(15 * minutes, 60 * minutes))


def _entries(name: str) -> object:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))[name]


def _block(line: str) -> Data:
    if line.startswith("## "):
        return {"type": "heading", "text": line.removeprefix("## ")}
    if line.startswith("> "):
        words, _, who = line.removeprefix("> ").partition(" -- ")
        return {"type": "quote", "text": words, "attribution": who}
    return {"type": "text", "text": line}


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")

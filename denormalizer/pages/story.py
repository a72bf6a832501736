"""What a page or a feed shows of a story view's content.

The content comes from a log that many wrote to: a field may be null or missing, a reference may be null, a URI or the
bare object {"uri": ...} (DESIGN 2). This reads it once, into values that a template can rely on: empty text for what is
not there, and nothing that `trust` did not let through.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast
from urllib.parse import quote, urlsplit

from markupsafe import Markup

from denormalizer.pages.trust import PICTURE_SCHEMES, address, flow, is_flow, phrase, text

UNTITLED: Final = "Untitled"
"""The headline of a story that has none."""

WORDS_PER_MINUTE: Final = 230
"""How fast people read."""

STARS_MAX: Final = 5

NOTICES: Final[Mapping[str, str]] = {
    "developing": "This story is developing and may change.",
    "corrected": "This story has been corrected.",
    "retracted": "This story has been retracted. The newsroom no longer stands by it.",
    "archived": "This story is from the archive and is no longer kept up to date.",
}
"""What readers are told of a story's status; nothing of others."""

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_LANGUAGE: Final = re.compile(r"([a-z]{2,8})(?:-[a-z0-9]{1,8})*\Z", re.IGNORECASE)
_RIGHT_TO_LEFT: Final = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"})
_SAME_SHAPE: Final = 0.02
"""How far the proportions of two renditions may be apart."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Moment:
    """A date, with its time of day where the content says one. In UTC."""

    at: datetime
    has_time: bool

    def __str__(self) -> str:
        day = f"{self.at.day} {_MONTHS[self.at.month - 1]} {self.at.year}"
        return f"{day}, {self.at:%H:%M} UTC" if self.has_time else day

    @property
    def iso(self) -> str:
        """As RFC 3339 has it."""
        return timestamp(self.at) if self.has_time else self.at.date().isoformat()


@dataclass(frozen=True)
class Person:
    """Someone who signs a story, or an organization that does."""

    name: str
    is_organization: bool
    title: str
    organization: str
    """Where they work; empty for the newsroom itself."""
    role: str
    """What the person did for the story; empty for reporting, which goes without saying."""


@dataclass(frozen=True)
class Picture:
    """A picture that may be shown."""

    url: str
    renditions: str
    """The same in several widths, as an <img>'s srcset; empty where there is one."""
    width: int | None
    height: int | None
    alt: str
    caption: str
    credit: str

    @property
    def is_remote(self) -> bool:
        """Whether its address is complete, so that it means the same in a feed."""
        return _is_web(self.url)


@dataclass(frozen=True)
class Block:
    """One piece of the body. `words` may be markup, sanitized."""

    type: str
    words: str
    has_paragraphs: bool
    """Whether the words bring paragraphs of their own, which can't stand inside a paragraph."""
    picture: Picture | None
    link: str
    attribution: str

    @property
    def lines(self) -> list[str]:
        """The items of a list that is plain text."""
        return [] if isinstance(self.words, Markup) else [line for line in self.words.splitlines() if line.strip()]

    @property
    def host(self) -> str:
        """Whose page the link leads to."""
        return urlsplit(self.link).hostname or "" if _is_web(self.link) else ""


@dataclass(frozen=True)
class Topic:
    """A tag: what sort of thing it names, and its name after those of its ancestors, widest first."""

    type: str
    trail: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.trail[-1]


@dataclass(frozen=True)
class Correction:
    """What was wrong and has been put right."""

    date: Moment | None
    text: str


@dataclass(frozen=True)
class Story:
    """A story view's content, ready to be shown."""

    uri: str
    headline: str
    page_title: str
    labels: tuple[str, ...]
    subheadline: str
    summary: str
    opening: str
    sections: tuple[str, ...]
    source: str
    desk: str
    office: str
    language: str
    status: str
    stars: int
    minutes: int
    words: int
    published: Moment | None
    first_published: Moment | None
    updated: Moment | None
    in_print: str
    print_date: Moment | None
    print_headline: str
    web_url: str
    path: str
    byline_line: str
    authors: tuple[Person, ...]
    lead: Picture | None
    body: tuple[Block, ...]
    more_pictures: tuple[Picture, ...]
    corrections: tuple[Correction, ...]
    topics: tuple[Topic, ...]

    @property
    def notice(self) -> str:
        return NOTICES.get(self.status, "")

    @property
    def direction(self) -> str:
        return "rtl" if self.language.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"

    @property
    def abstract(self) -> str:
        """What a list of stories says of it."""
        return self.summary or self.subheadline or self.opening

    @property
    def categories(self) -> tuple[str, ...]:
        return _distinct(*self.sections, *(topic.name for topic in self.topics))

    def link(self, site: str) -> str:
        """The address of the story's page: its own, else its path under `site`, else `site` itself."""
        if self.web_url:
            return self.web_url
        return f"{site.rstrip('/')}/{quote(self.path)}" if self.path else site


def read_story(content: Record) -> Story:
    """The story in a view's content, whatever of it is there."""
    headline = text(content.get("headline")) or UNTITLED
    opening = text(content.get("lead_paragraph"))
    pictures = _Pictures(_records(content.get("images")))
    lead = pictures.show(content.get("lead_image")) or pictures.first()
    body = tuple(_blocks(content.get("body"), pictures))
    if not body and opening:
        body = (Block("text", opening, False, None, "", ""),)
    published, first_published, updated = (
        _moment(content.get(name)) for name in ("published_at", "first_published_at", "updated_at")
    )
    words = _positive(content.get("word_count")) or 0
    stars = _positive(content.get("star_rating")) or 0
    genre = text(content.get("type_of_material"))
    language = text(content.get("language"))
    source = text(content.get("source"))
    web_url = address(content.get("web_url"), PICTURE_SCHEMES)
    return Story(
        uri=text(content.get("uri")),
        headline=headline,
        page_title=text(content.get("seo_headline")) or headline,
        labels=_distinct("" if genre == "News" else genre, *_texts(content, "kicker", "content_kicker", "column")),
        subheadline=text(content.get("subheadline")),
        summary=text(content.get("summary")),
        opening=opening,
        sections=_distinct(*_texts(content, "pillar", "section", "subsection")),
        source=source,
        desk=text(content.get("desk")),
        office=text(content.get("production_office")),
        language=language if _LANGUAGE.match(language) else "en",
        status=text(content.get("status")),
        stars=stars if stars <= STARS_MAX else 0,
        minutes=max(1, words // WORDS_PER_MINUTE) if words else 0,
        words=words,
        published=published,
        first_published=first_published,
        updated=updated,
        in_print=", ".join(
            f"{label} {value}"
            for label, value in zip(("section", "page"), _texts(content, "print_section", "print_page"), strict=True)
            if value
        ),
        print_date=_moment(content.get("print_date")),
        print_headline=text(content.get("print_headline")),
        web_url=web_url if _is_web(web_url) else "",
        path=text(content.get("path")).strip("/"),
        byline_line=text(content.get("byline_line")),
        authors=tuple(_people(content.get("bylines"), source)),
        lead=lead,
        body=body,
        more_pictures=pictures.not_shown(lead),
        corrections=tuple(_corrections(content.get("corrections"))),
        topics=tuple(_topics(content.get("tags"))),
    )


def timestamp(moment: datetime) -> str:
    """RFC 3339 to the second, in UTC; a naive moment is taken as UTC."""
    return _utc(moment).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


class _Pictures:
    """The story's pictures. Credits are expanded in `images` only: the same picture elsewhere takes its from there."""

    def __init__(self, images: Sequence[Record]) -> None:
        self._images = {uri: image for image in images if (uri := text(image.get("uri")))}
        self._pictures = [picture for image in images if (picture := _picture(image)) is not None]
        self._shown: set[str] = set()

    def show(self, reference: object) -> Picture | None:
        """The picture that a reference stands for, if it may be shown."""
        image = _record(reference)
        picture = _picture(self._images.get(text(image.get("uri")), image))
        if picture is not None:
            self._shown.add(picture.url)
        return picture

    def first(self) -> Picture | None:
        return self._pictures[0] if self._pictures else None

    def not_shown(self, lead: Picture | None) -> tuple[Picture, ...]:
        return tuple(picture for picture in self._pictures if picture != lead and picture.url not in self._shown)


def _picture(image: Record) -> Picture | None:
    renditions = [
        (url, _positive(rendition.get("width")), _positive(rendition.get("height")))
        for rendition in (image, *_records(image.get("crops")))
        if (url := address(rendition.get("url"), PICTURE_SCHEMES))
    ]
    if not renditions:
        return None
    url, width, height = renditions[0]
    same = {
        wide: other.replace(",", "%2C")
        for other, wide, high in renditions
        if width and height and wide and high and abs(wide / high * height / width - 1) < _SAME_SHAPE
    }
    maker = text(_record(image.get("credit")).get("name"))
    line, source, rights = _texts(image, "credit_line", "source", "copyright")
    return Picture(
        url=url,
        renditions=", ".join(f"{other} {wide}w" for wide, other in sorted(same.items())) if len(same) > 1 else "",
        width=width,
        height=height,
        alt=text(image.get("alt")),
        caption=text(image.get("caption")),
        credit=" / ".join(_distinct(maker, line)) or source or rights,
    )


def _blocks(body: object, pictures: _Pictures) -> Iterator[Block]:
    for block in _records(body):
        type_ = text(block.get("type")) or "text"
        markup = (phrase if type_ in ("heading", "image", "embed", "video") else flow)(block.get("html"))
        # Markup of tags alone has nothing to read.
        words = markup if markup.striptags() else text(block.get("text"))
        picture = pictures.show(block.get("image")) if type_ == "image" else None
        link = address(block.get("embed_url"), PICTURE_SCHEMES) if type_ in ("embed", "video") else ""
        if words or picture or link:
            attribution = text(block.get("attribution"))
            yield Block(type_, words, words is markup and is_flow(markup), picture, link, attribution)


def _people(bylines: object, source: str) -> Iterator[Person]:
    for byline in _records(bylines):
        name, title, organization, role, type_ = _texts(byline, "name", "title", "organization", "role", "type")
        if name:
            elsewhere = "" if organization == source else organization
            yield Person(name, type_ == "organization", title, elsewhere, "" if role == "reported" else role)


def _topics(tags: object) -> Iterator[Topic]:
    for tag in _records(tags):
        name = text(tag.get("name"))
        if name:
            trail = [name]
            parent = _record(tag.get("parent"))
            while parent:
                trail.append(text(parent.get("name")))
                parent = _record(parent.get("parent"))
            yield Topic(text(tag.get("type")), tuple(filter(None, reversed(trail))))


def _corrections(corrections: object) -> Iterator[Correction]:
    for correction in _records(corrections):
        words = text(correction.get("text"))
        if words:
            yield Correction(_moment(correction.get("date")), words)


def _moment(value: object) -> Moment | None:
    written = text(value)
    try:
        return Moment(_utc(datetime.fromisoformat(written)), len(written) > len("2026-11-23"))
    except (ValueError, OverflowError):
        return None


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_web(url: str) -> bool:
    """Whether it is a complete address that names a host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in PICTURE_SCHEMES and bool(parts.hostname)


def _record(value: object) -> Record:
    return cast("Record", value) if isinstance(value, Mapping) else {}


def _records(value: object) -> list[Record]:
    if not isinstance(value, list | tuple):
        return []
    return [record for item in cast("Sequence[object]", value) if (record := _record(item))]


def _texts(record: Record, *names: str) -> tuple[str, ...]:
    return tuple(text(record.get(name)) for name in names)


def _distinct(*values: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, values)))


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

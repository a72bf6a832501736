"""What may be asked of the Guardian's API, and how it refuses."""

from typing import Annotated, Final, Literal

import msgspec

from assets.interfaces import GUARDIAN_TEXTS
from indexers.limits import QUERY_CHARACTERS_MAX
from publog.server.endpoints import Manners, Parameters
from publog.server.limits import GUARDIAN_IDS_MAX, GUARDIAN_PAGE_SIZE_MAX
from publog.server.problems import Problem

_PAGE_SIZE: Final = 10

TAG_TYPES: Final = (
    "blog", "contributor", "keyword", "newspaper-book", "newspaper-book-section", "publication", "series", "tone", "type",
)  # fmt: skip
ELEMENT_TYPES: Final = ("audio", "image", "video")
FIELDS: Final = (
    "trailText", "headline", "showInRelatedContent", "body", "bodyText", "lastModified", "hasStoryPackage", "score",
    "standfirst", "shortUrl", "thumbnail", "wordcount", "charCount", "commentable", "isPremoderated", "allowUgc", "byline",
    "publication", "internalPageCode", "productionOffice", "shouldHideAdverts", "liveBloggingNow", "commentCloseDate",
    "starRating",
)  # fmt: skip
"""Fields that the API has; of these and of its own a catalog fills what it maps."""


class ErrorResponse(msgspec.Struct):
    status: str
    message: str


class GuardianError(msgspec.Struct):
    """An error, as the Guardian's API has it."""

    message: str
    response: ErrorResponse


def _error(problem: Problem) -> GuardianError:
    detail = problem.document.detail
    return GuardianError(detail, ErrorResponse("error", detail))


MANNERS: Final = Manners(GuardianError, _error, {422: 400}, key_parameter="api-key")


def _list(what: str, example: str) -> msgspec.Meta:
    description = f"{what}: a,b is both, a|b either, -a not, () group."
    return msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description=description, examples=[example])


class CommonParameters(Parameters, frozen=True, rename="kebab"):
    """Of every endpoint."""

    api_key: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=200, description="A key; any text where this newsroom never made one, on its machine."
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    format: Annotated[Literal["json"], msgspec.Meta(description="Only JSON is given.")] = "json"


class ShownParameters(CommonParameters, frozen=True, rename="kebab"):
    """How stories are shown."""

    show_fields: Annotated[
        str, msgspec.Meta(max_length=1_000, description="all, or names joined by commas.", examples=["all"])
    ] = ""
    show_tags: Annotated[
        str, msgspec.Meta(max_length=1_000, description=f"all, or of {', '.join(TAG_TYPES)}.", examples=["all"])
    ] = ""
    show_elements: Annotated[
        str, msgspec.Meta(max_length=1_000, description=f"all, or of {', '.join(ELEMENT_TYPES)}.", examples=["all"])
    ] = ""
    show_blocks: Annotated[
        str,
        msgspec.Meta(
            max_length=1_000,
            description="main, body, all, body:latest, body:oldest, body:ID, body:around:ID, body:key-events, body:published-since:MS.",
            examples=["all"],
        ),
    ] = ""
    show_section: Annotated[Literal["true", "false"], msgspec.Meta(description="Whether to show the section.")] = (
        "false"
    )


class ListedParameters(ShownParameters, frozen=True, rename="kebab"):
    """Which stories are looked for, in which order."""

    q: Annotated[
        str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description='Words, "phrases", AND, OR, NOT, (groups).')
    ] = ""
    query_fields: Annotated[
        str,
        msgspec.Meta(
            max_length=1_000,
            description=f"Where q is looked for: of {', '.join(GUARDIAN_TEXTS)}.",
            examples=["headline"],
        ),
    ] = ""
    section: Annotated[str, _list("Sections", "city")] = ""
    tag: Annotated[str, _list("Tags", "news/tag/floods")] = ""
    production_office: Annotated[str, _list("Offices", "x")] = ""
    lang: Annotated[str, _list("Languages", "en")] = ""
    star_rating: Annotated[
        str, msgspec.Meta(max_length=100, description="1 to 5; several joined by |.", examples=["5"])
    ] = ""
    ids: Annotated[
        str,
        msgspec.Meta(
            max_length=20_000, description=f"At most {GUARDIAN_IDS_MAX} ids, joined by commas.", examples=[""]
        ),
    ] = ""
    from_date: Annotated[
        str, msgspec.Meta(max_length=100, description="A day or timestamp, included.", examples=["2026-01-01"])
    ] = ""
    to_date: Annotated[
        str, msgspec.Meta(max_length=100, description="A day or timestamp, included.", examples=["2026-12-31"])
    ] = ""
    use_date: Annotated[
        Literal["published", "first-publication", "newspaper-edition", "last-modified"],
        msgspec.Meta(description="Which date from-date and to-date mean."),
    ] = "published"
    order_by: (
        Annotated[Literal["newest", "oldest", "relevance"], msgspec.Meta(description="relevance with q, else newest.")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    order_date: Annotated[
        Literal["published", "first-publication", "newspaper-edition", "last-modified"],
        msgspec.Meta(description="Which date newest and oldest mean."),
    ] = "published"
    page_size: Annotated[int, msgspec.Meta(ge=1, le=GUARDIAN_PAGE_SIZE_MAX, description="Results on a page.")] = (
        _PAGE_SIZE
    )


class StoriesParameters(ListedParameters, frozen=True, rename="kebab"):
    page: Annotated[int, msgspec.Meta(ge=1, description="Counted from 1.")] = 1


class NextParameters(ListedParameters, frozen=True, rename="kebab"):
    id: Annotated[str, msgspec.Meta(description="The last result so far.", examples=["news/article/1"])] = ""


class ItemParameters(ListedParameters, frozen=True, rename="kebab"):
    id: Annotated[str, msgspec.Meta(description="Of a story, a tag or a section.", examples=["news/article/1"])] = ""
    page: Annotated[int, msgspec.Meta(ge=1, description="Counted from 1; of a tag's or section's stories.")] = 1


class TagParameters(CommonParameters, frozen=True, rename="kebab"):
    q: Annotated[str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description="Words of tags.")] = ""
    web_title: Annotated[str, msgspec.Meta(max_length=1_000, description="Words of the tag's name, side by side.")] = ""
    type: Annotated[str, _list("Types of tags", "keyword")] = ""
    section: Annotated[str, _list("Sections", "city")] = ""
    page: Annotated[int, msgspec.Meta(ge=1, description="Counted from 1.")] = 1
    page_size: Annotated[int, msgspec.Meta(ge=1, le=GUARDIAN_PAGE_SIZE_MAX, description="Tags on a page.")] = _PAGE_SIZE


class NameParameters(CommonParameters, frozen=True, rename="kebab"):
    q: Annotated[str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX, description="A part of the name.")] = ""

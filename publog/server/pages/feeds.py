"""Stories for readers and for programs that read for them: a page each, RSS, Atom, a sitemap of news."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec
import orjson

from assets.catalog import Catalog
from denormalizer.pages import atom_feed, news_sitemap, rss_feed, story_page, story_style
from publog.server import content
from publog.server.content import AsOf, Uri, ViewParameters
from publog.server.endpoints import Call, Endpoint, Parameters, Reply
from publog.server.limits import NEWS_DAYS, NEWS_DAYS_MAX, NEWS_URLS_MAX, STORIES_MAX
from publog.server.pages.layout import ask, catalog_of, endpoint, html, segment
from publog.server.pages.search import STORIES
from publog.server.problems import NotThere
from publog.server.search import Page, SearchParameters, find

RSS: Final = "application/rss+xml"
ATOM: Final = "application/atom+xml"
XML: Final = "application/xml"

_STYLE: Final = b64encode(sha256(story_style().encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class StoryPage(Parameters, frozen=True):
    uri: Uri
    as_of: AsOf = msgspec.UNSET


class FeedParameters(Parameters, frozen=True):
    q: Annotated[str, msgspec.Meta(description="As in a search; empty: everything.")] = ""
    filter: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern="^[^:=]+[:=]", examples=["section:world"])], ...],
        msgspec.Meta(max_length=100, description="FIELD:VALUE, as in a search."),
    ] = ()
    limit: Annotated[int, msgspec.Meta(ge=1, le=STORIES_MAX, description="Stories, the newest.")] = 20


class SitemapParameters(Parameters, frozen=True):
    days: Annotated[int, msgspec.Meta(ge=1, le=NEWS_DAYS_MAX, description="Days back from the newest story.")] = (
        NEWS_DAYS
    )


async def story(call: Call[StoryPage]) -> Reply:
    asked = call.parameters
    view = _story_view(await catalog_of(call))
    answer = await ask(call, content.view, ViewParameters(view, asked.uri, asked.as_of))
    text = story_page(orjson.loads(answer.value)["content"], shows_pictures=False)
    return html(text, headers={"Content-Security-Policy": _POLICY})


async def rss(call: Call[FeedParameters]) -> Reply:
    stories, updated = await _newest(call)
    text = rss_feed(stories, title=_TITLE, link=_site(call), updated=updated)
    return Reply(text.encode(), media_type=RSS)


async def atom(call: Call[FeedParameters]) -> Reply:
    stories, updated = await _newest(call)
    text = atom_feed(stories, title=_TITLE, link=_site(call), updated=updated)
    return Reply(text.encode(), media_type=ATOM)


async def sitemap(call: Call[SitemapParameters]) -> Reply:
    view = _story_view(await catalog_of(call))
    newest: Page = (await ask(call, find, SearchParameters(view=view, sort="newest", limit=1))).value
    stories: list[dict[str, Any]] = []
    if newest.hits and newest.hits[0].date:
        since = datetime.fromisoformat(newest.hits[0].date) - timedelta(days=call.parameters.days)
        asked = SearchParameters(view=view, sort="newest", limit=NEWS_URLS_MAX, since=_text(since))
        stories = _stories(call, (await ask(call, find, asked)).value)
    text = news_sitemap(stories, name=_TITLE, link=_site(call))
    return Reply(text.encode(), media_type=XML)


_TITLE: Final = "Newest stories"


async def _newest(call: Call[FeedParameters]) -> tuple[list[dict[str, Any]], datetime]:
    asked = call.parameters
    view = _story_view(await catalog_of(call))
    query = SearchParameters(q=asked.q, view=view, filter=asked.filter, sort="newest", limit=asked.limit)
    found: Page = (await ask(call, find, query)).value
    dates = [datetime.fromisoformat(hit.date) for hit in found.hits if hit.date is not None]
    return _stories(call, found), max(dates, default=datetime.fromtimestamp(0, UTC))


def _stories(call: Call[Any], found: Page) -> list[dict[str, Any]]:
    """The contents; one that has no address on the web is linked to its page here."""
    stories: list[dict[str, Any]] = [orjson.loads(bytes(hit.content)) for hit in found.hits]
    for one in stories:
        if not one.get("web_url"):
            one["web_url"] = f"{_site(call)}pages/stories/{segment(str(one.get('uri')))}"
    return stories


def _story_view(catalog: Catalog) -> str:
    """The first view whose root has a headline."""
    for name, view in catalog.views.items():
        if STORIES in catalog.kinds[view.root].record.fields:
            return name
    raise NotThere("the catalog has no view of stories: of a kind that has a headline")


def _site(call: Call[Any]) -> str:
    return f"{call.request.url.scheme}://{call.request.url.netloc}/"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _xml(path: str, name: str, summary: str, handle: Any, parameters: type[Parameters], type_: str) -> Endpoint[Any]:
    return Endpoint(
        "GET",
        path,
        name,
        summary,
        handle,
        {200: (summary, bytes)},
        parameters,
        scopes=("search",),
        problems=(404, 503),
        media_type=type_,
    )


ENDPOINTS: Final[list[Endpoint[Any]]] = [
    _xml("/feeds/rss", "rss", "The newest stories as RSS 2.0", rss, FeedParameters, RSS),
    _xml("/feeds/atom", "atom", "The newest stories as Atom", atom, FeedParameters, ATOM),
    _xml("/sitemap-news.xml", "newsSitemap", "A sitemap of the newest stories", sitemap, SitemapParameters, XML),
]
PAGES: Final[list[Endpoint[Any]]] = [endpoint("/pages/stories/{uri}", "Story", story, StoryPage)]

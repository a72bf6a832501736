"""A story view's content to an HTML page, and stories to an RSS or an Atom feed."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from denormalizer.pages.story import Story, read_story, timestamp
from denormalizer.pages.structured import news_article
from denormalizer.pages.trust import text


def story_page(content: Mapping[str, Any], *, shows_pictures: bool = True) -> str:
    """The page of a story: one HTML5 document that needs nothing else but its pictures.

    Any field of the content may be null or missing. No value of it becomes markup or runs, except words with their
    emphasis, links and paragraphs in a body block's `html`, which is sanitized.

    Args:
        content: Of a story view.
        shows_pictures: Whether it shows them, from wherever they lie, or what they are and where, so that to open the
            page asks nobody else for anything.
    """
    story = read_story(content)
    return _STORY.render(story=story, structured=news_article(story), shows_pictures=shows_pictures)


def story_article(content: Mapping[str, Any]) -> Markup:
    """A story as the one `<article>` of `story_page`, to stand in another page, which styles it; without its pictures."""
    return Markup(_ARTICLE.render(story=read_story(content), shows_pictures=False))  # noqa: S704 - escaped by its template


def story_style() -> str:
    """What stands in the `<style>` of each `story_page`, to the letter: for a policy that lets in just that."""
    return f"\n{_ENVIRONMENT.get_template('story.css.j2').render()}"


def rss_feed(stories: Iterable[Mapping[str, Any]], *, title: str, link: str, updated: datetime) -> str:
    """An RSS 2.0 feed of the contents of stories, in their order. https://www.rssboard.org/rss-specification

    Args:
        stories: Contents of story views, newest first. One without a URI (as of a view that is gone) is left out.
        title: What the feed is called.
        link: The address of the site; a story with a `path` and no `web_url` is linked to under it.
        updated: When the feed last changed.
    """
    return _feed(_RSS, stories, title, link, updated)


def atom_feed(stories: Iterable[Mapping[str, Any]], *, title: str, link: str, updated: datetime) -> str:
    """An Atom feed (RFC 4287); the same as `rss_feed` otherwise. `updated` also stands for stories without a date."""
    return _feed(_ATOM, stories, title, link, updated)


def news_sitemap(stories: Iterable[Mapping[str, Any]], *, name: str, link: str) -> str:
    """A sitemap of news. https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap

    Args:
        stories: Contents of story views. One without a URI or a date is left out: its date is required.
        name: Of the publication, where a story says no `source`.
        link: As in `rss_feed`.
    """
    dated = [story for story in _with_uri(stories) if story.published or story.first_published]
    return _SITEMAP.render(stories=dated, name=text(name), link=text(link))


def _feed(template: Template, stories: Iterable[Mapping[str, Any]], title: str, link: str, updated: datetime) -> str:
    return template.render(title=text(title), link=text(link), updated=updated, stories=list(_with_uri(stories)))


def _with_uri(stories: Iterable[Mapping[str, Any]]) -> Iterator[Story]:
    return (story for content in stories if (story := read_story(content)).uri)


def _rfc822(moment: datetime) -> str:
    """RSS's dates: RFC 822 with four digits of the year."""
    return format_datetime(datetime.fromisoformat(timestamp(moment)), usegmt=True)


def _environment() -> Environment:
    environment = Environment(
        # `select_autoescape` goes by the name's end and leaves *.html.j2 unescaped.
        autoescape=True,
        loader=PackageLoader("denormalizer.pages"),
        # `read_story` has a value for everything, so a name that a template does not find is a mistake of ours.
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(rfc822=_rfc822, rfc3339=timestamp)
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


_ENVIRONMENT: Final = _environment()
_STORY: Final = _ENVIRONMENT.get_template("story.html.j2")
_ARTICLE: Final = _ENVIRONMENT.get_template("article.html.j2")
_RSS: Final = _ENVIRONMENT.get_template("feed.rss.j2")
_ATOM: Final = _ENVIRONMENT.get_template("feed.atom.j2")
_SITEMAP: Final = _ENVIRONMENT.get_template("sitemap-news.xml.j2")

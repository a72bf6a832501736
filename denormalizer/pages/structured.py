"""A story as schema.org's NewsArticle, for programs that read its page."""

from typing import Any

from denormalizer.pages.story import Person, Story


def news_article(story: Story) -> dict[str, Any]:
    """The JSON-LD document, without what the story does not have. https://schema.org/NewsArticle"""
    pictures = [picture.url for picture in (story.lead, *story.more_pictures) if picture and picture.is_remote]
    document = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "identifier": story.uri,
        "url": story.web_url,
        "headline": story.headline,
        "alternativeHeadline": story.subheadline,
        "description": story.summary,
        "inLanguage": story.language,
        "datePublished": story.published.iso if story.published else "",
        "dateModified": story.updated.iso if story.updated else "",
        "author": [_author(person) for person in story.authors],
        "publisher": {"@type": "Organization", "name": story.source} if story.source else None,
        "articleSection": list(story.sections),
        "keywords": [topic.name for topic in story.topics],
        "image": pictures,
        "wordCount": story.words,
    }
    return {name: value for name, value in document.items() if value}


def _author(person: Person) -> dict[str, str]:
    author = {
        "@type": "Organization" if person.is_organization else "Person",
        "name": person.name,
        "jobTitle": "" if person.is_organization else person.title,
    }
    return {name: value for name, value in author.items() if value}

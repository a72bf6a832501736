"""The demo newsroom as its messages have it, worked out without publog's code."""

from pathlib import Path
from typing import Any, NamedTuple

from tests.support.newsroom import Json


class Courier(NamedTuple):
    """The demo newsroom."""

    home: Path
    url: str
    latest: dict[str, dict[str, Any]]
    """URI to the latest data of what is published."""

    @property
    def articles(self) -> dict[str, dict[str, Any]]:
        """Newest first."""
        found = [(uri, data) for uri, data in self.latest.items() if uri.startswith("news://article/")]
        return dict(sorted(found, key=lambda one: one[1]["published_at"], reverse=True))

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    def where(self, **values: Json) -> list[str]:
        """The URIs of the articles with these values, newest first."""
        return [
            uri for uri, data in self.articles.items() if all(data[name] == value for name, value in values.items())
        ]

    def tagged(self, type_: str, name: str) -> list[str]:
        """The URIs of the articles with a tag, newest first."""
        tags = {uri for uri, data in self.latest.items() if data.get("type") == type_ and data.get("name") == name}
        return [uri for uri, data in self.articles.items() if tags & set(data["tags"])]

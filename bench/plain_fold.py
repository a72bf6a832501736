"""A rival: the fold as a good engineer would write it in an hour, with sqlite3, fastavro, dicts and orjson.

It reads publog's log, keeps the latest of every asset, nests the dicts and writes every live view: the newsroom's three,
written out by hand. It does less than publog: no versions, sources, dead letters or bounds, and no other catalog. It
has what makes such a program quick: orjson, which takes an eighth of json's time, and no cycle collector, which would take
two fifths of the decoding to look through millions of dicts that stay.
"""

# fastavro has half of its types.
# pyright: reportUnknownMemberType=false

import gc
import sqlite3
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import fastavro
import orjson

Data = dict[str, Any]

_STORY_DEPTH: Final = 5
_TAG_DEPTH: Final = 5
_STORY_IMAGE: Final = (
    "url", "type", "caption", "alt", "credit", "credit_line", "copyright", "source", "width", "height", "crops",
)  # fmt: skip
_STORY_BYLINE: Final = (
    "name", "type", "first_name", "middle_name", "last_name", "suffix", "title", "role", "organization", "photo", "slug",
)  # fmt: skip
_STORY_TAG: Final = ("name", "type", "parent", "section", "slug")
_BYLINE_IMAGE: Final = ("url", "caption", "alt", "credit", "credit_line", "width", "height", "crops")


def read_log(path: Path) -> Iterator[tuple[int, str, Data | None]]:
    """Offset, URI and data (None: unpublished) of every message of publog's log, in order."""
    connection = sqlite3.connect(path)
    texts = connection.execute("SELECT id, text FROM schemas")
    schemas = {id_: fastavro.parse_schema(orjson.loads(text), named_schemas={}) for id_, text in texts}
    for offset, uri, value in connection.execute("SELECT offset, uri, value FROM messages ORDER BY offset"):
        data: Any = None
        if value is not None:
            # Confluent wire format: a zero, four bytes of schema id, the record.
            data = fastavro.schemaless_reader(BytesIO(value[5:]), schemas[int.from_bytes(value[1:5], "big")], None)
        yield offset, uri, data
    connection.close()


class Newsroom:
    """The latest of every asset, and the views over them."""

    def __init__(self, latest: dict[str, Data | None]) -> None:
        self._latest = latest

    def views(self) -> Iterator[Data]:
        for uri, data in self._latest.items():
            if data is None:
                continue
            kind = uri.split("/", 3)[2]
            if kind == "article":
                yield {"view": "story", "uri": uri, "content": self._story(uri, data)}
            elif kind == "byline":
                yield {"view": "byline", "uri": uri, "content": self._byline(uri, data)}
            elif kind == "tag":
                yield {"view": "tag", "uri": uri, "content": self._tag(uri, data, tuple(data), _TAG_DEPTH, (uri,))}

    def _story(self, uri: str, data: Data) -> Data:
        content = {"uri": uri, **data}
        content["images"] = self._present([self._image(target, credited=True) for target in data["images"]])
        content["lead_image"] = self._image(data["lead_image"])
        content["body"] = [
            {**block, "image": self._image(block["image"])} if block["image"] else block for block in data["body"]
        ]
        content["bylines"] = self._present([self._embedded(target, _STORY_BYLINE) for target in data["bylines"]])
        content["tags"] = self._present([self._story_tag(target) for target in data["tags"]])
        return content

    def _byline(self, uri: str, data: Data) -> Data:
        photo = self._embedded(data["photo"], _BYLINE_IMAGE)
        if photo is not None and photo["credit"]:
            credit = photo["credit"]
            photo["credit"] = {"uri": uri} if credit == uri else self._whole(credit)
        return {"uri": uri, **data, "photo": photo}

    def _tag(self, uri: str, data: Data, fields: tuple[str, ...], depth: int, above: tuple[str, ...]) -> Data:
        """A tag with its ancestors, `depth` of them at the most."""
        content = {"uri": uri, **{name: data[name] for name in fields}}
        parent = data["parent"]
        if parent is not None:
            found = self._latest.get(parent)
            if parent in above or depth == 0:
                content["parent"] = {"uri": parent}
            elif found is None:
                content["parent"] = None
            else:
                content["parent"] = self._tag(parent, found, fields, depth - 1, (*above, parent))
        return content

    def _story_tag(self, uri: str) -> Data | None:
        data = self._latest.get(uri)
        return None if data is None else self._tag(uri, data, _STORY_TAG, _STORY_DEPTH - 1, (uri,))

    def _image(self, uri: str | None, *, credited: bool = False) -> Data | None:
        image = self._embedded(uri, _STORY_IMAGE)
        if credited and image is not None:
            image["credit"] = self._embedded(image["credit"], _STORY_BYLINE)
        return image

    def _embedded(self, uri: str | None, fields: tuple[str, ...]) -> Data | None:
        data = self._latest.get(uri) if uri else None
        return None if data is None else {"uri": uri, **{name: data[name] for name in fields}}

    def _whole(self, uri: str) -> Data | None:
        data = self._latest.get(uri)
        return None if data is None else {"uri": uri, **data}

    @staticmethod
    def _present(items: list[Data | None]) -> list[Data]:
        return [item for item in items if item is not None]


def main(log: Path, views: Path) -> None:
    gc.disable()
    latest = {uri: data for _, uri, data in read_log(log)}
    with views.open("wb", buffering=1024 * 1024) as file:
        for view in Newsroom(latest).views():
            file.write(orjson.dumps(view, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

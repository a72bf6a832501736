"""A rival: the newsroom's views as one batch join in DuckDB, on two threads, from its own stored log (duckdb_log.py).

It writes every live view, without versions and sources (with them it takes a twentieth to a sixth longer). What makes it
quick, each measured against the obvious way: the latest version is found by offsets alone (a window over whole rows takes
eight times as long), and what is embedded is made JSON once for each asset before it is collected into arrays (arrays of
structs take half as long again in all). A CSV of one unquoted column is written no faster than FORMAT json.
"""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb

THREADS: Final = 2

_LATEST: Final = """
CREATE TEMP TABLE {kind}_latest AS SELECT max("offset") FROM {kind} GROUP BY uri;
CREATE TEMP VIEW {kind}_now AS
SELECT * EXCLUDE ("offset", op) FROM {kind} WHERE "offset" IN (FROM {kind}_latest) AND op = 'publish';
"""

_EMBEDDED: Final = """
CREATE TEMP VIEW story_byline AS
SELECT uri, name, type, first_name, middle_name, last_name, suffix, title, role, organization, photo, slug FROM byline_now;

CREATE TEMP VIEW story_tag AS
SELECT uri, name, type, parent, section, slug FROM tag_now;

CREATE TEMP VIEW story_image AS
SELECT uri, url, type, caption, alt, credit, credit_line, copyright, source, width, height, crops FROM image_now;

CREATE TEMP TABLE byline_json AS
SELECT uri, to_json(b) AS doc FROM story_byline b;

CREATE TEMP TABLE image_json AS
SELECT i.uri, to_json(i) AS doc, to_json(struct_update(i, credit := b.doc)) AS credited
FROM story_image i LEFT JOIN byline_json b ON b.uri = i.credit;
"""

# The generated tags are trees: none is looked for among its own ancestors.
_TAG_LAST: Final = """
CREATE TEMP TABLE {tag}_{depth} AS
WITH t AS (SELECT * REPLACE (CASE WHEN parent IS NOT NULL THEN to_json({{uri: parent}}) END AS parent) FROM {tag})
SELECT uri, to_json(t) AS doc FROM t;
"""
_TAG: Final = """
CREATE TEMP TABLE {tag}_{depth} AS
WITH t AS (SELECT n.* REPLACE (p.doc AS parent) FROM {tag} n LEFT JOIN {tag}_{below} p ON p.uri = n.parent)
SELECT uri, to_json(t) AS doc FROM t;
"""

_ARRAY: Final = """
CREATE TEMP TABLE {field}_of AS
WITH targets AS (
    SELECT uri, unnest({field}) AS target, generate_subscripts({field}, 1) AS place FROM article_now
)
SELECT t.uri, list(e.{doc} ORDER BY t.place) AS docs FROM targets t JOIN {embedded} e ON e.uri = t.target GROUP BY t.uri;
"""

_BODY: Final = """
CREATE TEMP TABLE body_images AS
WITH targets AS (SELECT DISTINCT uri, unnest(list_transform(body, lambda block: block.image)) AS target FROM article_now)
SELECT t.uri, map(list(t.target), list(i.doc)) AS docs FROM targets t JOIN image_json i ON i.uri = t.target GROUP BY t.uri;
"""

_STORY: Final = """
WITH content AS NOT MATERIALIZED (
    SELECT a.* REPLACE (
        coalesce(images_of.docs, []) AS images,
        coalesce(bylines_of.docs, []) AS bylines,
        coalesce(tags_of.docs, []) AS tags,
        lead.doc AS lead_image,
        CASE WHEN len(list_filter(a.body, lambda block: block.image IS NOT NULL)) = 0 THEN to_json(a.body)
        ELSE to_json(list_transform(a.body, lambda block: struct_update(block, image := body_images.docs[block.image])))
        END AS body
    )
    FROM article_now a
    LEFT JOIN images_of ON images_of.uri = a.uri
    LEFT JOIN bylines_of ON bylines_of.uri = a.uri
    LEFT JOIN tags_of ON tags_of.uri = a.uri
    LEFT JOIN body_images ON body_images.uri = a.uri
    LEFT JOIN image_json lead ON lead.uri = a.lead_image
)
SELECT 'story' AS "view", content.uri, content FROM content
"""

_BYLINE: Final = """
WITH photo AS (
    SELECT b.uri, to_json({
        uri: p.uri, url: p.url, caption: p.caption, alt: p.alt,
        credit: CASE WHEN p.credit = b.uri THEN to_json({uri: b.uri}) WHEN c.uri IS NOT NULL THEN to_json(c) END,
        credit_line: p.credit_line, width: p.width, height: p.height, crops: p.crops
    }) AS doc
    FROM byline_now b JOIN image_now p ON p.uri = b.photo LEFT JOIN byline_now c ON c.uri = p.credit
), content AS NOT MATERIALIZED (
    SELECT b.* REPLACE (photo.doc AS photo) FROM byline_now b LEFT JOIN photo ON photo.uri = b.uri
)
SELECT 'byline' AS "view", content.uri, content FROM content
"""

_TAG_VIEW: Final = """
SELECT 'tag' AS "view", uri, doc AS content FROM tag_now_0
"""

_COPY: Final = "COPY ({query}) TO '{path}' (FORMAT json)"


def statements(folder: Path) -> Iterator[str]:
    """The whole job in order; the views go into a file each."""
    for kind in ("article", "image", "byline", "tag"):
        yield _LATEST.format(kind=kind)
    yield _EMBEDDED
    for tag, nearest in (("story_tag", 1), ("tag_now", 0)):
        yield _TAG_LAST.format(tag=tag, depth=5)
        for depth in range(4, nearest - 1, -1):
            yield _TAG.format(tag=tag, depth=depth, below=depth + 1)
    yield _ARRAY.format(field="images", embedded="image_json", doc="credited")
    yield _ARRAY.format(field="bylines", embedded="byline_json", doc="doc")
    yield _ARRAY.format(field="tags", embedded="story_tag_1", doc="doc")
    yield _BODY
    for name, query in (("story", _STORY), ("byline", _BYLINE), ("tag", _TAG_VIEW)):
        yield _COPY.format(query=query, path=folder / f"{name}.jsonl")


def main(database: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with closing(duckdb.connect(database, read_only=True)) as connection:
        connection.execute(f"SET threads = {THREADS}")
        connection.execute("SET preserve_insertion_order = false")
        for statement in statements(folder):
            connection.execute(statement)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Settings and mapping of a generation, made of the catalog by templates that a team may replace."""

import os
from traceback import extract_tb
from typing import Any, Final

import orjson
from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)

from assets.catalog import Catalog
from indexers.engine.fields import Fields
from indexers.errors import UnusableIndex
from indexers.limits import OFFSET_MAX, PAGE_SIZE_MAX

TEMPLATES: Final = "PUBLOG_ELASTICSEARCH_TEMPLATES"
"""In the environment: a folder whose `settings.json.j2` or `mappings.json.j2` is taken in place of our own."""


BUILDING: Final[dict[str, Any]] = {
    "refresh_interval": "-1",
    "auto_expand_replicas": "false",
    "number_of_replicas": 0,
}
"""Settings of a generation while it is built, whatever the template says: nobody reads it, and who begins again is the
copy. The template's come when it is complete."""


def make_body(catalog: Catalog, url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the mapping of a new generation. The settings' names have no `index.` before them.

    Raises:
        UnusableIndex: a team's own template is at fault.
    """
    names = Fields(catalog)
    facets = sorted(names.facets(None))
    values = {
        "text": sorted(names.boosts(None)),
        "facets": facets,
        "numbers": [path for path in facets if names.is_ordered(path)],
        "times": [path for path in facets if names.is_time(path)],
        "result_window": OFFSET_MAX + PAGE_SIZE_MAX + 1,
        "catalog": catalog,
    }
    settings = _render("settings.json.j2", values, url)
    settings |= settings.pop("index", {})
    return {name.removeprefix("index."): value for name, value in settings.items()}, _render(
        "mappings.json.j2", values, url
    )


def _render(name: str, values: dict[str, Any], url: str) -> dict[str, Any]:
    own = os.environ.get(TEMPLATES)
    loaders = [FileSystemLoader(own)] if own else []
    loader = ChoiceLoader([*loaders, PackageLoader("indexers.elasticsearch")])
    # It is JSON that is made, and every value goes through `tojson`.
    environment = Environment(loader=loader, undefined=StrictUndefined, autoescape=False)  # noqa: S701
    try:
        return orjson.loads(environment.get_template(name).render(values))
    except TemplateError as error:
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename.endswith(name)]
        place = (
            f"{name}:{error.lineno}"
            if isinstance(error, TemplateSyntaxError)
            else f"{name}:{lines[-1]}"
            if lines
            else name
        )
        raise UnusableIndex(url, f"its template {place} can't be rendered ({error})", f"See {TEMPLATES}") from None
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno} of what it makes"
        raise UnusableIndex(
            url, f"its template {name} makes no JSON ({error.msg}, {place})", f"See {TEMPLATES}"
        ) from None

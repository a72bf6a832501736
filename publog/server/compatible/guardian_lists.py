"""Pages, boolean lists and ids that are names, as the Guardian's API has them everywhere."""

from indexers.errors import InvalidQuery
from indexers.limits import OFFSET_MAX
from indexers.query import AnyOf, Expression
from publog.server.compatible.boolean import Condition, parse_list
from publog.server.compatible.serving import Shelf
from publog.server.compatible.templates import slug
from publog.server.problems import Unusable


def offset_of(page: int, size: int) -> int:
    """How many results come before a page.

    Raises:
        Unusable: too many.
    """
    offset = (page - 1) * size
    if offset > OFFSET_MAX:
        raise Unusable(f"page: pages go to result {OFFSET_MAX:,}; go on by /content/{{id}}/next", "page")
    return offset


def pages_of(total: int, size: int) -> int:
    """How many pages there are."""
    return -(-total // size)


def counted(total: int, page: int, size: int) -> dict[str, int]:
    """The parts of an answer that say which page of how many it is.

    Raises:
        Unusable: there are not so many.
    """
    pages = pages_of(total, size)
    if page > max(pages, 1):
        raise Unusable("requested page is beyond the number of available pages", "page")
    start = (page - 1) * size + 1 if total else 0
    return {"total": total, "start_index": start, "page_size": size, "current_page": page, "pages": pages}


def list_of(name: str, text: str) -> Condition[str]:
    """The boolean list in a parameter.

    Raises:
        Unusable: it is none.
    """
    try:
        return parse_list(text)
    except InvalidQuery as error:
        raise Unusable(f"{name}: {error}", name) from None


def of_slug(shelf: Shelf, name: str, id_: str) -> Expression:
    """A field has the value whose id this is: its name in lower case with hyphens."""
    meant = [value for value, _ in shelf.values(name) if slug(value) == slug(id_)]
    return AnyOf(tuple(shelf.value(name, value) for value in meant))

"""What a generation says about itself beside its documents: its name, and the catalog it was made by."""

import secrets
from datetime import UTC, datetime
from typing import Final

import msgspec

from assets.catalog import Catalog, parse_catalog
from assets.errors import InvalidCatalog
from indexers.errors import CorruptIndex, GenerationMoved, GenerationUnfit, UnusableIndex
from indexers.port import IndexInfo

FORMAT: Final = 2
"""Rises when documents are made otherwise, so that an index of another version is loaded again and not misread."""

NEVER_LOADED: Final = IndexInfo(-1, "", "", {}, {})
"""What an index says that was never loaded."""

_NAME_TIME: Final = "%Y%m%dT%H%M%S"
_NAME_TIME_CHARACTERS: Final = 15


class Description(msgspec.Struct, frozen=True):
    """Kept with every generation."""

    format: int
    generation: str
    catalog_digest: str
    catalog_files: dict[str, str]
    complete: bool = True
    """Nothing is missing of it: it was loaded, or `finish` has ended."""

    def catalog(self, url: str) -> Catalog:
        """The catalog that the generation was made by.

        Raises:
            UnusableIndex: another version of publog made it.
            CorruptIndex: the catalog is not the one that the digest names.
        """
        remedy = "Load it again from the log"
        if self.format != FORMAT:
            raise UnusableIndex(url, f"it has format {self.format}, this version reads {FORMAT}", remedy)
        try:
            catalog = parse_catalog(self.catalog_files)
        except InvalidCatalog as error:
            raise UnusableIndex(url, f"this version can't read its catalog: {error}", remedy) from None
        if catalog.digest != self.catalog_digest:
            raise CorruptIndex(url, "its catalog is not the one it was made by")
        return catalog

    def finished(self) -> "Description":
        """The same, complete."""
        return msgspec.structs.replace(self, complete=True)


def describe(catalog: Catalog, *, complete: bool = True) -> Description:
    """A new generation made by this catalog."""
    # In the order of their names they are in the order of their age, to the millisecond.
    now = datetime.now(UTC)
    name = f"{now:{_NAME_TIME}}{now.microsecond // 1_000:03}-{secrets.token_hex(4)}"
    return Description(FORMAT, name, catalog.digest, dict(catalog.files), complete)


def is_name(name: str) -> bool:
    """Whether this could be a generation's name; what a person types may be a path."""
    return bool(name) and not name.startswith(".") and "/" not in name and "\0" not in name


def created(name: str) -> int:
    """The second (since 1970-01-01T00:00:00Z) at which a generation was begun, which its name tells; 0 if it doesn't."""
    try:
        return int(datetime.strptime(name[:_NAME_TIME_CHARACTERS], _NAME_TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0


def check_complete(url: str, description: Description) -> None:
    """See that a generation can be read, written and made current.

    Raises:
        GenerationUnfit: it is not finished.
    """
    if not description.complete:
        raise GenerationUnfit(url, description.generation, "is not finished", "Finish it first, or remove it")


def check_unfinished(url: str, description: Description, present: int = 0, loaded: int = 1) -> None:
    """See that a generation is not finished, and that what is to be loaded was not loaded before.

    Raises:
        GenerationUnfit: it is complete, or so much was loaded already.
    """
    if description.complete:
        raise GenerationUnfit(url, description.generation, "is complete already", "Write to it instead")
    if loaded <= present:
        raise GenerationUnfit(
            url, description.generation, f"says that {present} is loaded, so {loaded} was before", "Go on behind it"
        )


def check_expected(url: str, expected: str, current: str) -> None:
    """See that the current generation is the expected one.

    Raises:
        GenerationMoved: it is another.
    """
    if current != expected:
        raise GenerationMoved(url, expected, current)


def check_retired(url: str, generation: str, current: str) -> None:
    """See that a generation may be removed.

    Raises:
        GenerationUnfit: it is the current one.
    """
    if generation == current:
        raise GenerationUnfit(url, generation, "is the current one", "Make another one current first")

"""What a generation says about itself beside its documents: its name, and the catalog it was made by."""

import secrets
from datetime import UTC, datetime
from typing import Final

import msgspec

from assets.catalog import Catalog, parse_catalog
from assets.errors import InvalidCatalog
from indexers.errors import CorruptIndex, UnusableIndex
from indexers.port import IndexInfo

FORMAT: Final = 1
"""Rises when documents are made otherwise, so that an index of another version is loaded again and not misread."""

NEVER_LOADED: Final = IndexInfo(-1, "", "", {}, {})
"""What an index says that was never loaded."""


class Description(msgspec.Struct, frozen=True):
    """Kept with every generation that lies on a disk."""

    format: int
    generation: str
    catalog_digest: str
    catalog_files: dict[str, str]

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


def describe(catalog: Catalog) -> Description:
    """A new generation made by this catalog."""
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    return Description(FORMAT, name, catalog.digest, dict(catalog.files))

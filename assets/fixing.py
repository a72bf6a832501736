"""Which catalog a log is read with: the one given, else the one fixed for the log, else the built-in newsroom."""

from pathlib import Path

from assets.catalog import Catalog, load_catalog, newsroom_catalog, parse_catalog
from assets.codec import check_compatibility
from assets.log.port import Log


def catalog_of(log: Log | None, folder: Path | None) -> Catalog:
    """The catalog to read a log with; `log` None where there is none yet.

    Raises:
        InvalidCatalog: when the folder's catalog can't be used.
    """
    if folder is not None:
        return load_catalog(folder)
    files = log.catalog_files() if log is not None else None
    return newsroom_catalog() if files is None else parse_catalog(files)


def fix_catalog(log: Log, catalog: Catalog) -> bool:
    """Make a catalog the log's own, from now on; whether that changed anything.

    Raises:
        IncompatibleSchema: when it can't read what the log holds; the log keeps the one it has.
    """
    if log.catalog_files() == dict(catalog.files):
        return False
    check_compatibility(catalog.kinds, log.schemas())
    log.save_catalog(catalog.digest, catalog.files)
    return True

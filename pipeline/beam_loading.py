"""Beam takes a second to import: how it is imported where it is needed, and by nobody else."""

import importlib
import logging
import sys
from typing import Any, Final, cast

_UNUSED: Final = ("pymongo", "pyarrow", "apache_beam.io.gcp.bigquery")
"""What Beam imports where it is installed and publog has no use for: together two fifths of the time of importing Beam."""


def load_beam() -> None:
    """Import Beam without what publog does not use, and without what it has to say meanwhile; once is enough."""
    # It also raises what it logs.
    logging.basicConfig(level=logging.CRITICAL)
    if "apache_beam" in sys.modules:
        return
    hidden = [name for name in _UNUSED if name not in sys.modules]
    # The import system's own word for what is not to be found.
    modules = cast("dict[str, Any]", sys.modules)
    modules.update(dict.fromkeys(hidden))
    try:
        importlib.import_module("apache_beam")
    finally:
        for name in hidden:
            del modules[name]

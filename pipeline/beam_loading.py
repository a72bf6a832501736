"""Beam takes more than a second to import: how it is imported where it is needed, and by nobody else."""

import importlib
import logging
import sys
from typing import Final

_UNUSED: Final = "pymongo"
"""Beam's MongoDB connector imports it where it is installed, which takes a quarter of the time of importing Beam."""


def load_beam() -> None:
    """Import Beam without what publog does not use, and without what it has to say meanwhile; once is enough."""
    # It also raises what it logs.
    logging.basicConfig(level=logging.CRITICAL)
    if "apache_beam" in sys.modules or _UNUSED in sys.modules:
        return
    sys.modules[_UNUSED] = None  # type: ignore[assignment]  # as the import system has it: not to be found
    try:
        importlib.import_module("apache_beam")
    finally:
        del sys.modules[_UNUSED]

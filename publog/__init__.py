"""The thin shell that people touch: the command line and its settings. It has no logic of its own."""

from typing import Final

VERSION: Final = "0.1.0"

"""What this process counts of its search servers, as plain numbers: whoever exports them asks."""

from collections import Counter
from threading import Lock
from typing import Final

_counting: Final = Lock()
_bulk_retries: Final[Counter[str]] = Counter()


def bulk_retried(reason: str) -> None:
    """A bulk request, or a part of one, is sent again: for an HTTP status (`429`), `timeout`, `connection`."""
    with _counting:
        _bulk_retries[reason] += 1


def bulk_retries() -> dict[str, int]:
    """How many were sent again since this process began, by reason."""
    with _counting:
        return dict(_bulk_retries)

"""What this process counts of its search servers, as plain numbers: whoever exports them asks."""

from collections import Counter
from threading import Lock
from typing import Final

_counting: Final = Lock()
_bulk_retries: Final[Counter[str]] = Counter()


def bulk_retried(reason: str) -> None:
    """A bulk request is sent again, or the part of it that was not taken: for the HTTP status that it was answered with
    (`429`), as its items were refused (`items`), for a `timeout`, or as the `connection` failed.
    """
    with _counting:
        _bulk_retries[reason] += 1


def bulk_retries() -> dict[str, int]:
    """How many were sent again since this process began, by reason."""
    with _counting:
        return dict(_bulk_retries)

"""What runs on this machine: known without importing Beam."""

from collections.abc import Sequence
from typing import Final

RUNNER: Final = "apache_beam.runners.portability.fn_api_runner.fn_runner.FnApiRunner"
HERE_NAMES: Final = frozenset({"", "DirectRunner", "FnApiRunner", RUNNER})
"""What names the runner of this machine. Beam's `DirectRunner` may try to download another one; here it is this."""

PROCESS_MESSAGES: Final = 20_000
"""Messages from which on a single shard, too, is worth a process of its own."""


def in_processes(runner: str | None, options: Sequence[str], shards: int, last: int, urls: Sequence[str]) -> bool:
    """Whether each shard gets a process of its own from us, that Beam's DoFn waits for.

    Args:
        urls: Of the log and the index; what is in this process's memory, others can't see.
    """
    if (runner or "") not in HERE_NAMES or any(url.startswith("memory:") for url in urls):
        return False
    if any(option.startswith("--direct_running_mode") for option in options):
        return False
    return shards > 1 or last + 1 >= PROCESS_MESSAGES

"""Runners: which one a batch goes to, and what it must be told (docs/adr says why)."""

from collections.abc import Sequence
from typing import Final

FN_API_RUNNER: Final = "apache_beam.runners.portability.fn_api_runner.fn_runner.FnApiRunner"
"""Beam's own runner in one process or several on this machine. `DirectRunner` may try to download another one."""

IN_PROCESS_NAMES: Final = frozenset({"", "DirectRunner", "FnApiRunner", FN_API_RUNNER})


def batch_options(runner: str | None, shards: int, options: Sequence[str], *, one_process: bool) -> list[str]:
    """Beam's options for a batch.

    Args:
        runner: A runner's name or class, None for the default.
        shards: How many shards run side by side.
        options: Beam options as the user gave them; they win.
        one_process: Whether log or index live in this process's memory, where other processes can't see them.
    """
    if (runner or "") not in IN_PROCESS_NAMES:
        return [f"--runner={runner}", *options]
    workers = 1 if one_process else shards
    if workers == 1:
        return [f"--runner={FN_API_RUNNER}", "--direct_running_mode=in_memory", *options]
    return [
        f"--runner={FN_API_RUNNER}",
        # Processes, not threads: the fold is Python, and threads would take turns.
        "--direct_running_mode=multi_processing",
        f"--direct_num_workers={workers}",
        *options,
    ]

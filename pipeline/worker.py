"""The entry of a worker process on this machine: Beam's own, but quiet, and gone when the job's process is gone."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
import logging
import os
import sys
import threading
import time
from typing import Final

PARENT_CHECK_SECONDS: Final = 0.5
"""How often a worker looks whether the process that started it is still there."""


def main() -> None:
    """Serve the runner that started this process until it has no more work."""
    # Before Beam is imported: it has things to say already then.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main  # noqa: PLC0415

    logging.disable(logging.WARNING)
    sdk_worker_main.main(sys.argv)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()

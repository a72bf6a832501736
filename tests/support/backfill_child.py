"""`publog` in a process, with checkpoints so close to each other that a little history has many of them."""

import backfill.run
from publog.cli import main

PART_VIEWS = 15

if __name__ == "__main__":
    vars(backfill.run)["PART_VIEWS"] = PART_VIEWS
    main()

"""`publog` in a process, with checkpoints so close to each other that a little history has many of them."""

from pipeline.beam_loading import load_beam
from publog.cli import main

PART_VIEWS = 15

if __name__ == "__main__":
    load_beam()
    import backfill.run

    vars(backfill.run)["PART_VIEWS"] = PART_VIEWS
    main()

"""`python -m pipeline`: a batch with Beam's own options."""

import sys

from pipeline.beam_loading import load_beam

load_beam()

from pipeline.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m pipeline`: a batch with Beam's own options."""

import logging
import sys

# Beam has things to say while it is imported.
logging.basicConfig(level=logging.CRITICAL)

from pipeline.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

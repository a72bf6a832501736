"""Says where the binary is, and builds it first where it is not."""

import sys

from tests.servers.prism import prism_binary

if __name__ == "__main__":
    sys.stdout.write(f"{prism_binary()}\n")

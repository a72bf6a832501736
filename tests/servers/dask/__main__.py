"""A cluster for a person, until it is interrupted."""

import signal
import sys
from pathlib import Path

from tests.servers.dask import Cluster

if __name__ == "__main__":
    with Cluster(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2) as cluster:
        print(cluster.address, flush=True)  # noqa: T201
        signal.sigwait([signal.SIGINT, signal.SIGTERM])

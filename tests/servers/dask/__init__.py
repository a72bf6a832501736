"""A real Dask cluster on loopback: a scheduler and workers, each a process that can be killed.

    python -m tests.servers.dask FOLDER [WORKERS]

runs one until it is interrupted, and prints the scheduler's address.
"""

from tests.servers.dask.cluster import Cluster

__all__ = ["Cluster"]

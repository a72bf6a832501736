"""Beam's Prism on loopback, built from the Go module of the Beam that is installed: a job service, and workers for it.

    python -m tests.servers.prism

builds it (minutes, the first time) and prints where it is.
"""

from tests.servers.prism.service import JobService, WorkerPool, prism_binary

__all__ = ["JobService", "WorkerPool", "prism_binary"]

"""The embedded engine: one generation of an index in tantivy, in memory or in a folder.

Everything that knows tantivy is in here. Where an index lies, how one generation follows another and who may write is
the business of the adapters around it.
"""

from indexers.engine.engine import Engine

__all__ = ["Engine"]

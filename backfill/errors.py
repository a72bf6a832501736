"""The error tree of the backfill package.

BackfillError
+- OtherCatalog   a generation that was built with another catalog than it is to be held against
+- RepairFailed   documents that stay different however often they are written again
"""


class BackfillError(Exception):
    """Root of everything the backfill package raises."""


class OtherCatalog(BackfillError):
    """A generation that was built with another catalog than it is to be held against. Terminal."""

    def __init__(self, generation: str) -> None:
        super().__init__(
            f"Generation {generation} was built with another catalog than this one. Verify it with its own, or build a "
            "new generation with this one."
        )
        self.generation = generation


class RepairFailed(BackfillError):
    """Documents that stay different however often they are written again. Terminal: build the generation anew."""

    def __init__(self, generation: str, different: int, problem: str = "") -> None:
        why = f" ({problem.rstrip('.')})" if problem else ""
        super().__init__(
            f"{different:,} documents of generation {generation} are still not as the log says after they were written "
            f"again{why}. Build a new generation from the log."
        )
        self.generation = generation
        self.different = different

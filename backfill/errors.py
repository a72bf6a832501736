"""The error tree of the backfill package.

BackfillError
+- NoBackfill          there is none to go on with
+- UnfinishedBackfill  one is there already
+- OtherCatalog        a generation that was built with another catalog than it is to be held against
+- NotVerified         a generation is not what the log says: it is not made current
+- RepairFailed        documents that stay different however often they are written again
+- FallsBehind         more is published than a generation can follow
+- NoFormer            there is no generation to return to
"""

from backfill.report import Report


class BackfillError(Exception):
    """Root of everything the backfill package raises."""


class NoBackfill(BackfillError):
    """There is none to go on with. Terminal."""

    def __init__(self) -> None:
        super().__init__("there is no backfill to go on with; begin one: publog backfill start")


class UnfinishedBackfill(BackfillError):
    """One is there already. Terminal: finish it, or give it up."""

    def __init__(self, generation: str) -> None:
        super().__init__(
            f"the backfill of generation {generation} is not finished; go on with it (publog backfill resume, then"
            f" cutover), or give it up (publog backfill generations --remove {generation})"
        )
        self.generation = generation


class OtherCatalog(BackfillError):
    """A generation that was built with another catalog than it is to be held against. Terminal."""

    def __init__(self, generation: str) -> None:
        super().__init__(
            f"generation {generation} was built with another catalog than this one; verify it with its own, or build a "
            "new generation with this one"
        )
        self.generation = generation


class NotVerified(BackfillError):
    """A generation is not what the log says. Terminal: it has to be repaired first."""

    def __init__(self, report: Report) -> None:
        what = f"{report.different:,} documents differ" if report.different else f"it can't be read: {report.problem}"
        super().__init__(
            f"generation {report.generation} is not what the log says: {what}. Searches stay where they are."
            " See what differs: publog backfill verify; write it again from the log: publog backfill verify --repair"
        )
        self.report = report


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


class FallsBehind(BackfillError):
    """More is published than a generation can follow. Transient."""

    def __init__(self, generation: str, lag: int) -> None:
        super().__init__(
            f"generation {generation} stays {lag:,} offsets behind the live one; try again when less is published"
        )
        self.generation = generation
        self.lag = lag


class NoFormer(BackfillError):
    """There is no generation to return to. Terminal."""

    def __init__(self) -> None:
        super().__init__("there is no former generation to return to; see publog backfill generations")

"""The error tree of the backfill.

BackfillError
+- NoBackfill          there is none to go on with
+- UnfinishedBackfill  one is there already
+- NotVerified         a generation is not what the log says: it is not made current
+- FallsBehind         publishing is quicker than the generation follows
+- NoFormer            there is no generation to return to
"""

from backfill.verify import Report


class BackfillError(Exception):
    """Root of everything the backfill raises."""


class NoBackfill(BackfillError):
    """There is none to go on with. Terminal."""

    def __init__(self) -> None:
        super().__init__("no backfill was begun here; begin one: publog backfill start")


class UnfinishedBackfill(BackfillError):
    """One is there already. Terminal: finish it, or give it up."""

    def __init__(self, generation: str) -> None:
        super().__init__(
            f"the backfill of generation {generation} is not finished; go on with it (publog backfill resume),"
            f" or give it up (publog backfill generations --remove {generation})"
        )
        self.generation = generation


class NotVerified(BackfillError):
    """A generation is not what the log says. Terminal: it has to be repaired first."""

    def __init__(self, report: Report) -> None:
        super().__init__(
            f"generation {report.generation} is not what the log says: {report.different:,} documents differ;"
            " searches stay where they are. See them: publog backfill verify; write them again: publog backfill verify --repair"
        )
        self.report = report


class FallsBehind(BackfillError):
    """More is published than the generation can follow. Transient."""

    def __init__(self, generation: str, lag: int) -> None:
        super().__init__(
            f"generation {generation} stays {lag:,} messages behind the live one; try again when less is published"
        )


class NoFormer(BackfillError):
    """There is no generation to return to. Terminal."""

    def __init__(self) -> None:
        super().__init__("there is no former generation to return to; see publog backfill generations")

"""The error tree of the assets package.

AssetsError
+- TerminalError            trying again gives the same answer
|  +- InvalidUri            a URI that breaks the rule of its form
|  +- InvalidMessage        a message that the gateway refuses: field, rule
|  +- MissingReferences     references to assets that nobody published
|  +- Conflict              the asset moved on since the publisher looked
|  +- NotAllowed            a message of a kind that its publisher may not publish
|  +- UnreadableFile        a file of messages that is missing, cut short or not what its name says
|  +- SchemaProblem         one thing wrong with a schema; InvalidCatalog says where
|  +- InvalidCatalog        a catalog that cannot be used: every problem with file, line and remedy
|  +- IncompatibleSchema    a schema that can't read what the log holds
|  +- Undecodable           a payload in the log that cannot be read: code, reason
|  +- CorruptLog            the log's own order or marks are broken
|  +- UnusableLog           a log URL that names nothing we can open
+- TransientError           trying again may work
   +- LogBusy               another writer holds the log
   +- LogUnreachable        the log's server doesn't answer
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class AssetsError(Exception):
    """Root of everything the assets package raises."""


class TerminalError(AssetsError):
    """Trying again gives the same answer."""


class TransientError(AssetsError):
    """Trying again may work."""


class InvalidUri(TerminalError):
    """A URI that is not SCHEME://KIND/ID."""

    def __init__(self, uri: str, rule: str) -> None:
        super().__init__(f"{uri[:200]!r} is not an asset's URI: {rule}")
        self.uri = uri
        self.rule = rule


class InvalidMessage(TerminalError):
    """A message that the gateway refuses; `field` is a dotted path from the message's root."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}" if field else rule)
        self.field = field
        self.rule = rule


class MissingReferences(InvalidMessage):
    """References to assets that were never published."""

    def __init__(self, missing: Sequence[tuple[str, str]]) -> None:
        self.missing = tuple(missing)
        field, uri = self.missing[0]
        more = f" (and {len(self.missing) - 1} more)" if len(self.missing) > 1 else ""
        super().__init__(
            field,
            f"refers to {uri}, which nobody has published{more};"
            " publish it first or in the same transaction, or use --references hold or allow",
        )


class Conflict(InvalidMessage):
    """`expect` names an offset that is no longer the asset's last."""

    def __init__(self, uri: str, expected: int, present: int | None) -> None:
        now = "was never published" if present is None else f"is at offset {present} now"
        super().__init__("expect", f"{uri} {now}, not at {expected}; read it again and publish on top of that")
        self.uri = uri
        self.expected = expected
        self.present = present


class NotAllowed(InvalidMessage):
    """A message of a kind that its publisher may not publish."""

    def __init__(self, kind: str, allowed: Iterable[str]) -> None:
        super().__init__("kind", f"{kind} may not be published by this publisher, only {', '.join(sorted(allowed))}")
        self.kind = kind


@dataclass(frozen=True)
class CatalogProblem:
    """One thing wrong with a catalog: where, what, and what to do about it."""

    file: str
    line: int | None
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.problem}. {self.remedy}."


class InvalidCatalog(TerminalError):
    """A catalog that cannot be used, with all its problems."""

    def __init__(self, problems: Sequence[CatalogProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class IncompatibleSchema(TerminalError):
    """A kind's schema that can't read messages already in the log."""

    def __init__(self, kind: str, version: int, reason: str) -> None:
        super().__init__(
            f"kinds/{kind}.avsc can't read what the log holds under version {version} of {kind}: {reason}."
            " Give new fields a default and keep the types of old ones."
        )
        self.kind = kind
        self.version = version
        self.reason = reason


class Undecodable(TerminalError):
    """A payload that cannot be read. `code` is short and stable: dead letters are counted by it."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class CorruptLog(TerminalError):
    """The log's own order, marks or storage are broken."""


class UnusableLog(TerminalError):
    """A log URL that names nothing we can open."""


class UnreadableFile(TerminalError):
    """A file that can't be read to its end: what stood before the fault was read."""


class LogBusy(TransientError):
    """Another writer holds the log."""


class LogUnreachable(TransientError):
    """The log's server doesn't answer; its message says what became of what was being appended."""


class SchemaProblem(TerminalError):
    """One thing wrong with a schema; `needles` stand in its text where it is."""

    def __init__(self, problem: str, remedy: str, *needles: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.needles = needles
        self.line = line
        self.file: str | None = None
        """Where it is, when that is not the kind's present schema."""

"""The error tree of the denormalizer.

DenormalizerError
+- OutOfOrder    a message does not follow the one before it: the fold's result would be wrong
"""


class DenormalizerError(Exception):
    """Root of everything the denormalizer raises."""


class OutOfOrder(DenormalizerError):
    """A message was skipped. Terminal: read the log again from the offset the fold expects."""

    def __init__(self, offset: int, expected: int) -> None:
        super().__init__(f"message {offset} came where {expected} was due; read the log again from {expected}")
        self.offset = offset
        self.expected = expected

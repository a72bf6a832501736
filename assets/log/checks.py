"""Checks stored messages: what any log must hold, whatever keeps it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from assets.errors import InvalidUri
from assets.model import NEVER, Message, check_uri

_HEADER_BYTES: Final = 5
"""Confluent wire format: magic 0, then the schema's id."""


def problems_in(messages: Iterable[Message], kinds: Mapping[int, str]) -> Iterator[str]:
    """What is wrong with a log's messages from the first on, a sentence each; `kinds` is by schema id."""
    previous: Message | None = None
    for message in messages:
        place = f"offset {message.offset} ({message.uri})"
        last = NEVER if previous is None else previous.offset
        if message.offset <= last:
            yield f"{place} stands behind offset {last}."
        if previous is not None and not previous.tx_end and message.tx != previous.tx:
            yield f"{place} begins another transaction, but the one before it, {previous.tx}, has no end mark."
        reason = _payload_problem(message, kinds)
        if reason is not None:
            yield f"{place}: {reason}."
        previous = message
    if previous is not None and not previous.tx_end:
        yield f"offset {previous.offset} ({previous.uri}) is the last, but its transaction has no end mark."


def _payload_problem(message: Message, kinds: Mapping[int, str]) -> str | None:
    try:
        kind = check_uri(message.uri)
    except InvalidUri as error:
        return str(error)
    if message.value is None:
        return None
    if len(message.value) < _HEADER_BYTES or message.value[0] != 0:
        return "its value is not in Confluent wire format (a zero byte, four bytes of schema id, the payload)"
    schema = int.from_bytes(message.value[1:_HEADER_BYTES], "big")
    if schema not in kinds:
        return f"its schema {schema} was never registered"
    if kinds[schema] != kind:
        return f"its schema {schema} is of kind {kinds[schema]}"
    return None

"""From a publication to a log of it."""

from collections.abc import Sequence

from assets.log import Log, open_log
from assets.model import Draft, Message, Transaction
from tests.support.building import Publication


def write_log(publication: Publication, url: str) -> Log:
    """A log of the publication's messages, its schemas under the ids that the payloads name."""
    log = open_log(url)
    register(log, publication)
    append(log, publication.messages)
    return log


def register(log: Log, publication: Publication) -> None:
    for schema in publication.schemas:
        assert log.register_schema(schema.kind, schema.text).id == schema.id


def append(log: Log, messages: Sequence[Message]) -> None:
    """Whole transactions, at the end."""
    with log.writing():
        log.append(transactions(messages))


def transactions(messages: Sequence[Message]) -> list[Transaction]:
    found: list[Transaction] = []
    drafts: list[Draft] = []
    for message in messages:
        drafts.append(Draft(message.uri, message.time, message.id, message.value))
        if message.tx_end:
            found.append(Transaction(message.tx, drafts))
            drafts = []
    assert not drafts, "it ends with a transaction"
    return found

"""Every bound of the assets package, with its unit."""

from typing import Final

URI_ID_CHARACTERS_MAX: Final = 512
"""Characters in the ID part of an asset's URI."""

KEY_CHARACTERS_MAX: Final = 256
"""Characters in a message's `id` and in its `tx`."""

LINE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of one JSON line handed to the gateway, decompressed, its line end not counted."""

MESSAGE_BYTES_MAX: Final = 1_000_000
"""Bytes of one encoded payload: what a Kafka broker takes in its default settings, with room for headers."""

REFERENCES_PER_ASSET_MAX: Final = 10_000
"""References in one asset, repeated ones counted each time."""

TRANSACTION_MESSAGES_MAX: Final = 10_000
"""Messages of one transaction."""

TRANSACTION_BYTES_MAX: Final = 64 * 1024 * 1024
"""Encoded bytes of one transaction."""

HELD_MESSAGES_MAX: Final = 100_000
"""Messages kept aside by the references policy `hold`."""

IMPORT_BATCH_MESSAGES: Final = 4_096
"""Messages that a bulk import validates and appends at a time: one durable write for all of them."""

IMPORT_BATCH_BYTES: Final = 16 * 1024 * 1024
"""Bytes of JSON lines that a bulk import takes at a time, whichever of the two is reached first."""

SCHEMA_DEPTH_MAX: Final = 32
"""Nested types in one kind's schema."""

FOLLOW_POLL_SECONDS: Final = 0.01
"""How often a reader of the embedded log looks for appends of another process."""

WRITER_WAIT_SECONDS_MAX: Final = 30.0
"""How long a writer waits for its turn. Bulk imports hold the log for a tenth of a second at a time."""

WRITER_RETRY_SECONDS_MAX: Final = 0.005
"""How long a writer sleeps at most before it tries again to get its turn."""

READ_MESSAGES: Final = 256
"""Messages that a reader of the embedded log takes from the database at a time."""

WAL_BYTES: Final = 32 * 1024 * 1024
"""About how much a writer of the embedded log lets the write-ahead log grow before it moves it into the database."""

LOG_PROBLEMS_MAX: Final = 100
"""Sentences that the verification of a log gives before it stops."""

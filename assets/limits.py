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

KAFKA_WAIT_SECONDS_MAX: Final = 10.0
"""How long one exchange with Kafka may take, its client's own retries included, before it counts as unreachable."""

KAFKA_TRANSACTION_SECONDS_MAX: Final = 60
"""After how long the broker ends a transaction whose writer was lost: until then readers see nothing behind it."""

KAFKA_POLL_SECONDS: Final = 0.01
"""How long who waits for Kafka sleeps before it looks again, and how long the broker may hold back an empty answer."""

KAFKA_FOLLOW_SECONDS: Final = 0.5
"""How long the broker holds back its answer to a follower while nothing is published; a message is told at once."""

KAFKA_FOLLOW_BYTES: Final = 1024 * 1024
"""Bytes that a follower of a log on Kafka takes before it is asked for them."""

KAFKA_FOLLOW_OFFSETS: Final = 1_024
"""Offsets over which a follower reads to where it is to wait, before it asks for that place anew."""

KAFKA_READ_MESSAGES: Final = 1_000
"""Messages that a reader of a log on Kafka takes from its client at a time; their bytes are bounded by what is fetched."""

KAFKA_RETRY_SECONDS_MAX: Final = 0.2
"""How long one who asks Kafka sleeps at most before it asks again."""

KAFKA_RECORD_BYTES_MAX: Final = 1_048_576
"""Bytes of one record with its key and headers: below what a broker takes in its default settings."""

KAFKA_QUEUE_BYTES: Final = 32 * 1024 * 1024
"""Bytes that a reader of a log on Kafka fetches ahead."""

KAFKA_INDEX_BATCH: Final = 8_192
"""Messages that the index beside a log on Kafka takes from its topic in one transaction."""

KAFKA_HISTORY_GAP: Final = 64
"""Messages of other assets that a history reads over before it asks for the next place instead."""

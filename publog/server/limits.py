"""Every bound of the server, with its unit."""

from typing import Final

READY_LAG_MESSAGES_MAX: Final = 1_000
"""How far the index may be behind the log while the server still calls itself ready."""

REQUESTS_MAX: Final = 128
"""Requests at work at a time; the next one is told to come back."""

THREADS_MAX: Final = 16
"""Requests that read the log or the index at a time; the others wait for their turn."""

PARAMETERS_MAX: Final = 200
"""Parameters of one request, repeated ones counted each time."""

REQUEST_ID_CHARACTERS_MAX: Final = 128
"""Characters of a request's id that is taken over from whoever asks."""

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of one body: as it comes, and again as it is when it was decompressed."""

BODY_MEMORY_BYTES: Final = 1024 * 1024
"""Bytes of one body that are kept in memory; what is beyond goes to a temporary file."""

BODY_SECONDS_MAX: Final = 60.0
"""How long a body may take to come in."""

JSON_DEPTH_MAX: Final = 64
"""Brackets inside each other in one message: a schema allows 32 types inside each other, a map or array two each."""

WAIT_SECONDS: Final = 10
"""How long a search waits for an offset when nothing else is said."""

WAIT_SECONDS_MAX: Final = 60
"""How long a search may be told to wait for an offset."""

WAIT_POLL_SECONDS: Final = 0.02
"""How often a search that waits looks how far the index is."""

VERSIONS_MAX: Final = 100
"""Versions that one history gives."""

DEPENDENTS_MAX: Final = 1_000
"""Views that are named as touched; all of them are counted."""

REHEARSED_MESSAGES_MAX: Final = 1_000
"""Lines of one dry run."""

STOP_SECONDS_MAX: Final = 10
"""How long requests at work are waited for when the server is to end."""

RETRY_AFTER_SECONDS: Final = 1
"""When to come again, for whoever is sent away."""

STREAM_BACKOFF_SECONDS: Final = 0.5
"""Before a stream that died is started again; doubled each time it dies at once."""

STREAM_BACKOFF_SECONDS_MAX: Final = 30.0
"""The longest time before a stream is started again."""

STREAM_STEADY_SECONDS: Final = 60.0
"""A stream that ran so long did not die at once."""

STREAM_STOP_SECONDS_MAX: Final = 20.0
"""How long a stream may take to end before it is killed: it writes what it writes to its end."""

NYT_PAGE_HITS: Final = 10
"""Hits on a page of Article Search."""

NYT_PAGE_MAX: Final = 100
"""The last page of Article Search that is given; the first is 0."""

NYT_FACETS_MAX: Final = 5
"""Facets of one request to Article Search."""

NYT_FACET_TERMS: Final = 5
"""Terms that Article Search gives of a facet."""

NYT_MONTH_STORIES_MAX: Final = 20_000
"""Stories of one month that the Archive gives: they are one answer."""

NEWSWIRE_LIMIT_MAX: Final = 20
"""Items that the Times Newswire gives at a time."""

NEWSWIRE_HOURS_MAX: Final = 720
"""How far back a request to the Times Newswire may ask."""

GUARDIAN_PAGE_SIZE_MAX: Final = 200
"""Results on a page of the Guardian's API."""

GUARDIAN_IDS_MAX: Final = 50
"""Ids of one request to the Guardian's API."""

TAGS_MEANT_MAX: Final = 500
"""Tags that one value of a filter may mean: each becomes a condition of its own."""

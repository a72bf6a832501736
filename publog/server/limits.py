"""Every bound of the server, with its unit."""

from typing import Final

READY_LAG_MESSAGES_MAX: Final = 1_000
"""How far the index may be behind the log while the server still calls itself ready."""

CONNECTIONS_MAX: Final = 512
"""Connections at a time; requests on more are told to come back."""

HEAD_SECONDS_MAX: Final = 20.0
"""How long the head of a request may take to come in, and a new connection to begin one."""

UNREAD_SECONDS_MAX: Final = 60.0
"""How long whoever asked may leave what was sent unread."""

REQUESTS_MAX: Final = 128
"""Requests at work at a time; the next one is told to come back."""

THREADS_MAX: Final = 16
"""Requests that read the log or the index at a time; the others wait for their turn."""

KEY_RATE: Final = "30000/minute"
"""Requests of a key in a time when it was made without a rate of its own."""

SEARCHES_MIN: Final = 2
"""Searches at a time where there is one processor, so that a slow one does not keep all others waiting."""

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

CATCH_UP_SECONDS_MAX: Final = 2.0
"""How long who asks for dependents waits for an index that is behind the log; then they are those that it knows."""

WAIT_POLL_SECONDS: Final = 0.02
"""How often a search that waits looks how far the index is."""

CHANGES_DEFAULT: Final = 500
"""View records of a page of the change feed when nothing else is said."""

CHANGES_MAX: Final = 1_000
"""View records of a page of the change feed."""

CHANGES_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of the view records of such a page; a longer record makes a page of its own."""

CHANGES_WAIT_SECONDS: Final = 4
"""How long a page of the change feed waits for a change when nothing else is said: common clients give up after 5."""

POSITION_CHARACTERS_MAX: Final = 8_192
"""Characters of a position in the change feed: a percent-encoded URI and what stands before it."""

FEEDS_MAX: Final = 64
"""Event streams of the change feed at a time."""

FEED_CHANGES: Final = 100
"""View records that an event stream reads at a time."""

FEED_BYTES: Final = 1024 * 1024
"""Bytes of the view records that an event stream reads at a time."""

FEED_BEAT_SECONDS: Final = 15.0
"""How often a silent event stream shows that it is alive, and looks whether its key still is."""

FEED_RETRY_MILLISECONDS: Final = 1_000
"""When a browser comes back to an event stream that ended."""

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

LOG_LINES_MAX: Final = 10_000
"""Lines of the server's log that wait for whoever reads standard error; more are lost, and counted."""

LOG_STOP_SECONDS_MAX: Final = 1.0
"""How long the end of the server waits for its log to be read."""

STREAM_BACKOFF_SECONDS: Final = 0.5
"""Before a stream that died is started again; doubled each time it dies at once."""

STREAM_BACKOFF_SECONDS_MAX: Final = 30.0
"""The longest time before a stream is started again."""

STREAM_LINE_BYTES_MAX: Final = 65_536
"""Bytes of one line that the stream says; a longer one becomes several."""

STREAM_STEADY_SECONDS: Final = 60.0
"""A stream that ran so long did not die at once."""

STREAM_STOP_SECONDS_MAX: Final = 20.0
"""How long a stream may take to end before it is killed: it writes what it writes to its end."""

LOG_PAGE_MAX: Final = 500
"""Messages of the log that are given at a time."""

SESSIONS_MAX: Final = 1_000
"""People signed in at a time; who signed in first is forgotten first."""

SESSION_SECONDS_MAX: Final = 12 * 3600
"""How long somebody stays signed in."""

FORM_FIELDS_MAX: Final = 64
"""Fields of a form, repeated ones counted each time."""

FORM_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of a form; percent-encoded, an asset takes up to three times its bytes."""

PARTS_DATED_MAX: Final = 500
"""Parts of a view that are told with the time of their message."""

STORIES_MAX: Final = 100
"""Stories of a feed."""

NEWS_URLS_MAX: Final = 1_000
"""Addresses in a news sitemap: as many as search engines take."""

NEWS_DAYS: Final = 2
"""Days whose stories stand in a news sitemap when nothing else is said."""

NEWS_DAYS_MAX: Final = 366
"""Days that a news sitemap may be asked for."""

BACKFILL_LINES_MAX: Final = 200
"""Lines that are kept of what a backfill says, the last ones."""

BACKFILL_REPORT_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes that are read of what a backfill answers."""

BACKFILL_STOP_SECONDS_MAX: Final = 10.0
"""How long a backfill may take to end before it is killed; it can be gone on with either way."""

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

STANDING_SECONDS_MAX: Final = 4.0
"""How long metrics wait for the log and the index: Prometheus waits for 10 s, and wants the others."""

"""Every bound of the pipeline, with its unit."""

from typing import Final

MICRO_BATCH_MESSAGES: Final = 10_000
"""Messages applied at a time, where the log is further ahead; the end of a transaction comes on top."""

BULK_MESSAGES: Final = 1_000
"""Messages at a time from which on Python's cycle collector is kept out of the way."""

WRITE_VIEWS: Final = 1_000
"""Views written to the index at a time."""

WRITE_BYTES: Final = 16 * 1024 * 1024
"""Bytes of content written to the index at a time, about."""

BACKLOG_VIEWS: Final = 400
"""Views that wait behind fresh edits, brought up to date at a time: what a fresh edit may have to wait for. Fewer are
more commits for the same fan-out, more are a longer wait."""

IDLE_SECONDS: Final = 0.25
"""How long a stream waits for the log at a time before it looks whether it shall stop."""

BUNDLE_SECONDS: Final = 10.0
"""How long Beam is kept in one bundle: its runner keeps about 28 kB of each."""

BUNDLES_MAX: Final = 360
"""Bundles before a new Beam pipeline takes over, which frees what the former kept: 10 MB, an hour."""

GENERATION_CHECK_SECONDS: Final = 0.2
"""How often a stream looks whether the index has come to be of another generation."""

HAND_OVER_SECONDS: Final = 0.05
"""How often a stream tries to take a generation over that was made current."""

HAND_OVER_SECONDS_MAX: Final = 60.0
"""How long it tries before it takes it that somebody else fills that generation."""

ATTEMPTS_MAX: Final = 5
"""How often a stream is started again behind a failure that may pass, without a commit in between."""

ATTEMPT_SECONDS: Final = 0.5
"""Before the first of these starts; twice as long before each further one, and up to as much again by chance."""

REPLAY_SECONDS_MAX: Final = 60.0
"""How long a replay waits for the stream that is asked to do it."""

ENDPOINT_SECONDS_MAX: Final = 10
"""How long a job service or a scheduler may take to answer for the first time."""

JOB_SECONDS_MAX: Final = 10 * 365 * 86_400
"""How long Beam's driver may wait for a job."""

WATCH_SECONDS: Final = 0.25
"""How often it is looked how far a stream of a runner's workers is, and whether it shall stop."""

CANCEL_SECONDS_MAX: Final = 15.0
"""How long a cancelled job may take to end."""

PRISM_IDLE_SECONDS_MAX: Final = 60
"""How long a Prism that was started for a job stays without one."""

FILLED_CHECK_SECONDS: Final = 0.5
"""How often a stream of one shard looks whether the first one has filled the index."""

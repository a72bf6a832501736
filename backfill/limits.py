"""Every bound of the backfill, with its unit."""

from typing import Final

PART_VIEWS: Final = 20_000
"""Views between two checkpoints of a shard: at most so many are made again when it was killed."""

ROUNDS_MAX: Final = 50
"""How often a generation catches up with the live one before it is said to fall behind."""

HAND_OVER_SECONDS_MAX: Final = 5.0
"""How long a switch waits for the stream that fills the former generation to notice it."""

HAND_OVER_STEP_SECONDS: Final = 0.02
"""How often it looks."""

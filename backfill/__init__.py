"""Rebuilding from message zero: what it will take and change, told before it starts, and whether the outcome is right.

Verification is independent of the build: it recomputes each view from the messages of the assets that the view needs,
one view at a time, and never through the fold that made the index.
"""

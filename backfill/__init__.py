"""Rebuilding from message zero. So far the part that everything else will lean on: proving an index against the log.

Verification is independent of the build: it recomputes each view from the messages of the assets that the view needs,
one view at a time, and never through the fold that made the index.
"""

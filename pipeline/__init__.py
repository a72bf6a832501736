"""The join at scale: an Apache Beam pipeline reads the log, drives the fold shard by shard, and fills the index.

Beam moves block descriptors ("messages 0 to END, shard 2 of 5"), never payloads; each shard reads the one log itself.
What a view is, is decided in the denormalizer; what search is, in the indexers.
"""

"""The stream: the batch's work over a log without end, in micro-batches, beside whoever publishes and searches.

An unbounded Beam source says how far the log reaches; each shard folds up to there out of the log and brings the index
up to date. Nothing here is durable but a cache: where a stream stands is what the index says, and the log.
"""

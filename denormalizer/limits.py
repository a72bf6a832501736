"""Every bound of the denormalizer, with its unit."""

from typing import Final

VIEW_NODES_MAX: Final = 50_000
"""Assets looked up for one view, repeated ones counted each time."""

VIEW_BYTES_MAX: Final = 10 * 1024 * 1024
"""Bytes of one view's content, about: what is cut is the expansion that would go beyond."""

PENDING_VERSIONS_MAX: Final = 8
"""Versions of another shard's asset kept undecoded: each might be the last that can be read."""

SUBTREES_KEPT_MAX: Final = 100_000
"""Expanded subtrees kept for other views during one emission."""

SUBTREES_KEPT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of their content."""

AS_OF_ASSETS_MAX: Final = 10_000
"""Assets kept by what computes views one by one at a watermark; when there are more, all are read again."""

KEPT_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of rendered assets and expanded subtrees that the compiled fold keeps of one view for the next."""

EMITTED_BYTES_MAX: Final = 1024 * 1024
"""Bytes of views after which a part of an emission is given out."""

PAYLOAD_CHUNK_BYTES: Final = 8 * 1024 * 1024
"""Bytes of payloads that the compiled fold puts into a file together."""

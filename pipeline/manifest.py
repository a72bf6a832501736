"""The manifest that a finished job leaves: it is what counts, and no runner's word."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from pipeline.job import Manifest, ShardResult
from pipeline.shard import whole


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Leave a manifest, whole."""
    with whole(path) as file:
        file.write(orjson.dumps(asdict(manifest)))


def read_manifest(path: Path) -> Manifest | None:
    """The manifest of a job, None where it left none."""
    try:
        fields: dict[str, Any] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return Manifest(fields["job"], fields["last"], [ShardResult(**shard) for shard in fields["shards"]])

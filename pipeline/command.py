"""What `python -m pipeline` does: `--log URL --index URL [--catalog DIR] [--shards N] [--folder DIR] [Beam options]` is a batch."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from assets.errors import AssetsError
from assets.fixing import catalog_of
from assets.log import open_log
from indexers.errors import IndexersError
from pipeline.errors import PipelineError, UnusableJob
from pipeline.options import PublogOptions
from pipeline.run import run_batch


def main(arguments: list[str]) -> int:
    """Run a batch; prints its manifest as JSON and returns an exit code: 0 done, 1 something is wrong, 2 used wrongly."""
    options: Any = PipelineOptions(arguments)
    settings = options.view_as(PublogOptions)
    runner: str | None = options.view_as(StandardOptions).runner
    try:
        if not settings.log or not settings.index:
            raise UnusableJob("name the log and the index: --log sqlite:PATH --index jsonl:PATH")
        with closing(open_log(settings.log, create=False)) as log, TemporaryDirectory() as temporary:
            manifest = run_batch(
                log=log.url,
                index=settings.index,
                catalog=catalog_of(log, Path(settings.catalog) if settings.catalog else None),
                folder=Path(settings.folder or temporary),
                shards=settings.shards,
                runner=runner,
                options=arguments,
            )
    except UnusableJob as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except (AssetsError, IndexersError, PipelineError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.buffer.write(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2) + b"\n")
    return 1 if manifest.dead_letters() else 0

"""The pipeline's own options among Beam's, for `python -m pipeline`."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false
import argparse

from apache_beam.options.pipeline_options import PipelineOptions


class PublogOptions(PipelineOptions):
    """What a batch needs to know beside what Beam does."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        parser.add_argument("--log", metavar="URL", help="The log to read: sqlite:PATH.")
        parser.add_argument("--index", metavar="URL", help="The index to fill: tantivy:PATH, jsonl:PATH.")
        parser.add_argument(
            "--catalog", metavar="DIR", help="The catalog; the log's own, or the newsroom's, without it."
        )
        parser.add_argument("--shards", metavar="N", type=int, default=1, help="Parts that run side by side.")
        parser.add_argument("--folder", metavar="DIR", help="Where the job works and leaves its dead letters.")

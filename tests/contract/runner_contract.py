"""What publog's graph needs of a Beam runner; those who run it elsewhere get this wrong in ways of their own."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from pipeline.here import HERE_NAMES
from pipeline.runners import Choice, elsewhere
from pipeline.submission import reason, running
from tests.support.runner_steps import Count, Gather, Leave

SHARDS = 5
SLOW_ELEMENTS = 8
SLOW_SECONDS = 0.3
"""Without `prism_disable_sdf_split` Prism counts to 4 with these."""


class RunnerContract:
    """Subclasses give the runner's name and its options."""

    runner = ""
    is_stateful = True

    @pytest.fixture
    def options(self) -> list[str]:
        return []

    def run(self, build: Callable[[beam.Pipeline], Any], options: Sequence[str]) -> None:
        is_here = self.runner in HERE_NAMES
        choice = Choice(FnApiRunner(), []) if is_here else elsewhere(self.runner, options, ())
        pipeline = beam.Pipeline(runner=choice.runner, options=PipelineOptions(choice.options))
        build(pipeline)
        with running(pipeline) as result:
            result.wait_until_finish()

    def test_each_shard_is_done_and_the_last_step_has_all_their_rows_once(
        self, options: list[str], tmp_path: Path
    ) -> None:
        self.run(lambda pipeline: chain(pipeline, tmp_path), options)
        left = {path.name: path.read_text() for path in tmp_path.glob("part-*")}
        assert left == {f"part-{shard}": "done\n" for shard in range(SHARDS)}
        assert [json.loads(line) for line in (tmp_path / "gathered").read_text().splitlines()] == [
            ["the job", list(range(SHARDS))]
        ]

    def test_a_shard_that_fails_fails_the_job_in_its_own_words(self, options: list[str], tmp_path: Path) -> None:
        with pytest.raises(Exception, match="this shard can't be done") as raised:
            self.run(lambda pipeline: chain(pipeline, tmp_path, failing=2), options)
        assert "this shard can't be done" in reason(raised.value)
        assert not (tmp_path / "gathered").exists()

    def test_the_elements_of_a_key_come_one_after_the_other_however_slow(
        self, options: list[str], tmp_path: Path
    ) -> None:
        if not self.is_stateful:
            return

        def build(pipeline: beam.Pipeline) -> None:
            elements = [("key", number) for number in range(SLOW_ELEMENTS)]
            _ = pipeline | beam.Create(elements) | beam.Reshuffle() | beam.ParDo(Count(str(tmp_path), SLOW_SECONDS))

        self.run(build, options)
        counts = {int(path.read_text()) for path in tmp_path.glob("count-*")}
        assert counts == set(range(1, SLOW_ELEMENTS + 1))


def chain(pipeline: beam.Pipeline, folder: Path, failing: int = -1) -> None:
    """As `pipeline.batch.build` puts it."""
    _ = (
        pipeline
        | "Block descriptors" >> beam.Create([{"shard": shard} for shard in range(SHARDS)])
        | "Spread over workers" >> beam.Reshuffle()
        | "Denormalize" >> beam.ParDo(Leave(str(folder), failing))
        | "Gather the job's rows" >> beam.GroupByKey()
        | "Index" >> beam.ParDo(Gather(str(folder)))
    )

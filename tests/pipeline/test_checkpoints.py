"""A shard that leaves parts behind it goes on from its checkpoint, and ends in the same bytes."""

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.dead_letters import parse_letters
from pipeline.job import Block, Job, ShardResult
from pipeline.shard import fold_shard, read_checkpoint
from tests.support.building import Publication
from tests.support.logs import write_log
from tests.support.strategies import publications


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


def job_of(publication: Publication, log: str, folder: Path, part_views_max: int) -> Job:
    folder.mkdir(parents=True, exist_ok=True)
    last = len(publication.messages) - 1
    return Job(
        id="job",
        log=log,
        index="",
        catalog=publication.files,
        last=last,
        shards=2,
        folder=str(folder),
        dead_letters="",
        part_views_max=part_views_max,
    )


def killed_behind(steps: int) -> Callable[[Path, Path], Path]:
    """`Path.replace`, by which every file comes to its name, for so many times."""
    original = Path.replace
    left = iter(range(steps))

    def replace(path: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise Killed
        return original(path, target)

    return replace


def written(job: Job, result: ShardResult) -> tuple[bytes, set[int]]:
    numbers = range(result.parts)
    views = b"".join(job.place.part(result.shard, number).read_bytes() for number in numbers)
    letters = {letter.offset for number in numbers for letter in parse_letters(job.place.letters(result.shard, number))}
    return views, letters


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(publications(), st.integers(1, 4), st.integers(0, 20))
def test_a_shard_killed_behind_any_step_goes_on_to_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, publication: Publication, part_views_max: int, steps: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("shard")
    with closing(write_log(publication, f"sqlite:{tmp_path / 'log.sqlite'}")) as opened:
        log = opened.url
    once = job_of(publication, log, tmp_path / "once", 0)
    parted = job_of(publication, log, tmp_path / "parted", part_views_max)
    for shard in range(2):
        block = Block(shard, 2, once.last)
        expected = fold_shard(once, block)
        assert expected.parts == 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "replace", killed_behind(steps))
            with suppress(Killed):
                fold_shard(parted, block)
        before = read_checkpoint(parted.place.checkpoint(shard))
        kept = [parted.place.part(shard, number).stat().st_ino for number in range(before.parts)]
        result = fold_shard(parted, block)
        assert [parted.place.part(shard, number).stat().st_ino for number in range(before.parts)] == kept, "not again"
        assert written(parted, result) == written(once, expected)
        assert (result.views, result.bytes, result.bounded) == (expected.views, expected.bytes, expected.bounded)
        assert result.dead_letters == expected.dead_letters
        assert fold_shard(parted, block) == result

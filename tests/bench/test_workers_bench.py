"""The bench of workers at a size where time means nothing: all of them must make the same views."""

from pathlib import Path

import psutil
import pytest

from bench.measuring import Failed
from bench.workers import DASK, DASK_FINER, ONE_PROCESS, TWO_PROCESSES, WorkersBench, show
from tests.support.newsroom import Json

pytestmark = pytest.mark.servers

MESSAGES = 1_000


def test_all_make_the_same_views_and_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = WorkersBench(tmp_path, MESSAGES)
    said: list[str] = []
    found = bench.measure(1, said.append)
    assert found.messages == MESSAGES
    assert found.seconds.keys() == {ONE_PROCESS, TWO_PROCESSES, DASK, DASK_FINER}
    assert all(len(took) == 1 and took[0] > 0 for took in found.seconds.values())
    assert f"\n{ONE_PROCESS} " in show(found)
    left = [one.pid for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or [])]
    assert left == [], "the cluster is gone"
    # Views that differ are no measurement.
    lines = bench._lines

    def one_less(name: str) -> list[Json]:
        return lines(name)[name == DASK :]

    monkeypatch.setattr(bench, "_lines", one_less)
    monkeypatch.setattr(bench, "_run", lambda _: 1.0)
    with pytest.raises(Failed, match="made other views than one process"):
        bench.measure(1, said.append)

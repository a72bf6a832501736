"""`memory:` keeps the index contract."""

from pathlib import Path

from indexers import Query, open_index
from tests.contract.index_contract import IndexContract
from tests.contract.index_newsroom import CATALOG, story, write_part


class TestMemoryIndex(IndexContract):
    def make_url(self) -> str:
        return "memory:"


def test_a_name_is_one_index_in_the_process_and_no_name_an_own(tmp_path: Path) -> None:
    part = write_part(tmp_path / "part", [story(1)])
    open_index("memory:contract").load([part], catalog=CATALOG, applied_through=1)
    assert open_index("memory:contract").search(Query()).total == 1
    assert open_index("memory:other").info().applied_through == -1
    open_index("memory:").load([part], catalog=CATALOG, applied_through=1)
    assert open_index("memory:").info().applied_through == -1

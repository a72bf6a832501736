"""`tantivy:PATH` keeps the index contract, and its folder in order."""

import itertools
import shutil
from pathlib import Path

import pytest

from indexers import Index, Query, open_index
from indexers.errors import CorruptIndex, EngineFailed, IndexBusy, UnusableIndex
from indexers.generations import FORMAT
from tests.contract.index_contract import FileIndexContract
from tests.contract.index_newsroom import CATALOG, story


class TestTantivyIndex(FileIndexContract):
    numbers = itertools.count()

    def make_url(self) -> str:
        return f"tantivy:{self.tmp_path / f'index-{next(self.numbers)}'}"

    def left_behind(self, index: Index) -> list[Path]:
        folder = Path(index.url.removeprefix("tantivy:"))
        files = {"current", "lock", "generations", "lease", "lease.lock"}
        others = [path for path in folder.iterdir() if path.name not in files]
        current = index.info().generation
        return others + [path for path in (folder / "generations").iterdir() if path.name != current]

    def test_one_generation_lies_there_after_any_number_of_loads(self) -> None:
        index = self.new([story(1)])
        for _ in range(3):
            self.load(index, [story(1)])
        (generation,) = Path(index.url.removeprefix("tantivy:"), "generations").iterdir()
        assert generation.name == index.info().generation

    def test_a_commit_killed_before_its_last_step_does_not_hinder_the_next(self) -> None:
        index = self.new([story(number) for number in range(9)])
        index.write([story(1, version=1)], applied_through=1)
        index.close()
        (generation,) = Path(index.url.removeprefix("tantivy:"), "generations").iterdir()
        before = shutil.copytree(generation, self.tmp_path / "before")
        index.write([story(2, version=2)], applied_through=2)
        index.close()
        for file in before.iterdir():
            if file.name == "meta.json" or not (generation / file.name).exists():
                shutil.copy2(file, generation)
        again = open_index(index.url)
        assert again.info().applied_through == 1
        again.write([story(2, version=3)], applied_through=3)
        again.close()
        assert (index.info().applied_through, index.info().live["story"]) == (3, 9)

    def test_a_folder_with_other_things_in_it_is_not_taken(self) -> None:
        (self.tmp_path / "thesis.txt").write_text("years of work")
        index = open_index(f"tantivy:{self.tmp_path}")
        with pytest.raises(UnusableIndex, match=r"thesis\.txt"):
            index.load([], catalog=CATALOG, applied_through=0)

    def test_a_file_is_no_index(self) -> None:
        (self.tmp_path / "file").write_text("")
        index = open_index(f"tantivy:{self.tmp_path / 'file'}")
        with pytest.raises(UnusableIndex):
            index.load([], catalog=CATALOG, applied_through=0)
        with pytest.raises(UnusableIndex):
            index.search(Query())

    @pytest.mark.parametrize("damage", ["generation.json", "meta.json"])
    def test_a_damaged_generation_is_told_and_loaded_again(self, damage: str) -> None:
        index = self.new([story(1)])
        index.close()
        (file,) = self.tmp_path.rglob(damage)
        file.write_text("{")
        with pytest.raises(CorruptIndex, match="Load it again"):
            open_index(index.url).search(Query())
        again = open_index(index.url)
        self.load(again, [story(2)])
        assert again.search(Query()).total == 1
        again.close()

    @pytest.mark.parametrize("damage", ["generation.json", "meta.json"])
    def test_a_damaged_generation_is_listed_and_not_made_current(self, damage: str) -> None:
        index = self.new([story(1)])
        name = self.build(index, [story(2)], 1)
        index.close()
        Path(index.url.removeprefix("tantivy:"), "generations", name, damage).write_text("{")
        again = self.again(index)
        assert {info.name: info.complete for info in again.generations()} == {
            index.info().generation: True,
            name: False,
        }
        with pytest.raises((CorruptIndex, EngineFailed)):
            self.switch(again, name)
        assert list(again.scan()) == [story(1)]
        again.remove(name)
        assert self.left_behind(again) == []

    def test_who_follows_a_switch_lets_go_of_what_it_wrote_before(self) -> None:
        index = self.new([story(1)])
        old = index.info().generation
        index.write([story(2)], applied_through=2)
        other = self.again(index)
        self.switch(other, self.build(other, [story(3)], 3))
        with pytest.raises(IndexBusy):
            other.remove(old)
        index.write([story(4)], applied_through=4)
        other.remove(old)
        assert sorted(other.scan()) == [story(3), story(4)]

    def test_an_index_of_another_format_is_not_misread(self) -> None:
        index = self.new([story(1)])
        index.close()
        (file,) = self.tmp_path.rglob("generation.json")
        file.write_bytes(file.read_bytes().replace(b'"format":%d' % FORMAT, b'"format":99'))
        with pytest.raises(UnusableIndex, match="format 99"):
            open_index(index.url).search(Query())

"""`jsonl:PATH` keeps the index contract; its file is records and nothing else, and agrees with its description."""

import itertools
import os
from pathlib import Path

import pytest

from indexers import Index, Query, open_index
from indexers.errors import CorruptIndex, InvalidRecord, UnusableIndex
from tests.contract.index_contract import FileIndexContract
from tests.contract.index_newsroom import CATALOG, gone, story, write_part


class TestJsonlIndex(FileIndexContract):
    numbers = itertools.count()
    many = 3_000  # it searches by the same engine as memory: does

    def make_url(self) -> str:
        return f"jsonl:{self.tmp_path / f'views-{next(self.numbers)}.jsonl'}"

    def left_behind(self, index: Index) -> list[Path]:
        name = self.path(index.url).name
        current = index.info().generation
        known = {name, f"{name}.meta.json", f"{name}.lock", f"{name}.lease", f"{name}.lease.lock", f"{current}.lock"}
        paths = self.tmp_path.rglob("*")
        return [
            path
            for path in paths
            if path.name not in known
            and path.name != f"{name}.generations"
            and (path.name.startswith(name) or path.parent.name == f"{name}.generations")
        ]

    def path(self, url: str) -> Path:
        return Path(url.removeprefix("jsonl:"))

    def test_the_file_is_the_records_one_per_line(self) -> None:
        views = [story(1), gone(story(2)), story(3)]
        index = self.new(views)
        assert sorted(self.path(index.url).read_bytes().splitlines()) == sorted(view.to_line() for view in views)
        index.write([gone(story(3), 4), story(5)], applied_through=4)
        expected = [story(1), gone(story(2)), gone(story(3), 4), story(5)]
        assert sorted(self.path(index.url).read_bytes().splitlines()) == sorted(view.to_line() for view in expected)

    def test_parts_come_in_order_and_the_first_is_moved(self) -> None:
        index = self.new()
        parts = [write_part(self.tmp_path / f"part-{number}", [story(number)]) for number in range(3)]
        index.load(parts, catalog=CATALOG, applied_through=0)
        assert list(index.scan()) == [story(0), story(1), story(2)]
        assert [part.exists() for part in parts] == [False, True, True]

    @pytest.mark.parametrize("change", ["appended", "touched", "replaced"])
    def test_a_file_changed_behind_its_back_is_told(self, change: str) -> None:
        index = self.new([story(1)])
        path = self.path(index.url)
        if change == "appended":
            with path.open("ab") as file:
                file.write(story(2).to_line() + b"\n")
        elif change == "touched":
            os.utime(path)
        else:
            write_part(path, [story(2)])
        for use in (index.info, index.scan, lambda: index.search(Query())):
            with pytest.raises(CorruptIndex, match=r"meta\.json speaks for another file"):
                use()
        self.load(index, [story(3)])
        assert list(index.scan()) == [story(3)]

    def test_a_change_that_ended_between_its_two_moves_is_whole_and_stays_so(self) -> None:
        index = self.new([story(1)], applied_through=1)
        meta = self.path(index.url + ".meta.json")
        former = meta.read_bytes()
        self.load(index, [story(2)], applied_through=2)
        meta.replace(meta.with_name(meta.name + ".new"))
        meta.write_bytes(former)
        assert list(index.scan()) == [story(2)]
        assert index.info().applied_through == 2
        with pytest.raises(InvalidRecord):
            index.load([self.tmp_path / "missing"], catalog=CATALOG, applied_through=3)
        assert list(open_index(index.url).scan()) == [story(2)]
        self.load(index, [story(3)], applied_through=3)
        assert self.left_behind(index) == []

    def test_no_two_files_look_the_same_to_their_descriptions(self) -> None:
        index = self.new()
        described: set[tuple[int, int]] = set()
        for number in range(3):
            part = write_part(self.tmp_path / f"part-{number}", [story(number)])
            os.utime(part, (1, 1))
            index.load([part], catalog=CATALOG, applied_through=0)
            status = self.path(index.url).stat()
            described.add((status.st_size, status.st_mtime_ns))
        assert len(described) == 3

    def test_a_file_without_description_is_no_index(self) -> None:
        path = write_part(self.tmp_path / "views.jsonl", [story(1)])
        with pytest.raises(UnusableIndex, match=r"no views\.jsonl\.meta\.json beside it"):
            open_index(f"jsonl:{path}").search(Query())

    def test_a_folder_that_does_not_exist_is_told(self) -> None:
        index = open_index(f"jsonl:{self.tmp_path / 'nowhere' / 'views.jsonl'}")
        with pytest.raises(UnusableIndex, match="Name a file in a folder that exists"):
            index.load([], catalog=CATALOG, applied_through=0)

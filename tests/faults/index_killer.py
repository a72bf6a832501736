"""Changes an index's generations, killed before each step in turn that leaves a trace on the disk, or every so many.

`python -m tests.faults.index_killer SCHEME FOLDER EVERY` says at how many steps it was killed, or what it found wrong. Each
life is a fork of a process that never used the engine.
"""

import itertools
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from indexers import Index, open_index
from tests.contract.index_newsroom import CATALOG, story, write_part

STEPS = ("fsync", "link", "mkdir", "rename", "replace", "rmdir", "truncate", "unlink")
KILLED = 77
FAILED = 3
OLD = sorted(story(number, version=1) for number in range(5))
NEW = sorted(story(number, version=2) for number in range(8))


def main() -> None:
    scheme, folder, every = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    first = folder / "first"
    first.mkdir()
    live(lambda: open_at(scheme, first).load([part(first, OLD)], catalog=CATALOG, applied_through=1))
    for count in itertools.count(0, every):
        copy = shutil.copytree(first, folder / str(count))
        is_killed = live(lambda copy=copy, count=count: change(open_at(scheme, copy), copy, kill_at=count)) == KILLED
        live(lambda copy=copy: check(open_at(scheme, copy), copy))
        if not is_killed:
            sys.stdout.write(f"{count}\n")
            return
        shutil.rmtree(copy)


def fork(life: Callable[[], object]) -> int:
    """Do this in a process of its own; gives its number."""
    pid = os.fork()
    if pid == 0:
        try:
            life()
        except BaseException:  # noqa: BLE001 - told, by a process that must not go on as its parent
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(FAILED)
        os._exit(0)
    return pid


def live(life: Callable[[], object]) -> int:
    """Do this in a process of its own; gives how it ended."""
    status = os.waitstatus_to_exitcode(os.waitpid(fork(life), 0)[1])
    assert status in {0, KILLED}, status
    return status


def open_at(scheme: str, folder: Path) -> Index:
    return open_index(f"{scheme}:{folder / 'index'}")


def part(folder: Path, views: Any) -> Path:
    return write_part(folder / f"part-{os.getpid()}", views)


def change(index: Index, folder: Path, kill_at: int) -> None:
    left = itertools.count(kill_at, -1)
    for name in STEPS:
        setattr(os, name, killing(getattr(os, name), left))
    rebuild(index, folder)
    index.load([part(folder, NEW)], catalog=CATALOG, applied_through=2)


def rebuild(index: Index, folder: Path) -> None:
    """The old generation again, switched to the new one and back; and away with what is not current."""
    old = index.info().generation
    new = index.begin(CATALOG)
    for number in (1, 2):
        index.extend(new, [part(folder, NEW[number - 1 :: 2])], loaded=number)
    index.finish(new, applied_through=2)
    with index.lease("a test") as lease:
        index.switch(new, expected=old, token=lease.token)
        index.generation(old).write([OLD[0]._replace(version=1)], applied_through=1)
        index.switch(old, expected=new, token=lease.token)
        index.switch(new, expected=old, token=lease.token)
    index.remove(old)


def killing(do: Callable[..., Any], left: "itertools.count[int]") -> Callable[..., Any]:
    def killed(*arguments: Any, **options: Any) -> Any:
        if next(left) == 0:
            os._exit(KILLED)
        return do(*arguments, **options)

    return killed


def check(index: Index, folder: Path) -> None:
    for info in index.generations():
        if info.complete:
            views = sorted(index.generation(info.name).scan())
            assert views in (OLD, NEW)
            assert info.applied_through == views[0].version
        else:
            assert not info.current
            for number in range(info.loaded + 1, 3):
                index.extend(info.name, [part(folder, NEW[number - 1 :: 2])], loaded=number)
            index.finish(info.name, applied_through=2)
            assert sorted(index.generation(info.name).scan()) == NEW
    assert sorted(index.scan()) in (OLD, NEW)
    if sorted(index.scan()) == OLD:
        rebuild(index, folder)
    for info in index.generations():
        if not info.current:
            index.remove(info.name)
    index.remove(index.begin(CATALOG))
    index.load([part(folder, NEW)], catalog=CATALOG, applied_through=2)
    index.close()
    (name,) = (info.name for info in index.generations())
    expected = {"index", "index.meta.json", "index.lock", "index.lease", "index.lease.lock", "index.generations"}
    expected |= {"generations", "current", "lock", "lease", "lease.lock", name, f"{name}.lock"}
    found = {path.name for path in folder.rglob("*") if path.parent.name != name and not path.name.startswith("part-")}
    assert found <= expected, found - expected


if __name__ == "__main__":
    main()

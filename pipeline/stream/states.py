"""Where the states of streams lie: HOME/state/GENERATION/SHARD-of-SHARDS.sqlite, and who may use them."""

import fcntl
import shutil
from collections.abc import Collection, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from pipeline.errors import JobRunning

STATE_FOLDER: Final = "state"
"""In the home."""

_LOCK: Final = "lock"


def state_file(home: Path, generation: str, shard: int, shards: int) -> Path:
    """The state of one shard."""
    return home / STATE_FOLDER / generation / f"{shard}-of-{shards}.sqlite"


def shards_of(home: Path, generation: str) -> int:
    """How many shards a generation's states are of; 1 where it has none."""
    kept = (home / STATE_FOLDER / generation).glob("0-of-*.sqlite") if generation else ()
    return max((int(path.stem.rpartition("-")[2]) for path in kept), default=1)


@contextmanager
def held(home: Path, generation: str, share: tuple[int, int] | None = None) -> Generator[None]:
    """Have the states of a generation alone; with a share, that of one shard of so many.

    Raises:
        JobRunning: another stream has them.
    """
    folder = home / STATE_FOLDER / generation
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as locks:
        try:
            # Those of one shard stand beside each other, and not beside one who has all.
            _lock(locks, folder / _LOCK, fcntl.LOCK_EX if share is None else fcntl.LOCK_SH)
            if share is not None:
                _lock(locks, folder / f"{_LOCK}.{share[0]}-of-{share[1]}", fcntl.LOCK_EX)
        except BlockingIOError:
            raise JobRunning(f"another stream is at work in {home}; stop it first, or let it go on") from None
        yield


def _lock(locks: ExitStack, path: Path, kind: int) -> None:
    fcntl.flock(locks.enter_context(path.open("ab")), kind | fcntl.LOCK_NB)


def is_shared(home: Path, generation: str) -> bool:
    """Whether several streams share a generation here, each with a shard."""
    if not is_held(home, generation):
        return False
    with ExitStack() as locks:
        try:
            _lock(locks, home / STATE_FOLDER / generation / _LOCK, fcntl.LOCK_SH)
        except BlockingIOError:
            return False
    return True


def is_held(home: Path, generation: str) -> bool:
    """Whether a stream is at work on a generation."""
    if not (home / STATE_FOLDER / generation / _LOCK).exists():
        return False
    try:
        with held(home, generation):
            return False
    except JobRunning:
        return True


def sweep(home: Path, generation: str, shards: int) -> None:
    """Remove a generation's states of another number of shards: what is healed in the others would be missing there."""
    for file in (home / STATE_FOLDER / generation).glob("*-of-*.sqlite*"):
        if f"-of-{shards}.sqlite" not in file.name:
            file.unlink()


def discard(home: Path, keep: Collection[str] = ()) -> None:
    """Remove the states of all generations but some, and but those that a stream is at work on."""
    folder = home / STATE_FOLDER
    for generation in folder.iterdir() if folder.is_dir() else ():
        if generation.name not in keep and not is_held(home, generation.name):
            shutil.rmtree(generation, ignore_errors=True)

"""What a command costs: time, processor time and memory, of the process and all that it starts. Linux only (/proc)."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import Final, NamedTuple

_SAMPLE_SECONDS: Final = 0.1
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Cost(NamedTuple):
    """What one run of a command took."""

    wall_seconds: float
    cpu_seconds: float
    """User and system, of all its processes."""
    peak_sum_bytes: int
    """The highest sum of its processes' resident memory that was seen; pages that they share count for each."""
    peak_process_bytes: int
    """The highest resident memory of any one of them, as the kernel keeps it."""


class Failed(Exception):
    """A command did not end well."""


def run(command: Sequence[str | Path], output: Path) -> Cost:
    """Run a command to its end; what it says goes into a file.

    The kernel hands our own peak down to what we start, so this process stays small: it reads no history and no views.

    Raises:
        Failed: with the end of what it said.
    """
    # What was written before must not be written out on this command's time.
    os.sync()
    with output.open("wb") as file:
        started = perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        ended = Event()
        sums: list[int] = [0]
        sampler = Thread(target=_sample, args=(process.pid, ended, sums), daemon=True)
        sampler.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall_seconds = perf_counter() - started
        except BaseException:
            process.kill()
            raise
        finally:
            ended.set()
            sampler.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = output.read_text(errors="replace").strip().splitlines()[-10:]
        raise Failed("\n".join([f"exit code {process.returncode}: {' '.join(map(str, command))}", *said]))
    largest = usage.ru_maxrss * 1024
    return Cost(wall_seconds, usage.ru_utime + usage.ru_stime, max(largest, *sums), largest)


def _sample(root: int, ended: Event, sums: list[int]) -> None:
    while not ended.wait(_SAMPLE_SECONDS):
        processes = list(_processes())
        family = {root}
        grown = True
        while grown:
            children = {pid for pid, parent, _ in processes if parent in family} - family
            family |= children
            grown = bool(children)
        sums.append(sum(resident for pid, _, resident in processes if pid in family))


def _processes() -> Iterator[tuple[int, int, int]]:
    """Every process of the machine: its id, its parent's, its resident memory in bytes."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = path.read_text(errors="replace")
        except OSError:
            continue
        # The second field is the program's name in parentheses, which may hold anything (proc(5)).
        fields = stat.rpartition(") ")[2].split()
        yield int(path.parent.name), int(fields[1]), int(fields[21]) * _PAGE_BYTES

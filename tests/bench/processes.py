"""What a server and its children use, from /proc; and running a function in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _CPU = 1, slice(11, 15)
"""Fields of /proc/PID/stat after the command's name: the parent; user and system ticks, own and of children that ended."""


def tree(pid: int) -> Sequence[int]:
    """The process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if stat := _stat(int(folder.name)):
            children.setdefault(int(stat[_PARENT]), []).append(int(folder.name))
    found = [pid]
    for process in found:
        found.extend(children.get(process, ()))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the process and its descendants so far, those that have ended included."""
    return sum(int(ticks) for process in tree(pid) for ticks in _stat(process)[_CPU]) / _TICKS


def resident_bytes(pid: int) -> int:
    """Resident memory of the process and its descendants."""
    return sum(_resident(process) for process in tree(pid))


def disk_bytes(folder: Path) -> int:
    """Bytes that the files of a folder take on the disk."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_blocks * 512
            except FileNotFoundError:  # merged away or trimmed meanwhile
                continue
    return total


def _stat(pid: int) -> list[str]:
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except (FileNotFoundError, ProcessLookupError):
        return []


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Sample:
    """A look at a server: seconds since the watch began, resident bytes, bytes on disk by folder."""

    at: float
    memory: int
    disk: tuple[int, ...]


@dataclass
class Watch:
    """Looks at a process and some folders every so often, from a thread, for the length of a `with` block."""

    pid: int
    folders: Sequence[Path] = ()
    every: float = 1.0
    samples: list[Sample] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._end = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            disk = tuple(disk_bytes(folder) for folder in self.folders)
            self.samples.append(Sample(time.monotonic() - self._began, resident_bytes(self.pid), disk))
            if self._end.wait(self.every):
                return

    def memory_at(self, share: float) -> int:
        """Resident bytes when this share of the time had passed."""
        return self.samples[min(len(self.samples) - 1, int(share * len(self.samples)))].memory

    @property
    def peak_memory(self) -> int:
        """The most resident bytes of any look."""
        return max(sample.memory for sample in self.samples)

    def peak_disk(self, folder: int | None = None) -> int:
        """The most bytes on disk of any look, of one folder or of all together."""
        return max(sum(s.disk) if folder is None else s.disk[folder] for s in self.samples)


def apart(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Runs a module's function in a fresh process, because the engine lives once a process, and CPU time is counted by process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments, **options).result()


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU and wall seconds of something."""

    cpu: float
    wall: float

    def micros(self, count: int) -> float:
        """Microseconds of CPU for each of so many."""
        return self.cpu / count * 1e6


def cost(work: Callable[[], object]) -> Cost:
    """What one run of `work` costs this process, all its threads together."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)

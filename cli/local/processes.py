"""Processes of ours, told apart from strangers that later got the same process id."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAME_START_SECONDS = 1.0
"""Two readings of one process' start differ by clock ticks only."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process id with its start, seconds since 1970: together they name one process for ever."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Return the identity of a living process, None when there is none."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return self._find() is not None

    def end(self, timeout_seconds: float) -> None:
        """Ask the process to end (SIGTERM) and, when it does not in time, kill it."""
        found = self._find()
        if found is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            found.terminate()
            try:
                found.wait(timeout_seconds)
            except psutil.TimeoutExpired:
                found.kill()
                found.wait(timeout_seconds)

    def _find(self) -> psutil.Process | None:
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started_at) < _SAME_START_SECONDS
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a group of processes in bytes."""

    rss_bytes: int
    """Summed resident sets; a page that several processes share counts several times."""
    pss_bytes: int
    """The same with shared pages counted once; equal to ``rss_bytes`` where the system does not tell."""


def memory(pids: Iterable[int], *, descendants: bool = True) -> Memory:
    """Return what the processes hold, with or without all their descendants; nobody counts twice."""
    rss = pss = 0
    for process in _family(pids, descendants=descendants):
        with contextlib.suppress(psutil.NoSuchProcess):
            resident = process.memory_info().rss
            rss += resident
            pss += _proportional(process.pid, resident)
    return Memory(rss, pss)


def _family(pids: Iterable[int], *, descendants: bool) -> set[psutil.Process]:
    family: set[psutil.Process] = set()
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            family |= {parent, *(parent.children(recursive=True) if descendants else ())}
    return family


def _proportional(pid: int, otherwise: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return otherwise
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), otherwise)


def me() -> ProcessId:
    """Return this process."""
    found = ProcessId.of(os.getpid())
    assert found is not None
    return found

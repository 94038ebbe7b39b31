"""Files that may change while a process runs: keys, certificates, key sets.

Whoever renews such a file replaces it in one step; a running process notices within
``LOOK_EVERY_SECONDS``. A file that cannot be read, or holds nonsense, changes nothing: what was
read before goes on being used, and the log says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from chassis.errors import Fault

log = structlog.get_logger(__name__)
"""Not from ``chassis.logs``: the log's own export watches certificates through here."""

LOOK_EVERY_SECONDS = 1.0
"""How long a change may go unnoticed."""

T = TypeVar("T")
Mark = tuple[tuple[int, int, int], ...]


def mark_of(paths: Sequence[Path]) -> Mark:
    """Return what differs once one of the files was replaced: inode, modification time, size.

    The time alone would miss a renewed file that was copied with its old time. Raises OSError.
    """
    found = [path.stat() for path in paths]
    return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


class FreshFiles(Generic[T]):
    """What some files say together, read again once one of them has changed; safe in threads."""

    def __init__(
        self,
        paths: Sequence[Path],
        read: Callable[[], T],
        *,
        look_every_seconds: float = LOOK_EVERY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read them once. Raises what ``read`` raises, and OSError."""
        self._paths, self._read, self._clock = tuple(paths), read, clock
        self._every = look_every_seconds
        self._lock = threading.Lock()
        self._mark = mark_of(self._paths)  # before reading: a change in between is read twice, not missed
        self._refused: Mark | None = None
        self._value = read()
        self._looked_at = clock()

    def current(self) -> T:
        """Return the newest good content, at most ``look_every_seconds`` old."""
        if self._clock() - self._looked_at >= self._every:
            return self.look()
        return self._value

    def look(self) -> T:
        """Return the content as the files are now."""
        with self._lock:
            self._looked_at = self._clock()
            try:
                mark = mark_of(self._paths)
                if mark != self._mark:
                    self._value = self._read()
                    self._mark, self._refused = mark, None
                    log.info("file_read_again", file=self._paths[0].name)
            except (Fault, OSError, ValueError) as problem:
                self._complain(problem)
            return self._value

    def _complain(self, problem: Exception) -> None:
        """Say it once per change; the next look tries again, since a pair may be half replaced."""
        try:
            mark = mark_of(self._paths)
        except OSError:
            mark = ()
        if mark != self._refused:
            self._refused = mark
            log.warning("file_not_read_again", file=self._paths[0].name, cause=type(problem).__name__)

"""A clock for tokens that never goes back, also not over a restart: a mark on disk lies ahead of every token."""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import datetime, timedelta
from pathlib import Path

from chassis.clock import Clock

AHEAD = timedelta(seconds=2)
"""How far the mark is set ahead, so that it is written rarely; after a kill no token is made for as long at most."""


class ForwardClock:
    """Whole seconds of UTC, each not before the one handed out last; to be used by one process."""

    def __init__(self, clock: Clock, mark: Path) -> None:
        """Begin after the last moment that the mark tells of; an unreadable mark is none."""
        self._clock, self._mark = clock, mark
        self._lock = threading.Lock()
        self._last = self._reserved = _read(mark)

    def next(self) -> datetime | None:
        """Return the present, or None while the system's clock lies before what was handed out already."""
        with self._lock:
            now = self._clock().replace(microsecond=0)
            if self._last is not None and now < self._last:
                return None
            if self._reserved is None or now > self._reserved:
                self._write(now + AHEAD)
            self._last = now
            return now

    def close(self) -> None:
        """Have the mark at the last moment handed out: a start in order waits for nothing."""
        with self._lock:
            if self._last is not None and self._reserved is not None:
                self._write(self._last)

    def _write(self, moment: datetime) -> None:
        fresh = self._mark.with_suffix(f".{os.getpid()}.new")  # a successor may write too
        with fresh.open("w", encoding="ascii") as file:
            file.write(moment.isoformat())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._mark)
        self._reserved = moment


def _read(mark: Path) -> datetime | None:
    with contextlib.suppress(OSError, ValueError):
        return datetime.fromisoformat(mark.read_text("ascii"))
    return None

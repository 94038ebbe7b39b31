"""Whether this process may be sent work: named conditions, all of which must hold."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

DRAINING = "draining"


class Readiness:
    """The conditions of one process; read by ``/readyz``, gRPC health and the ready file.

    A condition starts out false. While draining the process is never ready again.
    """

    def __init__(
        self, *conditions: str, ready_file: Path | None = None, beside_another: bool = False
    ) -> None:
        """Have no ready file; a living predecessor's stays until we take over if it serves ``beside_another``."""
        self._holds = dict.fromkeys(conditions, False)
        self._draining = False
        self._file = ready_file
        self._listeners: list[Callable[[bool], None]] = []
        self._changed = asyncio.Event()
        if ready_file and not (beside_another and _lives(_marked(ready_file))):
            ready_file.unlink(missing_ok=True)

    @property
    def ready(self) -> bool:
        """All conditions hold and the process is not draining."""
        return bool(self._holds) and all(self._holds.values()) and not self._draining

    def missing(self) -> tuple[str, ...]:
        """Return the conditions that do not hold, in the order they were named."""
        unmet = [name for name, holds in self._holds.items() if not holds]
        return tuple([*unmet, DRAINING] if self._draining else unmet)

    def set(self, name: str, holds: bool) -> None:
        """State one condition; a name not given at the start is added."""
        before = self.ready
        self._holds[name] = holds
        self._tell(before)

    def drain(self) -> None:
        """Never be ready again: no new work, the running work ends."""
        before = self.ready
        self._draining = True
        self._tell(before)

    def on_change(self, listener: Callable[[bool], None]) -> None:
        """Have a listener told of each change, and of the present state at once."""
        self._listeners.append(listener)
        listener(self.ready)

    async def wait(self) -> None:
        """Return as soon as the process is ready."""
        while not self.ready:
            self._changed.clear()
            await self._changed.wait()

    def _tell(self, before: bool) -> None:
        if self.ready == before:
            return
        self._changed.set()
        self._mark_file()
        for listener in self._listeners:
            listener(self.ready)

    def _mark_file(self) -> None:
        if self._file is None:
            return
        if self.ready:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(f"{os.getpid()}\n", encoding="ascii")
            fresh.replace(self._file)
        elif _marked(self._file) == os.getpid():  # not a successor's
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)


def _marked(file: Path) -> int:
    """Return the process id that a ready file names; 0 for none."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _lives(pid: int) -> bool:
    """Tell whether another process of this id lives."""
    if pid in {0, os.getpid()}:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

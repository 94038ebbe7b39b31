"""The history of one process: a file of lines, written at once, so that kill -9 loses none of them.

A line is an operation of the process: ``at`` (nanoseconds of the machine's monotonic clock), ``process``,
``what`` was done, and its ``kind``: ``invoke``, then ``ok``, ``fail`` (it certainly did not happen) or
``info`` (nobody knows). An invocation without an answer is unknown as well.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

Op = dict[str, Any]


class Recorder:
    """Appends to the history of one process; a later life of the process goes on in the same file."""

    def __init__(self, directory: Path, process: str) -> None:
        self.process = process
        path = directory / f"{process}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, kind: str, **more: object) -> None:
        """Have one line in the file when this returns."""
        line = {"at": time.monotonic_ns(), "process": self.process, "what": what, "kind": kind, **more}
        os.write(self._file, json.dumps(line, separators=(",", ":")).encode() + b"\n")


class Traps:
    """Moments at which a process ends itself: whoever passes a set trap first is killed, and nobody after."""

    def __init__(self, directory: Path, recorder: Recorder | None = None) -> None:
        self._directory, self._recorder = directory, recorder

    def set(self, step: str) -> None:
        """Have the next process that reaches the step end there."""
        (self._directory / f"trap-{step}").touch()

    def is_set(self, step: str) -> bool:
        """Tell whether nobody has reached the step yet."""
        return (self._directory / f"trap-{step}").exists()

    def clear(self) -> list[str]:
        """Remove what nobody stepped into; return those steps."""
        left = sorted(self._directory.glob("trap-*"))
        for path in left:
            path.unlink(missing_ok=True)
        return [path.name.removeprefix("trap-") for path in left]

    def spring(self, step: str) -> None:
        """End this process as kill -9 would if the trap is set."""
        try:
            (self._directory / f"trap-{step}").unlink()
        except FileNotFoundError:
            return
        if self._recorder:
            self._recorder.write("die", "info", step=step)
        os.kill(os.getpid(), signal.SIGKILL)


def read_history(directory: Path) -> list[Op]:
    """Return the lines of all processes in the order of time; a torn last line is left out."""
    found: list[Op] = []
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return sorted(found, key=lambda op: op["at"])

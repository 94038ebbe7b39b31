"""A command run on some bytes in a process of its own: what it said, how long it took, what memory it reached."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path


def measured(command: Sequence[str], content: bytes, folder: Path) -> tuple[bytes, float, int]:
    """Return standard output, processor seconds and the largest resident set in KiB.

    Processor time, not the wall's: other tests run on the same two cores.
    """
    given = folder / "given"
    given.write_bytes(content)
    began = time.monotonic()
    with given.open("rb") as source:
        process = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with process.stdout as pipe:
        said = pipe.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert time.monotonic() - began < 30
    return said, used.ru_utime + used.ru_stime, used.ru_maxrss

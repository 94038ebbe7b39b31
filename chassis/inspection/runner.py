"""One process per file: a parser that is overcome takes nothing with it but the file."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from dataclasses import dataclass

from chassis.errors import PEER_UNAVAILABLE
from chassis.inspection.reasons import BY_CODE, FILE_TOO_COMPLEX, LIMITS
from chassis.logs import get_logger

SECONDS = 8.0
"""By the wall; its own processor time is bounded lower."""
AT_ONCE = 2
_places: dict[int, asyncio.Semaphore] = {}

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file that may come in."""

    content: bytes
    """What to keep: of an image, the image without its metadata."""
    media_type: str


async def inspect_file(content: bytes, media_type: str) -> Inspected:
    """Return what to keep of a file of a known type.

    Raises FILE_BROKEN_INSIDE, FILE_TOO_COMPLEX (also when the process ran out of memory or time),
    FILE_ACTIVE, FILE_UNSAFE_NAMES, and PEER_UNAVAILABLE when no process can be had.
    """
    if len(content) > LIMITS.packed_bytes:
        raise FILE_TOO_COMPLEX()
    async with _place():
        status, out = await asyncio.to_thread(_run, content, media_type)
    verdict, _, kept = out.partition(b"\n")
    if status == 0 and verdict == b"ok":
        return Inspected(content if kept == b"=" else kept, media_type)
    reason = BY_CODE.get(verdict.decode("ascii", "replace"))
    if status != 0 or reason is None:
        log.warning("inspection_ended", status=status, media_type=media_type)
        raise FILE_TOO_COMPLEX()
    raise reason()


def _run(content: bytes, media_type: str) -> tuple[int, bytes]:
    """Return how the process ended, a signal as its negative number, and what it wrote."""
    try:
        # In a thread: the event loop's own pipes to a child were seen closed under a loaded service.
        done = subprocess.run(  # noqa: S603 - our own module; the media type is one of a closed list
            [sys.executable, "-m", "chassis.inspection", media_type],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": ":".join(sys.path), "LANG": "C.UTF-8"},
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -signal.SIGALRM, b""
    except OSError as problem:
        raise PEER_UNAVAILABLE(peer="inspection") from problem
    return done.returncode, done.stdout


def _place() -> asyncio.Semaphore:
    """Return the places of this event loop."""
    loop = id(asyncio.get_running_loop())
    if loop not in _places:
        _places.clear()
        _places[loop] = asyncio.Semaphore(AT_ONCE)
    return _places[loop]

"""One process per file: a parser that is overcome takes nothing with it but the file."""

from __future__ import annotations

import asyncio
import contextlib
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
        status, out = await _run(content, media_type)
    verdict, _, kept = out.partition(b"\n")
    if status == 0 and verdict == b"ok":
        return Inspected(content if kept == b"=" else kept, media_type)
    reason = BY_CODE.get(verdict.decode("ascii", "replace"))
    if status != 0 or reason is None:
        log.warning("inspection_ended", status=status, media_type=media_type)
        raise FILE_TOO_COMPLEX()
    raise reason()


async def _run(content: bytes, media_type: str) -> tuple[int, bytes]:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chassis.inspection", media_type,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": ":".join(sys.path), "LANG": "C.UTF-8"},
        )  # fmt: skip
    except OSError as problem:
        raise PEER_UNAVAILABLE(peer="inspection") from problem
    try:
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate(content)
    except (TimeoutError, ConnectionError, RuntimeError):  # the last is uvloop's word for a closed pipe
        return -1, b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return process.returncode or 0, out


def _place() -> asyncio.Semaphore:
    """Return the places of this event loop."""
    loop = id(asyncio.get_running_loop())
    if loop not in _places:
        _places.clear()
        _places[loop] = asyncio.Semaphore(AT_ONCE)
    return _places[loop]

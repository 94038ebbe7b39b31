"""SIGSTOP and SIGCONT of whole process families: they hold everything open and answer nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psutil


@asynccontextmanager
async def frozen(pid: int) -> AsyncIterator[None]:
    """Have a process and its descendants stand still for the block, whatever the block does."""
    held = family(pid)
    for each in held:
        _send(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in reversed(held):
            _send(each, signal.SIGCONT)


def family(pid: int) -> Sequence[int]:
    """Return a process and all its descendants, parents first."""
    parent = psutil.Process(pid)
    return [pid, *(child.pid for child in parent.children(recursive=True))]


async def gone(pid: int, seconds: float) -> None:
    """Wait until a process has ended. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while psutil.pid_exists(pid):
            await asyncio.sleep(0.05)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)

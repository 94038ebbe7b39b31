"""Work that comes back: a step that is repeated while there is something to do, then waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chassis.failures import describe, is_outage
from chassis.logs import get_logger
from chassis.run import Part

log = get_logger(__name__)

Step = Callable[[], Awaitable[bool]]
"""One bounded piece of work; true when more is waiting."""


def repeating(name: str, step: Step, *, every_seconds: float, woken: asyncio.Event | None = None) -> Part:
    """Return a part that runs ``step`` again and again until it is told to stop.

    Without more to do it waits ``every_seconds``, or until ``woken`` is set. An outage of the database
    or a peer is waited out; any other error ends the process, which is then restarted.
    """

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            if woken is not None:
                woken.clear()
            if not await _patient(name, step):
                await _first(every_seconds, stop, *([woken] if woken else []))

    return Part(name, run)


async def _patient(name: str, step: Step) -> bool:
    try:
        return await step()
    except Exception as problem:
        if not is_outage(problem):
            raise
        log.warning("worker_waits", part=name, cause=describe(problem))
        return False


async def _first(timeout_seconds: float, *events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()

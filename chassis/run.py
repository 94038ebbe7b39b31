"""The life of a service process: start the parts, serve until a signal, drain in reverse order.

A part is a coroutine that runs until its ``stop`` event is set and then finishes what it holds. A
part that ends earlier, by return or by error, brings the process down with a non-zero status: a
supervisor restarts a whole process, nobody restarts half of one.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.errors import Fault
from chassis.logs import get_logger
from chassis.readiness import Readiness

GRACE_SECONDS = 25.0
"""For all parts together; below the 30 s that container engines wait before they kill."""
EXIT_FAILED = 1

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One long-running piece of a process: a server, a consumer, a relay."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]


@dataclass(slots=True)
class _Running:
    part: Part
    stop: asyncio.Event
    task: asyncio.Task[None]


async def run(
    parts: Sequence[Part],
    *,
    ready: Readiness,
    grace_seconds: float = GRACE_SECONDS,
    stop: asyncio.Event | None = None,
) -> int:
    """Run the parts until SIGTERM or SIGINT, or ``stop``; return the exit status.

    Parts start in the given order and are drained in the reverse: name the database-bound relay
    first and the doors last. A second signal ends the drain at once.
    """
    stopping = stop or asyncio.Event()
    hurry = asyncio.Event()
    _on_signals(stopping, hurry)
    running = [_start(part) for part in parts]
    waiter = asyncio.create_task(stopping.wait(), name="signals")
    try:
        await asyncio.wait([waiter, *(each.task for each in running)], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()
        ready.drain()
    died = [each for each in running if each.task.done()]
    for each in died:
        _report_death(each)
    clean = await _drain(running, grace_seconds, hurry)
    log.info("stopped", clean=clean and not died)
    return EXIT_FAILED if died or not clean else 0


def run_process(main: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run a service's ``main`` on uvloop and exit with the status it returns; a refusal exits with 1."""
    import uvloop  # noqa: PLC0415 - tests run on the standard loop

    try:
        status = uvloop.run(main())
    except Fault as fault:
        log.exception("start_refused", reason=fault.code, text=fault.zh, text_en=fault.en)
        status = EXIT_FAILED
    sys.exit(status)


def _start(part: Part) -> _Running:
    stop = asyncio.Event()

    async def guarded() -> None:
        await part.run(stop)

    return _Running(part, stop, asyncio.create_task(guarded(), name=part.name))


def _on_signals(stopping: asyncio.Event, hurry: asyncio.Event) -> None:
    def received(name: str) -> None:
        log.info("signal_received", signal=name, again=stopping.is_set())
        (hurry if stopping.is_set() else stopping).set()

    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, received, each.name)


async def _drain(running: Sequence[_Running], grace_seconds: float, hurry: asyncio.Event) -> bool:
    """Stop each part after those that feed it; return whether all ended of themselves and without error."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace_seconds
    impatience = asyncio.create_task(hurry.wait(), name="hurry")
    clean = True
    for each in reversed(running):
        if each.task.done():
            continue
        each.stop.set()
        left = max(0.0, deadline - loop.time())
        await asyncio.wait([each.task, impatience], timeout=left, return_when=asyncio.FIRST_COMPLETED)
        clean = await _settle(each) and clean
    impatience.cancel()
    return clean


async def _settle(each: _Running) -> bool:
    """Cancel a part that did not end in time; return whether it ended well."""
    if not each.task.done():
        log.error("part_cut_off", part=each.part.name)
        each.task.cancel()
        await asyncio.wait([each.task], timeout=1.0)
        return False
    if each.task.cancelled() or each.task.exception() is not None:
        _report_death(each)
        return False
    return True


def _report_death(each: _Running) -> None:
    cause = None if each.task.cancelled() else each.task.exception()
    log.error("part_died", part=each.part.name, exc_info=cause or False, returned=cause is None)

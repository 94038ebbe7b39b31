"""Wakes the active relay after commits.

Not inside the business transaction: there NOTIFY serialises all commits of the server (measured).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg
import structlog

from chassis.db import connect_alone
from chassis.failures import DATABASE_TROUBLE

CHANNEL = "tongban_event_log"
COALESCE_SECONDS = 0.01
ANSWER_SECONDS = 15.0

_log = structlog.get_logger("tongban.relay")


async def notify_commits(service: str, dsn: str, committed: asyncio.Event, stop: asyncio.Event) -> None:
    """Notify the channel whenever ``committed`` was set, at most every 10 ms, until ``stop``."""
    connection: asyncpg.Connection[Any] | None = None
    waker = asyncio.create_task(set_after(stop, committed))
    try:
        while not stop.is_set():
            await committed.wait()
            committed.clear()
            try:
                if connection is None or connection.is_closed():
                    connection = await connect_alone(dsn, f"{service}-notify", answer_seconds=ANSWER_SECONDS)
                await connection.execute("select pg_notify($1, '')", CHANNEL)
            except DATABASE_TROUBLE:
                _log.info("notify_failed", service=service)  # the relay's poll finds the rows
            await wait_for(stop, COALESCE_SECONDS)
    finally:
        waker.cancel()
        if connection is not None:
            connection.terminate()


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after so long.

    Not by ``asyncio.wait_for``: in Python 3.11 it swallows a cancellation that comes with the event.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def set_after(stop: asyncio.Event, event: asyncio.Event) -> None:
    """Set an event as soon as another one is."""
    await stop.wait()
    event.set()

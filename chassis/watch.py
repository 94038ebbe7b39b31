"""Keeps readiness true to life: the database answers, the topics exist."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from chassis.bus.port import Bus
from chassis.db import connect_alone
from chassis.errors import Fault
from chassis.failures import DATABASE_TROUBLE, describe
from chassis.logs import get_logger
from chassis.notifier import wait_for
from chassis.readiness import Readiness
from chassis.run import Part

WATCH_SECONDS = 2.0
ANSWER_SECONDS = 5.0

log = get_logger(__name__)


def watching(
    dsn: str, bus: Bus, topics: Sequence[str], ready: Readiness, *, every_seconds: float = WATCH_SECONDS
) -> Part:
    """Return the part that keeps the conditions ``database`` and ``bus`` of ``ready``.

    The database is asked again and again, on a connection of its own: a full pool is load, no outage.
    The bus counts once all topics exist; when it is away later the outbox keeps the events.
    """

    async def run(stop: asyncio.Event) -> None:
        connection: asyncpg.Connection[Any] | None = None
        complete = False
        try:
            while not stop.is_set():
                connection = await _asked(dsn, connection, ready)
                complete = complete or await _has_topics(bus, topics)
                ready.set("bus", holds=complete)
                await wait_for(stop, every_seconds)
        finally:
            if connection is not None:
                connection.terminate()

    return Part("watch", run)


async def _asked(
    dsn: str, connection: asyncpg.Connection[Any] | None, ready: Readiness
) -> asyncpg.Connection[Any] | None:
    """Return the connection if the database answered on it, or on a new one; else None."""
    try:
        if connection is None:
            connection = await connect_alone(dsn, "watch", answer_seconds=ANSWER_SECONDS)
        await connection.execute("select 1")
    except DATABASE_TROUBLE as problem:
        if "database" not in ready.missing():
            log.warning("database_away", cause=describe(problem))
        ready.set("database", holds=False)
        if connection is not None:
            connection.terminate()
        return None
    ready.set("database", holds=True)
    return connection


async def _has_topics(bus: Bus, topics: Sequence[str]) -> bool:
    try:
        await bus.require_topics(topics)
    except Fault as fault:
        log.warning("bus_not_ready", cause=describe(fault))
        return False
    return True

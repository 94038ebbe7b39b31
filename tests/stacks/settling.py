"""When a running stack has nothing more on its way: asked of its databases and of its bus."""

from __future__ import annotations

import asyncio
import importlib
import re
import time
from datetime import datetime

import asyncpg

from chassis.clock import Clock, system_clock
from cli.local.health import bus_lag
from cli.local.layout import SERVICES
from tests.stacks.local import LocalStack

_CONSUMES = re.compile(r"^Consumes: (.+)$", re.MULTILINE)
_POLL_SECONDS = 0.3
_QUIET_LOOKS = 2
_UNPUBLISHED = "select count(*) from event_log where published_at is null"
_OPEN = {
    "intake": """select count(*) from service_case
        where submitted_at is not null and (state <> 'closed' or archived_at is null)""",
    "certs": "select count(*) from licence where status = 'pending_seal'",
    "notify": "select count(*) from message where state not in ('sent', 'delivered')",
}


async def settled(stack: LocalStack, seconds: float, clock: Clock = system_clock) -> bool:
    """Wait until nothing more is on its way; False when the time is over first.

    ``clock`` is what the services go by: what is due by it is on its way.
    """
    deadline, quiet = time.monotonic() + seconds, 0
    while quiet < _QUIET_LOOKS:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
        quiet = 0 if await _is_busy(stack, clock) else quiet + 1
    return True


async def _is_busy(stack: LocalStack, clock: Clock) -> bool:
    if await _pdfs_are_due(stack.dsn("certs"), clock()):
        return True
    for service in SERVICES:
        queries = (_UNPUBLISHED, _OPEN.get(service, "select 0"))
        for query in queries:
            if (await rows(stack.dsn(service), query))[0][0]:
                return True
    lag = await bus_lag(stack.layout, stack.state)
    return lag is None or any(lag.values())


async def _pdfs_are_due(dsn: str, now: datetime) -> bool:
    """Say whether PDFs are to be made or fetched now; a release before there were any has no table of them."""
    if (await rows(dsn, "select to_regclass('licence_pdf') is null"))[0][0]:
        return False
    return bool((await rows(dsn, "select count(*) from licence_pdf where due_at <= $1", now))[0][0])


async def rows(dsn: str, query: str, *given: object) -> list[asyncpg.Record]:
    """Return the rows of one query."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(query, *given)
    finally:
        await connection.close()


def consumed_events(service: str) -> set[str]:
    """Return the event classes that a service's card says it consumes."""
    card = importlib.import_module(f"services.{service}").__doc__ or ""
    named = _CONSUMES.search(card)
    assert named, f"the card of {service} names no events"
    return set(re.findall(r"\w+", named[1]))

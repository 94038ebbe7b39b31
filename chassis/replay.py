"""Delivers events again: a window of the outbox into a new bus, or a group set back on the old one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.bus.port import Bus
from chassis.bus.postgres import PostgresBus
from chassis.db import Database
from chassis.errors import Kind, declare

REPUBLISH_SECONDS = 600
"""A window may be weeks of events: far more than a statement of a command may take."""

REPLAY_WINDOW_EMPTY = declare(
    "REPLAY_WINDOW_EMPTY", Kind.INVALID_ARGUMENT, "请指定时间或对象", "Name a start time or an aggregate"
)
REWIND_NOT_SUPPORTED = declare(
    "REWIND_NOT_SUPPORTED",
    Kind.FAILED_PRECONDITION,
    "{transport} 的消费位置请用其自带工具调整",
    "Set a group's offsets on {transport} with its own tools, or republish",
)


async def republish(
    db: Database,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    aggregate_id: str | None = None,
) -> int:
    """Have the relay send kept events again, in their order; consumers deduplicate. Return how many.

    The limits are those of ``created_at``, ``until`` excluded. On a PostgreSQL bus that still has the
    rows nothing happens (their ids are known there): rewind the group instead.
    Raises REPLAY_WINDOW_EMPTY when neither a start nor an aggregate is named.
    """
    if since is None and aggregate_id is None:
        raise REPLAY_WINDOW_EMPTY()
    async with db.transaction() as tx:
        await tx.execute(f"set local statement_timeout = '{REPUBLISH_SECONDS}s'")
        tag = await tx.connection.execute(
            """
            update event_log set published_at = null, next_attempt_at = null
            where published_at is not null and ($1::timestamptz is null or created_at >= $1)
              and ($2::timestamptz is null or created_at < $2) and ($3::text is null or aggregate_id = $3)
            """,
            since,
            until,
            aggregate_id,
            timeout=REPUBLISH_SECONDS + 5,
        )
    db.committed.set()
    return int(tag.split()[-1])


async def rewind(bus: Bus, group: str, topics: Sequence[str], since: datetime) -> int:
    """Set a group of the PostgreSQL bus to the first event at or after ``since``.

    Also the way past a retention gap, once an operator has decided so. Returns the number of
    partitions. Raises REWIND_NOT_SUPPORTED on another transport.
    """
    if not isinstance(bus, PostgresBus):
        raise REWIND_NOT_SUPPORTED(transport=bus.transport)
    return await bus.rewind(group, topics, since)

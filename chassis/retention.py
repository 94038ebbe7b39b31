"""What messaging keeps and for how long, deleted in chunks; and the outbox gauges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg

from chassis.bus.port import Bus
from chassis.messaging_metrics import OUTBOX_HELD, OUTBOX_OLDEST_SECONDS, OUTBOX_PENDING

DAY_SECONDS = 86_400.0
CHUNK_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long to keep what, in seconds. The inbox outlives the window that can be sent again."""

    event_log_seconds: float = 14 * DAY_SECONDS
    inbox_seconds: float = 30 * DAY_SECONDS
    bus_seconds: float = 14 * DAY_SECONDS
    dead_letter_seconds: float = 365 * DAY_SECONDS

    def __post_init__(self) -> None:
        if self.inbox_seconds < max(self.event_log_seconds, self.bus_seconds):
            raise ValueError("the inbox must outlive the events that can be delivered again")


_EVENT_LOG = """
delete from event_log where seq in (
  select seq from event_log where published_at < clock_timestamp() - make_interval(secs => $1)
    and created_at < clock_timestamp() - make_interval(secs => $1) order by created_at limit $2)
"""
_INBOX = """
delete from inbox where (consumer, event_id) in (
  select consumer, event_id from inbox where at < clock_timestamp() - make_interval(secs => $1)
  order by at limit $2)
"""
_ATTEMPTS = """
delete from delivery_attempt where (consumer, event_id) in (
  select consumer, event_id from delivery_attempt where at < clock_timestamp() - make_interval(secs => $1) limit $2)
"""
_DEAD_LETTERS = """
delete from dead_letter where dead_letter_id in (
  select dead_letter_id from dead_letter
  where state <> 'parked' and resolved_at < clock_timestamp() - make_interval(secs => $1) limit $2)
"""
_OUTBOX = """
select count(*) as pending, count(next_attempt_at) as held,
       coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 as oldest_seconds
from event_log where published_at is null
"""


async def clean(connection: asyncpg.Connection[Any], bus: Bus, retention: Retention) -> int:
    """Delete what is past its retention, chunk by chunk, each its own transaction; return how many rows."""
    deleted = 0
    for statement, seconds in (
        (_EVENT_LOG, retention.event_log_seconds),
        (_INBOX, retention.inbox_seconds),
        (_ATTEMPTS, retention.inbox_seconds),
        (_DEAD_LETTERS, retention.dead_letter_seconds),
    ):
        count = CHUNK_ROWS
        while count == CHUNK_ROWS:
            count = int((await connection.execute(statement, seconds, CHUNK_ROWS)).split()[-1])
            deleted += count
    return deleted + await bus.prune(retention.bus_seconds)


async def measure_outbox(connection: asyncpg.Connection[Any], service: str) -> None:
    """Set the outbox gauges of a service."""
    row = await connection.fetchrow(_OUTBOX)
    assert row is not None
    OUTBOX_PENDING.labels(service).set(row["pending"])
    OUTBOX_HELD.labels(service).set(row["held"])
    OUTBOX_OLDEST_SECONDS.labels(service).set(row["oldest_seconds"])

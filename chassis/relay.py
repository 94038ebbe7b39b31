"""The relay: takes committed events to the bus in order, and notices when the bus is a new one.

One relay is active per shard: it holds an advisory lock on the connection it works with, so losing the
connection is losing the lock. A relay that lost it may still send, which repeats events; it never
reorders their first occurrences.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import asyncpg
import pydantic_core
import structlog
from opentelemetry.trace import SpanKind

from chassis.bus.port import Bus, BusProducer, NewRecord, Refused
from chassis.clock import system_clock
from chassis.db import connect_alone
from chassis.errors import Fault
from chassis.failures import DATABASE_TROUBLE, describe
from chassis.messaging_metrics import (
    RELAY_BUS_CHANGES,
    RELAY_FAILURES,
    RELAY_PUBLISHED,
    RELAY_REPUBLISHED,
)
from chassis.notifier import CHANNEL, notify_commits, set_after, wait_for
from chassis.relay_shards import adopt_shards, hold
from chassis.retention import Retention, clean, measure_outbox
from chassis.telemetry import span

BATCH_ROWS = 500
BATCH_BYTES = 4 * 1024 * 1024
"""A batch ends with the event that passes this: 500 of the largest would be 450 MB."""
POLL_SECONDS = 1.0
MEASURE_SECONDS = 1.0
CLUSTER_CHECK_SECONDS = 30.0
CONTACT_SECONDS = 5.0
"""After so long without sending, the bus is asked who it is before anything goes to it."""
CLEANUP_SECONDS = 600.0
STATEMENT_SECONDS = 15.0
REOPEN_SECONDS = 600.0
"""For the one statement that opens a whole retention window again."""
HELD_SECONDS = (1.0, 300.0)
"""First and longest wait before an event the bus refused is tried again."""

_log = structlog.get_logger("tongban.relay")

_HELD = """
select distinct aggregate_id from event_log
where shard = $1 and published_at is null and next_attempt_at > clock_timestamp()
"""
_PENDING = """
select * from (
  select first.*, sum(octet_length(payload)) over (order by seq) - octet_length(payload) as bytes_before from (
    select seq, event_id, topic, aggregate_id, headers, payload, attempts from event_log
    where shard = $1 and published_at is null and aggregate_id <> all($2::text[])
    order by seq limit $3) first) sized
where bytes_before < $4 order by seq
"""
_MARK = "update event_log set published_at = clock_timestamp(), last_error = null where seq = any($1)"
_HOLD = """
update event_log set attempts = least(attempts + 1, 30000), last_error = $2,
       next_attempt_at = clock_timestamp() + make_interval(secs => $3)
where seq = $1
"""
_REOPEN = """
update event_log set published_at = null, next_attempt_at = null
where shard = $1 and published_at is not null and created_at > clock_timestamp() - make_interval(secs => $2)
"""
_KNOW_ALL = """
insert into relay_state (shard, cluster_id) select shard, $1 from generate_series(0, $2::int - 1) shard
on conflict do nothing
"""


class Relay:
    """The relay of one service, beside the notifier that wakes whichever process holds the lock."""

    def __init__(
        self,
        service: str,
        dsn: str,
        bus: Bus,
        *,
        committed: asyncio.Event | None = None,
        shards: int = 1,
        retention: Retention | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Take ``Database.committed`` of this process, and the number of shards given to `outbox_writer`."""
        self._service, self._dsn, self._bus = service, dsn, bus
        self._committed, self._shards, self._poll_seconds = committed, shards, poll_seconds
        self._retention = retention or Retention()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until ``stop`` is set; the running batch is finished. Outages are waited out."""
        async with asyncio.TaskGroup() as tasks:
            if self._committed is not None:
                tasks.create_task(notify_commits(self._service, self._dsn, self._committed, stop))
            await self._patiently(lambda: self._adopt_shards(stop), stop)
            for shard in range(self._shards):
                tasks.create_task(self._keep_relaying(shard, stop))

    async def _keep_relaying(self, shard: int, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._patiently(lambda: self._hold_shard(shard, stop), stop)

    async def _patiently(self, step: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        """Repeat a step while it fails for an outage, until ``stop``."""
        while not stop.is_set():
            try:
                await step()
            except (*DATABASE_TROUBLE, Fault) as problem:
                RELAY_FAILURES.labels(self._service).inc()
                _log.warning("relay_interrupted", service=self._service, cause=describe(problem))
                await wait_for(stop, random.uniform(0.2, 1.0))  # noqa: S311 - jitter
            else:
                return

    async def _adopt_shards(self, stop: asyncio.Event) -> None:
        name = f"{self._service}-relay"
        connection = await connect_alone(self._dsn, name, answer_seconds=STATEMENT_SECONDS)
        try:
            await adopt_shards(connection, self._service, self._shards, stop, self._poll_seconds)
        finally:
            connection.terminate()

    async def _hold_shard(self, shard: int, stop: asyncio.Event) -> None:
        connection = await connect_alone(
            self._dsn, f"{self._service}-relay", answer_seconds=STATEMENT_SECONDS
        )
        producer = self._bus.producer()
        try:
            if not await hold(connection, shard, stop, self._poll_seconds):
                return
            _log.info("relay_active", service=self._service, shard=shard, bus=self._bus.transport)
            await self._relay(connection, producer, shard, stop)
        finally:
            try:  # the producer first: who gets the lock next must not meet its last sends
                await producer.close()
            finally:
                connection.terminate()

    async def _relay(
        self, connection: asyncpg.Connection[Any], producer: BusProducer, shard: int, stop: asyncio.Event
    ) -> None:
        wake = asyncio.Event()
        waker = asyncio.create_task(set_after(stop, wake))
        connection.add_termination_listener(lambda _: wake.set())
        await connection.add_listener(CHANNEL, lambda *_: wake.set())
        measured = checked = cleaned = heard = float("-inf")
        try:
            while not stop.is_set():
                if time.monotonic() - measured > MEASURE_SECONDS:
                    await measure_outbox(connection, self._service)
                    measured = time.monotonic()
                wake.clear()
                rows = await self._pending(connection, shard)
                now = time.monotonic()
                if now - checked > CLUSTER_CHECK_SECONDS or (rows and now - heard > CONTACT_SECONDS):
                    producer.hold_to(await self._check_cluster(connection, shard))
                    checked = heard = time.monotonic()
                    continue  # older events may have come in front
                if rows:
                    heard = now
                    if await self._publish(connection, producer, rows):
                        continue
                if shard == 0 and time.monotonic() - cleaned > CLEANUP_SECONDS:
                    await clean(connection, self._bus, self._retention)
                    cleaned = time.monotonic()
                if not stop.is_set():
                    await wait_for(wake, self._poll_seconds)
        finally:
            waker.cancel()

    async def _pending(self, connection: asyncpg.Connection[Any], shard: int) -> list[Any]:
        held = [row["aggregate_id"] for row in await connection.fetch(_HELD, shard)]
        return await connection.fetch(_PENDING, shard, held, BATCH_ROWS, BATCH_BYTES)

    async def _publish(
        self, connection: asyncpg.Connection[Any], producer: BusProducer, rows: list[Any]
    ) -> bool:
        """Send one batch and mark what was acknowledged; tell whether more may wait."""
        headers, now = [pydantic_core.from_json(row["headers"]) for row in rows], system_clock()
        records = [_new_record(row, texts, now) for row, texts in zip(rows, headers, strict=True)]
        with span(
            "relay publish",
            kind=SpanKind.PRODUCER,
            behind=[texts["traceparent"] for texts in headers if texts.get("traceparent")],
            batch_size=len(rows),
        ):
            outcomes = await producer.append(records)
        sent = [row["seq"] for row, refused in zip(rows, outcomes, strict=True) if refused is None]
        if sent:
            await connection.execute(_MARK, sent)
            RELAY_PUBLISHED.labels(self._service).inc(len(sent))
        for row, refused in zip(rows, outcomes, strict=True):
            if refused is not None and not refused.behind:
                await self._hold(connection, row, refused)
        is_full = len(rows) == BATCH_ROWS or sum(len(row["payload"]) for row in rows) >= BATCH_BYTES
        return bool(sent) and is_full

    async def _hold(self, connection: asyncpg.Connection[Any], row: Any, refused: Refused) -> None:
        """Have only this aggregate wait; a later version is never sent before this one."""
        first, longest = HELD_SECONDS
        seconds = min(longest, first * 2 ** min(row["attempts"], 20))
        await connection.execute(_HOLD, row["seq"], refused.cause, seconds)
        _log.error("event_refused_by_bus", service=self._service, seq=row["seq"], cause=refused.cause)

    async def _check_cluster(self, connection: asyncpg.Connection[Any], shard: int) -> str:
        """Return the bus's id; open the retention window again when it is not the one the events went to."""
        found = await self._bus.cluster_id()
        async with connection.transaction():
            known = await connection.fetchval("select cluster_id from relay_state where shard = $1", shard)
            if known == found:
                return found
            await connection.execute(
                """
                insert into relay_state (shard, cluster_id) values ($1, $2)
                on conflict (shard) do update set cluster_id = excluded.cluster_id, since = clock_timestamp()
                """,
                shard,
                found,
            )
            if known is None:  # the first contact: all shards at once, their number is on record with it
                await connection.execute(_KNOW_ALL, found, self._shards)
                return found
            tag = await connection.execute(
                _REOPEN, shard, self._retention.event_log_seconds, timeout=REOPEN_SECONDS
            )
        count = int(tag.split()[-1])
        RELAY_BUS_CHANGES.labels(self._service).inc()
        RELAY_REPUBLISHED.labels(self._service).inc(count)
        _log.error("bus_replaced", service=self._service, shard=shard, republished=count)
        return found


def _new_record(row: Any, texts: Mapping[str, str], now: datetime) -> NewRecord:
    headers = tuple([(name, value.encode()) for name, value in texts.items()])
    return NewRecord(
        row["topic"], row["aggregate_id"].encode(), headers, row["payload"], row["event_id"], now
    )

"""The consumer: from batches of the bus to effects, with bounded attempts and parking.

1. Decode; an unreadable record is marked, nothing raises.
2. One transaction per batch: inbox, parked keys, handlers in log order, state, outbox.
3. An outage holds the whole batch back and counts nothing; an event's own fault sends the batch
   through event by event.
4. Attempts are counted in their own transaction before the try, so that an event that ends the
   process is counted as well.
5. After the last attempt the event, and every later one of its key, waits for an operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from opentelemetry.trace import SpanKind

from chassis import inbox_store as store
from chassis.bus.port import Bus, Lag, Record
from chassis.db import Database
from chassis.delivery import Delivery, Handler, decode
from chassis.failures import describe, is_outage
from chassis.inbox_batch import Inbox
from chassis.messaging_metrics import (
    CONSUMER_ATTEMPTS,
    CONSUMER_BACKOFFS,
    CONSUMER_BATCH_SECONDS,
    CONSUMER_LAG_EVENTS,
    CONSUMER_LAG_SECONDS,
    CONSUMER_MEASURED,
    PARKED_KEYS,
    PARKED_OLDEST_SECONDS,
)
from chassis.notifier import wait_for
from chassis.telemetry import span

__all__ = ["Consumer", "Handler", "Inbox", "Limits"]

_log = structlog.get_logger("tongban.inbox")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a consumer tries. In-place waiting stays far below Kafka's max_poll_interval of 300 s."""

    attempts: int = 3
    first_pause_seconds: float = 0.1
    outage_first_pause_seconds: float = 0.2
    outage_longest_pause_seconds: float = 5.0
    outage_total_seconds: float = 30.0
    measure_seconds: float = 15.0


class Consumer:
    """One service's place in the bus: consumer group and inbox carry its name."""

    def __init__(
        self,
        service: str,
        db: Database,
        handlers: Iterable[Handler[Any, Any]],
        bus: Bus,
        *,
        limits: Limits | None = None,
    ) -> None:
        self.service, self.db, self.bus = service, db, bus
        self.inbox = Inbox(service, db, handlers)
        self.limits = limits or Limits()
        self._stopping = asyncio.Event()

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of all handled events, sorted."""
        return self.inbox.topics

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop`` is set; the running batch is finished, or left to the next if it waits.

        Raises BUS_TOPIC_MISSING at the start when a topic is not provisioned.
        """
        self._stopping = stop
        try:
            await self._patiently(lambda: self.bus.require_topics(self.topics))
        except Exception as problem:
            if stop.is_set() and is_outage(problem):
                return
            raise
        member = self.bus.consumer(self.service, self.topics, self.receive)
        measuring = asyncio.create_task(self._keep_measuring())
        try:
            await member.run(stop)
        finally:
            measuring.cancel()
            await asyncio.gather(measuring, return_exceptions=True)

    async def receive(self, records: Sequence[Record]) -> None:
        """Have every record applied, seen before, or parked. Raises only for a lasting outage."""
        batch = [decode(record, self.inbox.handlers) for record in records]
        began = [delivery.envelope.traceparent for delivery in batch if delivery.envelope]
        with (
            CONSUMER_BATCH_SECONDS.labels(self.service).time(),
            span(
                "consume batch",
                kind=SpanKind.CONSUMER,
                behind=began,
                consumer=self.service,
                batch_size=len(batch),
            ),
        ):
            await self._settle(batch)

    async def _settle(self, batch: Sequence[Delivery]) -> None:
        try:
            if not await self._patiently(lambda: self._begin(batch)):
                try:
                    await self._patiently(lambda: self.inbox.apply(batch))
                except Exception as problem:
                    if is_outage(problem):
                        raise
                    _log.warning("batch_taken_apart", service=self.service, cause=describe(problem))
                else:
                    return
            for delivery in batch:
                await self._alone(delivery)
        except Exception as problem:
            if is_outage(problem):
                with contextlib.suppress(Exception):
                    async with self.db.transaction() as tx:
                        await store.forget_batch(tx, self.service, batch)
            raise

    async def _begin(self, batch: Sequence[Delivery]) -> bool:
        async with self.db.transaction() as tx:
            return await store.begin_batch(tx, self.service, batch)

    async def _alone(self, delivery: Delivery) -> None:
        attempts, cause = await self._patiently(lambda: self._count(delivery, 1)), "PROCESS_ENDED"
        while attempts <= self.limits.attempts:
            try:
                await self._patiently(lambda: self.inbox.apply([delivery]))
            except Exception as problem:
                if is_outage(problem):
                    with contextlib.suppress(Exception):  # with the database away nothing can be counted
                        await self._count(delivery, -1)
                    raise
                cause = describe(problem)
            else:
                return
            if attempts == self.limits.attempts:
                break
            await asyncio.sleep(self._jittered(self.limits.first_pause_seconds * 3 ** (attempts - 1)))
            attempts = await self._patiently(lambda: self._count(delivery, 1))
        _log.error(
            "event_parked", service=self.service, topic=delivery.record.topic, type=delivery.type, cause=cause
        )
        tried = min(attempts, self.limits.attempts)
        await self._patiently(lambda: self.inbox.apply([delivery], park_cause=cause, attempts=tried))

    async def _count(self, delivery: Delivery, step: int) -> int:
        CONSUMER_ATTEMPTS.labels(self.service).inc(max(0, step))
        async with self.db.transaction() as tx:
            return await store.count_attempt(tx, self.service, delivery.event_id, step)

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Repeat a step while an outage lasts, up to a limit or the stop; then raise: the bus redelivers."""
        limits, started = self.limits, time.monotonic()
        pause = limits.outage_first_pause_seconds
        while True:
            try:
                return await step()
            except Exception as problem:
                is_over = time.monotonic() - started > limits.outage_total_seconds or self._stopping.is_set()
                if is_over or not is_outage(problem):
                    raise
                CONSUMER_BACKOFFS.labels(self.service).inc()
                _log.info("consumer_waits", service=self.service, cause=describe(problem))
            await wait_for(self._stopping, self._jittered(pause))
            pause = min(pause * 2, limits.outage_longest_pause_seconds)

    @staticmethod
    def _jittered(seconds: float) -> float:
        return seconds * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing

    async def _keep_measuring(self) -> None:
        while True:
            try:
                await self.measure()
            except Exception as problem:  # noqa: BLE001 - a gauge that is old must not end the consumer
                _log.warning("lag_not_measured", service=self.service, cause=describe(problem))
            await asyncio.sleep(self.limits.measure_seconds)

    async def measure(self) -> list[Lag]:
        """Set the gauges of lag and of parked keys; return the lag."""
        lags = await self.bus.lag(self.service, self.topics)
        now = self.db.now()
        for topic in self.topics:
            parts = [lag for lag in lags if lag.topic == topic]
            ages = [(now - lag.oldest_unread_at).total_seconds() for lag in parts if lag.oldest_unread_at]
            CONSUMER_LAG_EVENTS.labels(self.service, topic).set(sum(lag.events for lag in parts))
            CONSUMER_LAG_SECONDS.labels(self.service, topic).set(max(0.0, *ages, 0.0))
        CONSUMER_MEASURED.labels(self.service).set(now.timestamp())
        async with self.db.transaction() as tx:
            row = await tx.fetchrow(
                "select count(*) as keys, min(parked_at) as oldest from parked_key where consumer = $1",
                self.service,
            )
        assert row is not None
        PARKED_KEYS.labels(self.service).set(row["keys"])
        oldest = row["oldest"]
        PARKED_OLDEST_SECONDS.labels(self.service).set((now - oldest).total_seconds() if oldest else 0)
        return lags

"""Applies deliveries: each effect once, order per key, one transaction for a whole batch."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

import structlog
from opentelemetry.trace import SpanKind

from chassis import inbox_store as store
from chassis.db import Database, Transaction
from chassis.delivery import Delivery, Handler, Place
from chassis.event import Event
from chassis.messaging_metrics import (
    CONSUMED,
    DEAD_LETTERS,
    INBOX_DUPLICATES,
    INBOX_GAPS,
    INBOX_STALE,
    INBOX_UNHANDLED,
)
from chassis.traceparent import traced

MAX_PREPARING = 16
"""How many peers' answers one consumer awaits at once."""

_METRICS = {
    "applied": CONSUMED,
    "parked": DEAD_LETTERS,
    "duplicate": INBOX_DUPLICATES,
    "gap": INBOX_GAPS,
    "stale": INBOX_STALE,
    "unhandled": INBOX_UNHANDLED,
}
_log = structlog.get_logger("tongban.inbox")


class Inbox:
    """The handlers of one service and the record of what they have seen."""

    def __init__(self, service: str, db: Database, handlers: Iterable[Handler[Event, object]]) -> None:
        self.service, self.db = service, db
        self.handlers: dict[str, Handler[Event, object]] = {}
        for handler in handlers:
            if handler.event.TYPE in self.handlers:
                raise ValueError(f"two handlers for {handler.event.TYPE}")
            self.handlers[handler.event.TYPE] = handler
        self.topics = tuple(sorted({handler.event.TOPIC for handler in self.handlers.values()}))
        self._ordered = {handler.event.TOPIC for handler in self.handlers.values() if handler.ordered}
        self._slots = asyncio.Semaphore(MAX_PREPARING)

    async def apply(self, batch: Sequence[Delivery], *, park_cause: str = "", attempts: int = 0) -> None:
        """Apply what is fresh, park what is unreadable or behind a parked one, skip what was seen.

        All in one transaction, or nothing when it raises. With ``park_cause`` the batch is one event
        that failed too often and is parked instead of applied.
        """
        if not park_cause:
            await self._prepare(batch)
        tally: Counter[str] = Counter()
        async with self.db.transaction() as tx:
            fresh = await store.insert_fresh(tx, self.service, (d.event_id for d in batch))
            parked = await store.parked(tx, self.service, (d.place for d in batch), lock=True)
            ordered = [d.place for d in batch if d.record.topic in self._ordered]
            seen = await store.versions(tx, self.service, ordered) if ordered else {}
            known = dict(seen)
            for delivery in batch:
                if delivery.event_id not in fresh:
                    tally["duplicate"] += 1
                    continue
                fresh.remove(delivery.event_id)
                cause = delivery.cause or park_cause
                if delivery.place in parked:
                    cause = cause or "BEHIND_PARKED_EVENT"
                if cause:
                    await store.park(tx, self.service, delivery, cause, attempts)
                    parked.add(delivery.place)
                    tally["parked"] += 1
                else:
                    await self._apply_one(tx, delivery, seen, tally)
            if seen != known:
                changed = {place: version for place, version in seen.items() if known.get(place) != version}
                await store.save_versions(tx, self.service, changed)
            if len(batch) == 1:
                await store.clear_attempts(tx, self.service, batch[0].event_id)
        for name, count in tally.items():
            _METRICS[name].labels(self.service).inc(count)

    async def replay(self, tx: Transaction, delivery: Delivery) -> None:
        """Apply one parked event in the caller's transaction. Raises what its handler raises."""
        tally: Counter[str] = Counter()
        is_ordered = delivery.record.topic in self._ordered
        seen = await store.versions(tx, self.service, [delivery.place]) if is_ordered else {}
        await self._apply_one(tx, delivery, seen, tally)
        if seen:
            await store.save_versions(tx, self.service, seen)

    async def prepare(self, delivery: Delivery) -> None:
        """Fetch what the handler of an event needs from peers, once for a delivery."""
        handler = delivery.handler
        if handler is None or handler.prepare is None or delivery.event is None or delivery.is_prepared:
            return
        async with self._slots:
            above = delivery.envelope.traceparent if delivery.envelope else None
            with traced(f"prepare {handler.event.TYPE}", above, SpanKind.CONSUMER):
                delivery.prepared = await handler.prepare(delivery.event)
            delivery.is_prepared = True

    async def _prepare(self, batch: Sequence[Delivery]) -> None:
        wanted = [d for d in batch if d.handler and d.handler.prepare and d.event and not d.is_prepared]
        if not wanted:
            return
        async with self.db.transaction() as tx:
            seen = await store.known(tx, self.service, (d.event_id for d in wanted))
            parked = await store.parked(tx, self.service, (d.place for d in wanted), lock=False)
        wanted = [d for d in wanted if d.event_id not in seen and d.place not in parked]
        results = await asyncio.gather(*map(self.prepare, wanted), return_exceptions=True)
        problems = [result for result in results if isinstance(result, BaseException)]
        if problems:
            raise problems[0]

    async def _apply_one(
        self, tx: Transaction, delivery: Delivery, seen: dict[Place, int], tally: Counter[str]
    ) -> None:
        handler, envelope = delivery.handler, delivery.envelope
        if envelope is None:
            return
        if delivery.record.topic in self._ordered and not self._advance(
            delivery, envelope.version, seen, tally
        ):
            return
        if handler is None or delivery.event is None:
            tally["unhandled"] += 1
            return
        if handler.prepare and not delivery.is_prepared:
            raise RuntimeError("the key was parked at the preparing and is free now: once more")
        with traced(f"consume {envelope.type}", envelope.traceparent, SpanKind.CONSUMER):
            await handler.apply(tx, delivery.event, envelope, delivery.prepared)
        tally["applied"] += 1

    def _advance(self, delivery: Delivery, version: int, seen: dict[Place, int], tally: Counter[str]) -> bool:
        last = seen.get(delivery.place)
        if last is not None and version <= last:
            tally["stale"] += 1
            return False
        if last is not None and version > last + 1:
            tally["gap"] += 1
            topic, partition, offset = (
                delivery.record.topic,
                delivery.record.partition,
                delivery.record.offset,
            )
            _log.error(
                "aggregate_version_gap", service=self.service, topic=topic, partition=partition, offset=offset
            )
        seen[delivery.place] = version
        return True

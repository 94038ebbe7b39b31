"""The statements of the inbox, the attempt counters and the parking place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from chassis.bus.port import dump_headers
from chassis.db import Transaction
from chassis.delivery import Delivery, Place

_PARKED = """
select p.topic, p.key from parked_key p
join unnest($2::text[], $3::text[]) w(topic, key) on w.topic = p.topic and w.key = p.key
where p.consumer = $1 order by p.topic, p.key
"""
_PARKED_LOCKED = _PARKED + " for update of p"


async def insert_fresh(tx: Transaction, consumer: str, event_ids: Iterable[UUID]) -> set[UUID]:
    """Record events as seen; return those that were not. Sorted, or two consumers deadlock."""
    rows = await tx.fetch(
        """
        insert into inbox (consumer, event_id) select $1, id from unnest($2::uuid[]) id
        on conflict do nothing returning event_id
        """,
        consumer,
        sorted(set(event_ids)),
    )
    return {row["event_id"] for row in rows}


async def known(tx: Transaction, consumer: str, event_ids: Iterable[UUID]) -> set[UUID]:
    """Return which of the events are recorded as seen, without recording any."""
    rows = await tx.fetch(
        "select event_id from inbox where consumer = $1 and event_id = any($2)", consumer, list(event_ids)
    )
    return {row["event_id"] for row in rows}


async def parked(tx: Transaction, consumer: str, places: Iterable[Place], *, lock: bool) -> set[Place]:
    """Return which keys are parked; the lock keeps a replay from freeing one meanwhile."""
    wanted = sorted(set(places))
    rows = await tx.fetch(
        _PARKED_LOCKED if lock else _PARKED,
        consumer,
        [topic for topic, _ in wanted],
        [key for _, key in wanted],
    )
    return {(row["topic"], row["key"]) for row in rows}


async def park(tx: Transaction, consumer: str, delivery: Delivery, cause: str, attempts: int) -> None:
    """Put a record aside behind earlier ones of its key; its inbox row is in the same transaction."""
    record, (topic, key) = delivery.record, delivery.place
    await tx.execute(
        "insert into parked_key (consumer, topic, key) values ($1, $2, $3) on conflict do nothing",
        consumer,
        topic,
        key,
    )
    await tx.execute(
        """
        insert into dead_letter (consumer, topic, key, partition, position, event_id, type, record_key, headers,
                                 body, at, cause, attempts)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        consumer,
        topic,
        key,
        record.partition,
        record.offset,
        delivery.event_id,
        delivery.type,
        record.key,
        dump_headers(record.headers),
        record.body,
        record.at,
        cause,
        attempts,
    )


async def versions(tx: Transaction, consumer: str, places: Iterable[Place]) -> dict[Place, int]:
    """Return the versions seen of aggregates; one never seen is absent."""
    wanted = sorted(set(places))
    rows = await tx.fetch(
        """
        select s.topic, s.aggregate_id, s.version from seen_version s
        join unnest($2::text[], $3::text[]) w(topic, id) on w.topic = s.topic and w.id = s.aggregate_id
        where s.consumer = $1
        """,
        consumer,
        [topic for topic, _ in wanted],
        [key for _, key in wanted],
    )
    return {(row["topic"], row["aggregate_id"]): row["version"] for row in rows}


async def save_versions(tx: Transaction, consumer: str, seen: Mapping[Place, int]) -> None:
    """Record the versions seen of aggregates."""
    places = sorted(seen)
    await tx.execute(
        """
        insert into seen_version (consumer, topic, aggregate_id, version)
        select $1, topic, id, version from unnest($2::text[], $3::text[], $4::bigint[]) w(topic, id, version)
        on conflict (consumer, topic, aggregate_id) do update set version = excluded.version
        """,
        consumer,
        [topic for topic, _ in places],
        [key for _, key in places],
        [seen[place] for place in places],
    )


async def begin_batch(tx: Transaction, consumer: str, deliveries: Sequence[Delivery]) -> bool:
    """Note where a batch starts, before it is tried; tell whether it was begun before from there.

    It may then hold an event that ends the process. Losing the note in a power cut is harmless,
    so its commit does not wait for the disk.
    """
    firsts: dict[tuple[str, int], int] = {}
    for delivery in deliveries:
        firsts.setdefault((delivery.record.topic, delivery.record.partition), delivery.record.offset)
    places = sorted(firsts)
    await tx.execute("set local synchronous_commit = off")
    rows = await tx.fetch(
        """
        insert into batch_try as b (consumer, topic, partition, first_offset, tries)
        select $1, topic, part, off, 1 from unnest($2::text[], $3::int[], $4::bigint[]) w(topic, part, off)
        on conflict (consumer, topic, partition) do update set first_offset = excluded.first_offset,
          tries = case when b.first_offset = excluded.first_offset then b.tries + 1 else 1 end
        returning tries
        """,
        consumer,
        [topic for topic, _ in places],
        [part for _, part in places],
        [firsts[place] for place in places],
    )
    return any(row["tries"] > 1 for row in rows)


async def forget_batch(tx: Transaction, consumer: str, deliveries: Sequence[Delivery]) -> None:
    """Undo `begin_batch`: the batch failed for a reason that is not its own."""
    places = {(delivery.record.topic, delivery.record.partition) for delivery in deliveries}
    await tx.execute(
        """
        delete from batch_try b using unnest($2::text[], $3::int[]) w(topic, part)
        where b.consumer = $1 and b.topic = w.topic and b.partition = w.part
        """,
        consumer,
        [topic for topic, _ in places],
        [part for _, part in places],
    )


async def count_attempt(tx: Transaction, consumer: str, event_id: UUID, step: int) -> int:
    """Change an event's counter of attempts by ``step`` and return it."""
    await tx.execute("set local synchronous_commit = off")
    attempts: int = await tx.fetchval(
        """
        insert into delivery_attempt as d (consumer, event_id, attempts) values ($1, $2, greatest($3, 0))
        on conflict (consumer, event_id) do update set attempts = greatest(d.attempts + $3, 0), at = clock_timestamp()
        returning attempts
        """,
        consumer,
        event_id,
        step,
    )
    return attempts


async def clear_attempts(tx: Transaction, consumer: str, event_id: UUID) -> None:
    """Forget an event's counter: it was applied or parked."""
    await tx.execute("delete from delivery_attempt where consumer = $1 and event_id = $2", consumer, event_id)

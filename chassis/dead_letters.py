"""What an operator does with parked events: look, apply again in order, or drop with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.bus.port import Headers, Record, load_headers
from chassis.db import Database, Transaction
from chassis.delivery import Place, decode
from chassis.errors import FIELD_REQUIRED, Kind, declare, refuse
from chassis.failures import describe, is_outage
from chassis.inbox_batch import Inbox

DEAD_LETTER_NOT_FOUND = declare(
    "DEAD_LETTER_NOT_FOUND", Kind.NOT_FOUND, "没有这条搁置的事件", "No such parked event: {dead_letter_id}"
)

_COLUMNS = """dead_letter_id, consumer, topic, key, partition, position, event_id, type, record_key, headers, body,
at, cause, attempts, parked_at, state, resolved_at, resolved_by, resolution"""


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Parked events of one cause; those behind another one of their key have a cause of their own."""

    cause: str
    keys: int
    events: int
    oldest_parked_at: datetime
    example_key: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One parked record with where it came from and what became of it."""

    dead_letter_id: int
    topic: str
    key: str
    partition: int
    position: int
    event_id: UUID
    type: str | None
    record_key: bytes | None
    headers: Headers
    body: bytes | None
    at: datetime
    cause: str
    attempts: int
    parked_at: datetime
    state: str
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None

    def record(self) -> Record:
        """Return the record as the bus delivered it."""
        return Record(
            self.topic, self.partition, self.position, self.record_key, self.headers, self.body, self.at
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a replay came: ``cause`` says why the next of the ``left`` events failed again."""

    applied: int
    left: int
    cause: str | None = None


async def list_causes(db: Database, consumer: str) -> list[CauseGroup]:
    """Return the parked events of a consumer grouped by cause, most events first."""
    async with db.transaction() as tx:
        rows = await tx.fetch(
            """
            select cause, count(distinct (topic, key)) as keys, count(*) as events, min(parked_at) as oldest_parked_at,
                   min(key) as example_key
            from dead_letter where consumer = $1 and state = 'parked' group by cause order by events desc, cause
            """,
            consumer,
        )
    return [CauseGroup(**dict(row)) for row in rows]


async def list_keys(db: Database, consumer: str, cause: str | None = None, limit: int = 100) -> list[Place]:
    """Return parked keys, oldest first; with a cause only those that have an event of it."""
    async with db.transaction() as tx:
        rows = await tx.fetch(
            """
            select p.topic, p.key from parked_key p where p.consumer = $1 and ($2::text is null or exists (
              select 1 from dead_letter d where d.consumer = p.consumer and d.topic = p.topic and d.key = p.key
                and d.state = 'parked' and d.cause = $2))
            order by p.parked_at limit $3
            """,
            consumer,
            cause,
            limit,
        )
    return [(row["topic"], row["key"]) for row in rows]


async def show(db: Database, consumer: str, key: str) -> list[DeadLetter]:
    """Return all events of a key that were ever parked and are still kept, in order."""
    async with db.transaction() as tx:
        rows = await tx.fetch(
            f"select {_COLUMNS} from dead_letter where consumer = $1 and key = $2 order by dead_letter_id",  # noqa: S608
            consumer,
            key,
        )
    return [_letter(row) for row in rows]


async def replay(inbox: Inbox, key: str, *, actor: str) -> Replayed:
    """Apply a key's parked events in order, each in its own transaction, and free the key at the end.

    Stops at the first event that fails again; an outage is raised.
    """
    async with inbox.db.transaction() as tx:
        rows = await tx.fetch(
            "select topic from parked_key where consumer = $1 and key = $2 order by topic", inbox.service, key
        )
    applied, left, cause = 0, 0, None
    for row in rows:
        done = await _replay_place(inbox, (row["topic"], key), actor)
        applied, left, cause = applied + done.applied, left + done.left, cause or done.cause
    return Replayed(applied, left, cause)


async def discard(db: Database, consumer: str, dead_letter_id: int, *, actor: str, reason: str) -> None:
    """Drop one parked event for good; the row stays with who and why, the key is freed after its last.

    Raises INVALID_REQUEST without a reason, DEAD_LETTER_NOT_FOUND when it is not parked.
    """
    refuse([FIELD_REQUIRED.at("reason")] if not reason.strip() else [])
    async with db.transaction() as tx:
        row = await tx.fetchrow(
            "select topic, key from dead_letter where dead_letter_id = $1 and consumer = $2 and state = 'parked'",
            dead_letter_id,
            consumer,
        )
        if row is None:
            raise DEAD_LETTER_NOT_FOUND(dead_letter_id=dead_letter_id)
        await _lock(tx, consumer, (row["topic"], row["key"]))
        if not await _is_parked(tx, dead_letter_id):  # somebody replayed or discarded it meanwhile
            raise DEAD_LETTER_NOT_FOUND(dead_letter_id=dead_letter_id)
        await _resolve(tx, dead_letter_id, "discarded", actor, reason)
        await _free_if_empty(tx, consumer, (row["topic"], row["key"]))


async def _replay_place(inbox: Inbox, place: Place, actor: str) -> Replayed:
    applied = 0
    while True:
        head, left = await _first_parked(inbox.db, inbox.service, place)
        if head is None:
            return Replayed(applied, 0)
        delivery = decode(head.record(), inbox.handlers)
        if delivery.cause:
            return Replayed(applied, left, delivery.cause)
        try:
            await inbox.prepare(delivery)
            async with inbox.db.transaction() as tx:
                if not await _lock(tx, inbox.service, place) or not await _is_parked(tx, head.dead_letter_id):
                    continue  # somebody else was here meanwhile: look again
                await inbox.replay(tx, delivery)
                await _resolve(tx, head.dead_letter_id, "replayed", actor, None)
                await _free_if_empty(tx, inbox.service, place)
        except Exception as problem:
            if is_outage(problem):
                raise
            return Replayed(applied, left, describe(problem))
        applied += 1


async def _first_parked(db: Database, consumer: str, place: Place) -> tuple[DeadLetter | None, int]:
    """Return the first parked event of a key, and how many are parked."""
    async with db.transaction() as tx:
        row = await tx.fetchrow(
            f"""select {_COLUMNS} from dead_letter
            where consumer = $1 and topic = $2 and key = $3 and state = 'parked'
            order by dead_letter_id limit 1""",  # noqa: S608
            consumer,
            *place,
        )
        left = await tx.fetchval(
            "select count(*) from dead_letter where consumer = $1 and topic = $2 and key = $3 and state = 'parked'",
            consumer,
            *place,
        )
    return (_letter(row) if row else None), left


async def _lock(tx: Transaction, consumer: str, place: Place) -> bool:
    """Lock the key, so that a new event of it waits until this transaction has freed it or not."""
    statement = "select 1 from parked_key where consumer = $1 and topic = $2 and key = $3 for update"
    return await tx.fetchval(statement, consumer, *place) is not None


async def _is_parked(tx: Transaction, dead_letter_id: int) -> bool:
    statement = "select state = 'parked' from dead_letter where dead_letter_id = $1"
    return bool(await tx.fetchval(statement, dead_letter_id))


async def _resolve(tx: Transaction, dead_letter_id: int, state: str, actor: str, reason: str | None) -> None:
    await tx.execute(
        """
        update dead_letter set state = $2, resolved_at = clock_timestamp(), resolved_by = $3, resolution = $4
        where dead_letter_id = $1 and state = 'parked'
        """,
        dead_letter_id,
        state,
        actor,
        reason,
    )


async def _free_if_empty(tx: Transaction, consumer: str, place: Place) -> None:
    await tx.execute(
        """
        delete from parked_key p where p.consumer = $1 and p.topic = $2 and p.key = $3 and not exists (
          select 1 from dead_letter d where d.consumer = $1 and d.topic = $2 and d.key = $3 and d.state = 'parked')
        """,
        consumer,
        *place,
    )


def _letter(row: Any) -> DeadLetter:
    values = dict(row)
    values.pop("consumer")
    return DeadLetter(**{**values, "headers": load_headers(row["headers"])})

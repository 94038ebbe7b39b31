"""The statements of the outbox, the relay, its shards and the retention."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg

from chassis import outbox, relay, relay_shards, retention
from tests.simulator.database.engine import Session
from tests.simulator.database.statements import Answer, answers, before

EVENTS = "event_log"
NOTE_CLUSTER = """insert into relay_state (shard, cluster_id) values ($1, $2)
on conflict (shard) do update set cluster_id = excluded.cluster_id, since = clock_timestamp()"""


@answers(outbox._INSERT)
async def insert_events(session: Session, *columns: list[Any]) -> Answer:
    names = (
        "event_id",
        "aggregate_type",
        "aggregate_id",
        "version",
        "type",
        "topic",
        "headers",
        "payload",
        "shard",
    )
    for values in zip(*columns, strict=True):
        row = dict(zip(names, values, strict=True))
        row |= {"seq": session.server.next_value(EVENTS), "created_at": session.now(), "published_at": None}
        row |= {"attempts": 0, "next_attempt_at": None, "last_error": None}
        unique = (
            ("event_id", row["event_id"]),
            ("version", (row["topic"], row["aggregate_id"], row["version"])),
        )
        for name, key in unique:
            if not await session.insert(f"{EVENTS}.{name}", key, {}):
                raise asyncpg.UniqueViolationError(f"duplicate key value: {name}")
        await session.put(EVENTS, row["seq"], row)
    return len(columns[0])


def _waiting(session: Session, shard: int) -> list[dict[str, Any]]:
    found = [row for _, row in session.rows(EVENTS) if row["published_at"] is None and row["shard"] == shard]
    return sorted(found, key=lambda row: row["seq"])


@answers(relay._HELD)
async def held_keys(session: Session, shard: int) -> Answer:
    now = session.now()
    late = (
        row for row in _waiting(session, shard) if row["next_attempt_at"] and row["next_attempt_at"] > now
    )
    return [{"aggregate_id": key} for key in dict.fromkeys(row["aggregate_id"] for row in late)]


@answers(relay._PENDING)
async def pending_events(
    session: Session, shard: int, held: list[str], rows: int, limit_bytes: int
) -> Answer:
    found, bytes_before = [], 0
    for row in [row for row in _waiting(session, shard) if row["aggregate_id"] not in held][:rows]:
        if bytes_before < limit_bytes:
            found.append(row | {"bytes_before": bytes_before})
        bytes_before += len(row["payload"])
    return found


@answers(relay._MARK)
async def mark_published(session: Session, seqs: list[int]) -> Answer:
    return sum(
        [await session.update(EVENTS, seq, published_at=session.now(), last_error=None) for seq in sorted(seqs)
         if session.get(EVENTS, seq)]
    )  # fmt: skip


@answers(relay._HOLD)
async def hold_event(session: Session, seq: int, cause: str, seconds: float) -> Answer:
    await session.lock(EVENTS, seq)
    row = session.get(EVENTS, seq)
    if row is None:
        return 0
    again = session.now() + timedelta(seconds=seconds)
    attempts = min(row["attempts"] + 1, 30_000)
    return int(await session.update(EVENTS, seq, attempts=attempts, last_error=cause, next_attempt_at=again))


@answers(relay._REOPEN)
async def reopen_window(session: Session, shard: int, seconds: float) -> Answer:
    since = before(session, seconds)
    wanted = [
        seq
        for seq, row in session.rows(EVENTS)
        if row["shard"] == shard and row["published_at"] is not None and row["created_at"] > since
    ]
    return sum([await session.update(EVENTS, seq, published_at=None, next_attempt_at=None) for seq in wanted])


@answers("select cluster_id from relay_state where shard = $1")
async def known_cluster(session: Session, shard: int) -> Answer:
    row = session.get("relay_state", shard)
    return [{"cluster_id": row["cluster_id"]}] if row else []


@answers(NOTE_CLUSTER)
async def note_cluster(session: Session, shard: int, cluster_id: str) -> Answer:
    await session.put("relay_state", shard, {"cluster_id": cluster_id})
    return 1


@answers(relay._KNOW_ALL)
async def note_cluster_of_all(session: Session, cluster_id: str, shards: int) -> Answer:
    return sum(
        [await session.insert("relay_state", shard, {"cluster_id": cluster_id}) for shard in range(shards)]
    )


@answers(relay_shards._KNOWN)
async def count_shards(session: Session) -> Answer:
    return [{"count": len(list(session.rows("relay_state")))}]


@answers("select pg_try_advisory_lock($1, $2)")
async def try_advisory_lock(session: Session, space: int, number: int) -> Answer:
    holder = session.server.advisory.setdefault((space, number), session.owner)
    return [{"pg_try_advisory_lock": holder is session.owner}]


@answers("select pg_notify($1, '')")
async def notify(session: Session, channel: str) -> Answer:
    session.server.notify(channel)
    return [{"pg_notify": ""}]


@answers(retention._EVENT_LOG)
async def clean_events(session: Session, seconds: float, limit: int) -> Answer:
    since = before(session, seconds)
    over = [
        seq
        for seq, row in session.rows(EVENTS)
        if row["published_at"] and row["published_at"] < since and row["created_at"] < since
    ]
    return sum([await session.delete(EVENTS, seq) for seq in over[:limit]])


@answers(retention._INBOX)
async def clean_inbox(session: Session, seconds: float, limit: int) -> Answer:
    return await _clean(session, "inbox", "at", seconds, limit)


@answers(retention._ATTEMPTS)
async def clean_attempts(session: Session, seconds: float, limit: int) -> Answer:
    return await _clean(session, "delivery_attempt", "at", seconds, limit)


@answers(retention._DEAD_LETTERS)
async def clean_letters(session: Session, seconds: float, limit: int) -> Answer:
    return await _clean(session, "dead_letter", "resolved_at", seconds, limit)


async def _clean(session: Session, table: str, column: str, seconds: float, limit: int) -> int:
    since = before(session, seconds)
    over = [key for key, row in session.rows(table) if row[column] and row[column] < since]
    return sum([await session.delete(table, key) for key in over[:limit]])


@answers(retention._OUTBOX)
async def outbox_gauges(session: Session) -> Answer:
    waiting = [row for _, row in session.rows(EVENTS) if row["published_at"] is None]
    oldest = min((row["created_at"] for row in waiting), default=session.now())
    held = sum(row["next_attempt_at"] is not None for row in waiting)
    age = (session.now() - oldest).total_seconds()
    return [{"pending": len(waiting), "held": held, "oldest_seconds": age}]

"""The bus as a log in PostgreSQL: for the embedded default and small single-county installations.

The lock on a partition's head makes the order of offsets the order of commits, so reading
``off >= position`` never misses a row (an identity column alone loses one in six, measured).
Limits: one server is the bus and its single point of failure; heads serialise appends per partition.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg

from chassis.bus.placing import hash_key
from chassis.bus.port import (
    BUS_TOPIC_MISSING,
    BatchHandler,
    BusConfig,
    Lag,
    NewRecord,
    Refused,
    dump_headers,
    sift,
)
from chassis.bus.postgres_group import CHANNEL, GroupMember
from chassis.db import keep_session
from chassis.errors import PEER_UNAVAILABLE
from chassis.failures import DATABASE_TROUBLE

PRUNE_CHUNK_ROWS = 1000
STATEMENT_SECONDS = 15.0
ACQUIRE_SECONDS = 5.0

LOCK_HEADS = """
select p.topic, p.part, p.next_off from part p
join unnest($1::text[], $2::int[]) w(topic, part) on w.topic = p.topic and w.part = p.part
order by p.topic, p.part for update of p
"""
KNOWN = """
select m.topic, m.event_id from msg m
join unnest($1::text[], $2::uuid[]) w(topic, event_id) on w.topic = m.topic and w.event_id = m.event_id
"""
COLUMNS = ("topic", "part", "off", "event_id", "key", "headers", "body", "at")
COPY_FROM = 50
"""Records from which on a COPY is cheaper than an array per column."""
INSERT = f"""
insert into msg ({", ".join(COLUMNS)})
select * from unnest($1::text[], $2::int[], $3::bigint[], $4::uuid[], $5::bytea[], $6::json[], $7::bytea[],
                     $8::timestamptz[])
"""  # noqa: S608 - constants
ADVANCE = """
update part p set next_off = w.off from unnest($1::text[], $2::int[], $3::bigint[]) w(topic, part, off)
where p.topic = w.topic and p.part = w.part
"""
LAG = """
select p.topic, p.part, p.next_off - greatest(coalesce(g.off, p.first_off), p.first_off) as events,
       coalesce(g.off < p.first_off, false) as behind,
       (select m.at from msg m where m.topic = p.topic and m.part = p.part
         and m.off >= coalesce(g.off, p.first_off) order by m.off limit 1) as oldest_unread_at
from part p left join grp g on g.grp = $1 and g.topic = p.topic and g.part = p.part
where p.topic = any($2) order by p.topic, p.part
"""
REWIND = """
update grp g set owner = null, lease = null, gen = gen + 1, off = coalesce(
    (select min(m.off) from msg m where m.topic = g.topic and m.part = g.part and m.at >= $3), p.next_off)
from part p where p.topic = g.topic and p.part = g.part and g.grp = $1 and g.topic = any($2)
returning g.topic
"""


async def open_transport(config: BusConfig) -> PostgresBus:
    """Return the bus. Raises PEER_UNAVAILABLE when the bus database does not answer."""
    if not config.postgres_dsn:
        raise ValueError("the postgres bus needs postgres_dsn")
    try:
        pool = await asyncpg.create_pool(
            config.postgres_dsn,
            min_size=1,
            max_size=4,
            command_timeout=STATEMENT_SECONDS,
            reset=keep_session,
            server_settings={"application_name": f"{config.client_id}-bus", "timezone": "UTC"},
        )
    except DATABASE_TROUBLE as problem:
        raise PEER_UNAVAILABLE(peer="bus") from problem
    return PostgresBus(config, pool)


@asynccontextmanager
async def _lent(pool: asyncpg.Pool[Any]) -> AsyncIterator[Any]:
    """Lend a connection. Raises PEER_UNAVAILABLE for all trouble with the server."""
    try:
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            yield connection
    except DATABASE_TROUBLE as problem:
        raise PEER_UNAVAILABLE(peer="bus") from problem


class PostgresBus:
    """The PostgreSQL transport; implements ``chassis.bus.Bus``."""

    transport = "postgres"

    def __init__(self, config: BusConfig, pool: asyncpg.Pool[Any]) -> None:
        self._config = config
        self._pool = pool

    async def create_topics(self, topics: Sequence[str], partitions: int) -> None:
        """Provision missing topics; a topic that exists keeps its partitions."""
        statement = """
            insert into part (topic, part) select t, p from unnest($1::text[]) t, generate_series(0, $2::int - 1) p
            where not exists (select 1 from part x where x.topic = t) on conflict do nothing
            """
        async with _lent(self._pool) as connection:
            await connection.execute(statement, list(topics), partitions)

    async def require_topics(self, topics: Sequence[str]) -> None:
        """Raise BUS_TOPIC_MISSING unless all topics exist."""
        async with _lent(self._pool) as connection:
            rows = await connection.fetch(
                "select distinct topic from part where topic = any($1)", list(topics)
            )
        missing = set(topics) - {row["topic"] for row in rows}
        if missing:
            raise BUS_TOPIC_MISSING(topics=", ".join(sorted(missing)))

    async def cluster_id(self) -> str:
        """Return the id written when the bus database was created."""
        async with _lent(self._pool) as connection:
            return str(await connection.fetchval("select cluster_id from bus_state"))

    async def lag(self, group: str, topics: Sequence[str]) -> list[Lag]:
        """Return the lag of a group for each partition."""
        async with _lent(self._pool) as connection:
            rows = await connection.fetch(LAG, group, list(topics))
        return [
            Lag(row["topic"], row["part"], row["events"], row["oldest_unread_at"], row["behind"])
            for row in rows
        ]

    async def rewind(self, group: str, topics: Sequence[str], since: datetime) -> int:
        """Set a group back (or past a retention gap) to the first event at or after ``since``.

        Running members are fenced and start over there. Returns the number of partitions set.
        """
        async with _lent(self._pool) as connection:
            return len(await connection.fetch(REWIND, group, list(topics), since))

    async def prune(self, keep_seconds: float) -> int:
        """Delete records older than the limit, in chunks, from the oldest on."""
        cutoff = datetime.now(UTC).timestamp() - keep_seconds
        deleted = 0
        async with _lent(self._pool) as connection:
            parts = await connection.fetch("select topic, part from part order by topic, part")
        for part in parts:
            while count := await self._prune_chunk(part["topic"], part["part"], cutoff):
                deleted += count
        return deleted

    async def _prune_chunk(self, topic: str, part: int, cutoff: float) -> int:
        async with _lent(self._pool) as connection, connection.transaction():
            rows = await connection.fetch(
                "select off, at from msg where topic = $1 and part = $2 order by off limit $3",
                topic,
                part,
                PRUNE_CHUNK_ROWS,
            )
            edge = next((row["off"] for row in rows if row["at"].timestamp() >= cutoff), None)
            if edge is None and rows:
                edge = rows[-1]["off"] + 1
            if not rows or edge == rows[0]["off"]:
                return 0
            # The edge moves first and in the same transaction: a reader behind it sees why.
            await connection.execute(
                "update part set first_off = greatest(first_off, $3) where topic = $1 and part = $2",
                topic,
                part,
                edge,
            )
            tag = await connection.execute(
                "delete from msg where topic = $1 and part = $2 and off < $3", topic, part, edge
            )
            return int(tag.split()[-1])

    def producer(self) -> PostgresProducer:
        """Return a producer."""
        return PostgresProducer(self._pool)

    def consumer(self, group: str, topics: Sequence[str], handle: BatchHandler) -> GroupMember:
        """Return a member of a group."""
        return GroupMember(self._config, group, tuple(topics), handle)

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()


class PostgresProducer:
    """Appends batches: one transaction each, durable when it returns."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool
        self._partitions: dict[str, int] = {}
        self._cluster_id: str | None = None

    def hold_to(self, cluster_id: str) -> None:
        """Append from now on only to the bus database of this id."""
        self._cluster_id = cluster_id

    async def append(self, records: Sequence[NewRecord]) -> list[Refused | None]:
        """Append all that can be; an event id the topic already holds is accepted and not repeated."""
        async with _lent(self._pool) as connection:
            await self._learn(connection, {record.topic for record in records})
            outcomes = sift(records, self._partitions)
            accepted = [record for record, refused in zip(records, outcomes, strict=True) if not refused]
            if accepted:
                async with connection.transaction():
                    await self._check(connection)
                    await self._write(connection, accepted)
        return outcomes

    async def _check(self, connection: Any) -> None:
        """Refuse an empty database in the place of the one the earlier events went to."""
        if self._cluster_id not in {
            None,
            await connection.fetchval("select cluster_id::text from bus_state"),
        }:
            raise PEER_UNAVAILABLE(peer="bus")

    async def close(self) -> None:
        """Do nothing: the pool belongs to the bus."""

    async def _learn(self, connection: Any, topics: set[str]) -> None:
        if topics <= self._partitions.keys():
            return
        rows = await connection.fetch("select topic, count(*) as parts from part group by topic")
        self._partitions = {row["topic"]: row["parts"] for row in rows}

    async def _write(self, connection: Any, records: Sequence[NewRecord]) -> None:
        placed = [(r.topic, hash_key(r.key) % self._partitions[r.topic]) for r in records]
        touched = sorted(set(placed))
        rows = await connection.fetch(LOCK_HEADS, [t for t, _ in touched], [p for _, p in touched])
        heads = {(row["topic"], row["part"]): row["next_off"] for row in rows}
        known = await connection.fetch(KNOWN, [r.topic for r in records], [r.event_id for r in records])
        seen = {(row["topic"], row["event_id"]) for row in known}
        fresh: list[tuple[Any, ...]] = []
        for record, place in zip(records, placed, strict=True):
            identity = (record.topic, record.event_id)
            if record.event_id is not None and identity in seen:
                continue
            seen.add(identity)
            fresh.append(
                (
                    *place,
                    heads[place],
                    record.event_id,
                    record.key,
                    dump_headers(record.headers),
                    record.body,
                    record.at,
                )
            )
            heads[place] += 1
        if fresh:
            if len(fresh) >= COPY_FROM:
                await connection.copy_records_to_table("msg", records=fresh, columns=COLUMNS)
            else:
                await connection.execute(INSERT, *(list(column) for column in zip(*fresh, strict=True)))
            moved = sorted(heads)
            await connection.execute(
                ADVANCE, [t for t, _ in moved], [p for _, p in moved], [heads[m] for m in moved]
            )
            # Inside the transaction on purpose: the relay's batches are few, and readers wake on commit.
            names = ",".join(sorted({row[0] for row in fresh}))
            await connection.execute("select pg_notify($1, $2)", CHANNEL, f"m:{names}"[:7900])

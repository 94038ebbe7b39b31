"""Changes the number of relay shards without losing or overtaking an event.

An event's row names its shard, and each shard is sent by a relay of its own. Under another number rows of
an unknown shard would wait for ever, and a new event could pass older ones of its aggregate that wait in
another shard. So who brings another number waits until the relays of the former one are gone, and moves
every row to its new shard before anything is sent.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import structlog

from chassis.notifier import wait_for
from chassis.outbox import shard_of

LOCK_CLASS = 0x746F6E67  # "tong": one name space of advisory locks for relays
MOVE_SECONDS = 600.0
CHUNK_KEYS = 2_000

_log = structlog.get_logger("tongban.relay")

_KNOWN = "select count(*) from relay_state"
_KEYS = """
select distinct aggregate_id from event_log where aggregate_id > $1 order by aggregate_id limit $2
"""
_MOVE = """
update event_log e set shard = w.shard from unnest($1::text[], $2::smallint[]) w(aggregate_id, shard)
where e.aggregate_id = w.aggregate_id and e.shard <> w.shard
"""
_ADD = """
insert into relay_state (shard, cluster_id)
select shard, (select cluster_id from relay_state where shard = 0) from generate_series(0, $1::int - 1) shard
on conflict do nothing
"""


async def hold(
    connection: asyncpg.Connection[Any], shard: int, stop: asyncio.Event, poll_seconds: float
) -> bool:
    """Wait for a shard's lock, which lives as long as the connection; False when ``stop`` came first."""
    while not await connection.fetchval("select pg_try_advisory_lock($1, $2)", LOCK_CLASS, shard):
        await wait_for(stop, poll_seconds)
        if stop.is_set():
            return False
    return True


async def adopt_shards(
    connection: asyncpg.Connection[Any], service: str, shards: int, stop: asyncio.Event, poll_seconds: float
) -> None:
    """Have every row in its shard of so many; the locks go with the connection, which the caller ends."""
    known = await connection.fetchval(_KNOWN)
    if known in (0, shards):  # nothing was ever sent, or nothing changes
        return
    _log.warning("relay_shards_change", service=service, before=known, after=shards)
    for shard in range(max(known, shards)):
        if not await hold(connection, shard, stop, poll_seconds):
            return
    moved, last = 0, ""
    while keys := [row["aggregate_id"] for row in await connection.fetch(_KEYS, last, CHUNK_KEYS)]:
        places = [shard_of(key, shards) for key in keys]
        moved += int((await connection.execute(_MOVE, keys, places, timeout=MOVE_SECONDS)).split()[-1])
        last = keys[-1]
    async with connection.transaction():
        await connection.execute("delete from relay_state where shard >= $1", shards)
        await connection.execute(_ADD, shards)
    _log.warning("relay_shards_changed", service=service, shards=shards, moved=moved)

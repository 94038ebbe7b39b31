"""Reads a whole log out of the registry's database, in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from chassis.tlog.alignment import Damage, Finding
from chassis.tlog.audit import Log
from chassis.tlog.tiles import split
from chassis.tlog.tree import leaf_hash
from cli.operations.cut import connect
from cli.operations.places import Places

_TILES = "select tile_index, hashes from log_tile where level = 0 order by tile_index"
WAITING = 9 * 10**18
"""Places from here on are those of the queue."""
_SAID = """
with line as (
  select leaf_index as place, licence_id, kind, convert_from(leaf, 'UTF8')::jsonb -> 'facts' as facts from log_leaf
  union all
  select 9000000000000000000 + queue_id, licence_id, kind, convert_from(leaf, 'UTF8')::jsonb -> 'facts'
  from log_queue)
"""
"""Leaves that wait in the queue count as said: they were written with their rows."""
_ROWS = {
    "usage": """
select u.usage_id::text as row, l.place
from usage u left join line l on l.kind = 'usage' and (l.facts ->> 'usage_id')::uuid = u.usage_id
where u.used_at >= $1 and (l.place is null or l.facts ->> 'mac' <> encode(u.mac, 'hex'))
""",
    "status change": """
select c.licence_id || ' version ' || c.version as row, min(l.place) as place
from licence_status_change c
left join line l on l.kind in ('licence', 'status_change') and l.licence_id = c.licence_id
  and (l.facts ->> 'version')::bigint = c.version and (l.kind = 'status_change' or l.facts ->> 'act' <> 'adopt')
where c.changed_at >= $1
group by c.licence_id, c.version, c.status, c.act
having not coalesce(bool_or(
  l.facts ->> 'status' = c.status and coalesce(l.facts ->> 'adopted', l.facts ->> 'act') = c.act), false)
""",
    "use-code": """
select u.use_code_id::text as row, l.place
from use_code u
left join line l on l.kind = 'use_code' and (l.facts ->> 'use_code_id')::uuid = u.use_code_id
  and l.facts ->> 'act' in ('issue', 'adopt')
where u.issued_at >= $1 and l.place is null
""",
    "licence": """, newest as (
  select distinct on (licence_id) licence_id, place, facts from line where kind = 'licence'
  order by licence_id, place desc)
select r.licence_id::text as row, l.place
from licence r left join newest l using (licence_id)
where ((r.created_at >= $1 or (select stage = 'finished' from log_adoption)) and l.place is null)
  or l.facts ->> 'status' <> r.status
""",
}
"""By what a row is called: rows of the registry that the log says nothing of, or something else."""

_LEAVES = {
    "usage": """
select l.facts ->> 'usage_id' as row, l.place from line l
left join usage u on u.usage_id = (l.facts ->> 'usage_id')::uuid
where l.kind = 'usage' and u.usage_id is null
""",
    "licence": """
select l.licence_id::text as row, min(l.place) as place from line l
left join licence r on r.licence_id = l.licence_id
where l.kind = 'licence' and r.licence_id is null group by l.licence_id
""",
}
"""Leaves whose rows are gone: no deletion takes these rows, it only empties them."""


async def read_deployment(places: Places, anchors: Sequence[str]) -> tuple[Log, list[Finding]]:
    """Return the log as its tables hold it, and the rows of the registry that it does not bear out.

    Raises PEER_UNAVAILABLE.
    """
    connection = await connect(places.server_dsn, "certs")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await read_log(connection, anchors), await unproved_rows(connection)
    finally:
        await connection.close()


async def read_log(connection: asyncpg.Connection[Any], anchors: Sequence[str] = ()) -> Log:
    """Return the log of an open transaction."""
    leaves = [
        (row["leaf_index"], leaf_hash(row["leaf"]))
        async for row in connection.cursor("select leaf_index, leaf from log_leaf order by leaf_index")
    ]
    hashes = [each for row in await connection.fetch(_TILES) for each in split(row["hashes"])]
    notes = [row["note"] for row in await connection.fetch("select note from log_checkpoint order by size")]
    return Log(leaves, hashes, notes, tuple(anchors))


async def unproved_rows(connection: asyncpg.Connection[Any]) -> list[Finding]:
    """Return the rows, written since the log began, that no leaf speaks of or speaks of otherwise; leaves without row."""
    began = await connection.fetchval("select began_at from log_state")
    found = []
    for name, query in _LEAVES.items():
        rows = await connection.fetch(_SAID + query)
        found += [Finding(_place(row), Damage.LEAF_WITHOUT_ROW, f"{name} {row['row']}") for row in rows]
    for name, query in _ROWS.items():
        for row in await connection.fetch(_SAID + query, began):
            damage = Damage.ROW_WITHOUT_LEAF if row["place"] is None else Damage.ROW_ALTERED
            found.append(Finding(_place(row), damage, f"{name} {row['row']}"))
    return found


def _place(row: Any) -> int:
    """Return the index of the leaf, 0 for none and for one that still waits."""
    place: int | None = row["place"]
    return place if place is not None and place < WAITING else 0

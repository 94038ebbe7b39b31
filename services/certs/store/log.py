"""The transparency log in PostgreSQL: a queue written with every act, leaves, tiles and checkpoints.

An act writes its leaves into the queue in its own transaction. One process at a time, holding the row of
the log's state, moves them into the log; everything it writes is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.audit import recording
from chassis.db import Transaction
from chassis.tlog.tiles import Tile, Tiles
from services.certs.domain.log import Leaf, leaf_bytes
from services.certs.usecases.log import Entry, Published

QUEUE = "log_queue"
COPY_FROM = 50
"""Leaves from which on a COPY is cheaper than an array per column."""
INTO_QUEUE = """insert into log_queue (licence_id, kind, leaf, salt, queued_at)
 values ($1, $2, $3, $4, $5)"""
_TAKE = """
with taken as (
  delete from log_queue where queue_id in (select queue_id from log_queue order by queue_id limit $2)
  returning queue_id, licence_id, kind, leaf, salt),
placed as (
  insert into log_leaf (leaf_index, licence_id, kind, leaf, salt)
  select $1 + row_number() over (order by queue_id) - 1, licence_id, kind, leaf, salt from taken
  returning leaf_index, leaf)
select leaf from placed order by leaf_index
"""
_TILES = """
select t.level, t.tile_index, t.hashes from log_tile t
join unnest($1::smallint[], $2::bigint[]) as u (level, tile_index) using (level, tile_index)
"""
_PUT_TILES = """
insert into log_tile (level, tile_index, hashes) select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])
on conflict (level, tile_index) do update set hashes = excluded.hashes
"""
_CHECKPOINT = """
select c.size, c.root, c.note, c.signed_at,
  array(select line from log_cosignature s where s.size = c.size order by s.witness) as lines
from log_checkpoint c
"""
_ENTRY = "select leaf_index, kind, licence_id, leaf, salt from log_leaf"
_COSIGN = """
insert into log_cosignature (size, witness, line, cosigned_at) values ($1, $2, $3, $4)
on conflict (size, witness) do nothing
"""


def queue_row(leaf: Leaf, now: datetime) -> tuple[object, ...]:
    """Return a leaf as a row of the queue, for `INTO_QUEUE` or a COPY."""
    return leaf.licence_id or None, leaf.kind, leaf_bytes(leaf), leaf.salt or None, now


class LogQueue:
    """The queue of one open transaction; implements the port Log."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def append(self, leaf: Leaf) -> None:
        """Queue one leaf. Raises AUDIT_UNWRITABLE."""
        with recording(QUEUE):
            await self._tx.execute(INTO_QUEUE, *queue_row(leaf, self._tx.now()))

    async def append_many(self, leaves: Sequence[Leaf]) -> None:
        """Queue leaves in their order, in one statement. Raises AUDIT_UNWRITABLE."""
        rows = [queue_row(leaf, self._tx.now()) for leaf in leaves]
        with recording(QUEUE):
            if len(rows) >= COPY_FROM:
                columns = ("licence_id", "kind", "leaf", "salt", "queued_at")
                await self._tx.connection.copy_records_to_table(QUEUE, records=rows, columns=columns)
            elif rows:
                await self._tx.executemany(INTO_QUEUE, rows)


class BookStore:
    """The log's tables within one open transaction; implements the port Book."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def hold(self) -> int | None:
        """Return the size and hold the log; None while another transaction holds it."""
        size: int | None = await self._tx.fetchval("select size from log_state for update skip locked")
        return size

    async def take(self, size: int, limit: int) -> list[bytes]:
        """Move queued leaves into the log, in the order of the queue."""
        return [bytes(row["leaf"]) for row in await self._tx.fetch(_TAKE, size, limit)]

    async def tiles(self, wanted: Iterable[Tile]) -> dict[Tile, bytes]:
        """Return tiles, in one statement."""
        keys = list(wanted)
        if not keys:
            return {}
        rows = await self._tx.fetch(_TILES, [each.level for each in keys], [each.at for each in keys])
        return {Tile(row["level"], row["tile_index"]): bytes(row["hashes"]) for row in rows}

    async def put_tiles(self, tiles: Tiles) -> None:
        """Store tiles, in one statement."""
        if tiles:
            keys = list(tiles)
            levels, places = [each.level for each in keys], [each.at for each in keys]
            await self._tx.execute(_PUT_TILES, levels, places, [tiles[each] for each in keys])

    async def grow(self, size: int) -> None:
        """Note the new size."""
        await self._tx.execute("update log_state set size = $1", size)

    async def publish(self, checkpoint: Published) -> None:
        """Store a checkpoint."""
        await self._tx.execute(
            "insert into log_checkpoint (size, root, note, signed_at) values ($1, $2, $3, $4)",
            checkpoint.size,
            checkpoint.root,
            checkpoint.note,
            checkpoint.signed_at,
        )

    async def newest(self) -> Published | None:
        """Return the newest checkpoint."""
        return _published(await self._tx.fetchrow(f"{_CHECKPOINT} order by c.size desc limit 1"))

    async def newest_cosigned(self) -> Published | None:
        """Return the newest checkpoint with a cosignature."""
        where = "where c.size = (select max(size) from log_cosignature)"
        return _published(await self._tx.fetchrow(f"{_CHECKPOINT} {where}"))

    async def checkpoint(self, size: int) -> Published | None:
        """Return the checkpoint of a size."""
        return _published(await self._tx.fetchrow(f"{_CHECKPOINT} where c.size = $1", size))

    async def entry(self, index: int) -> Entry | None:
        """Return a leaf by its index."""
        return _entry(await self._tx.fetchrow(f"{_ENTRY} where leaf_index = $1", index))

    async def entry_of(self, licence_id: str, hashed: bytes) -> Entry | None:
        """Return the leaf of a licence by its leaf hash."""
        where = "where licence_id = $1 and sha256('\\x00'::bytea || leaf) = $2"
        key = _key(licence_id)
        return _entry(await self._tx.fetchrow(f"{_ENTRY} {where}", key, hashed)) if key else None

    async def newest_of(self, licence_id: str, kind: str) -> Entry | None:
        """Return the newest leaf of a kind that names a licence."""
        where = "where licence_id = $1 and kind = $2 order by leaf_index desc limit 1"
        key = _key(licence_id)
        return _entry(await self._tx.fetchrow(f"{_ENTRY} {where}", key, kind)) if key else None

    async def size(self) -> int:
        """Return the tree's size."""
        found: int = await self._tx.fetchval("select size from log_state")
        return found

    async def page(self, start: int, end: int) -> list[Entry]:
        """Return leaves from an index up to another."""
        where = "where leaf_index >= $1 and leaf_index < $2 order by leaf_index"
        return [_entry_of(row) for row in await self._tx.fetch(f"{_ENTRY} {where}", start, end)]

    async def checkpoints(self, start: int, limit: int) -> list[Published]:
        """Return checkpoints from a size on."""
        rows = await self._tx.fetch(
            f"{_CHECKPOINT} where c.size >= $1 order by c.size limit $2", start, limit
        )
        return [_published_of(row) for row in rows]

    async def cosign(self, size: int, witness: str, line: str, at: datetime) -> None:
        """Store a cosignature, once."""
        await self._tx.execute(_COSIGN, size, witness, line, at)

    async def cosigned_size(self, witness: str) -> int:
        """Return how far a witness has seen the log."""
        query = "select coalesce(max(size), 0) from log_cosignature where witness = $1"
        found: int = await self._tx.fetchval(query, witness)
        return found


async def queue_length(tx: Transaction) -> tuple[int, float, int]:
    """Return how many leaves wait (counted up to 100,000), the seconds the oldest has waited, the tree's size."""
    row = await tx.fetchrow(
        """
        select (select count(*) from (select 1 from log_queue limit 100000) q) as waiting,
          (select min(queued_at) from (select queued_at from log_queue order by queue_id limit 1) q) as oldest,
          (select size from log_state) as size
        """
    )
    assert row is not None
    age = (tx.now() - row["oldest"]).total_seconds() if row["oldest"] else 0.0
    return row["waiting"], max(0.0, age), row["size"]


async def forget_salts(tx: Transaction, licence_ids: Sequence[str]) -> None:
    """Make what the log commits to of these licences unprovable for good; for a deletion after retention."""
    ids = [UUID(each) for each in licence_ids]
    await tx.execute("update log_queue set salt = null where licence_id = any($1) and salt is not null", ids)
    await tx.execute("update log_leaf set salt = null where licence_id = any($1) and salt is not null", ids)


def _key(licence_id: str) -> UUID | None:
    try:
        return UUID(licence_id)
    except ValueError:
        return None


def _published(row: Any) -> Published | None:
    return _published_of(row) if row else None


def _published_of(row: Any) -> Published:
    return Published(row["size"], bytes(row["root"]), row["note"], row["signed_at"], tuple(row["lines"]))


def _entry(row: Any) -> Entry | None:
    return _entry_of(row) if row else None


def _entry_of(row: Any) -> Entry:
    licence_id = str(row["licence_id"]) if row["licence_id"] else ""
    return Entry(row["leaf_index"], row["kind"], licence_id, bytes(row["leaf"]), bytes(row["salt"] or b""))

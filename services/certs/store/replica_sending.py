"""What is told to other registries: streams, their numbers, and where the log stands that they are made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from chassis.event import Event
from chassis.tlog.tree import leaf_hash
from services.certs.domain.log import LICENCE, USAGE, USE_CODE
from services.certs.store.freezes import frozen_uses
from services.certs.store.licences import COLUMNS, LicenceStore
from services.certs.store.sealing import Vault
from services.certs.usecases.federation.ports import Place, Sent, Shares, Standing

_CHANGED = """
select leaf_index, licence_id, kind from log_leaf where leaf_index >= $1 order by leaf_index limit $2
"""
_STANDINGS = f"""
select {COLUMNS}, l.updated_at, newest.leaf_index, newest.leaf
from licence l left join lateral (
  select leaf_index, leaf from log_leaf where licence_id = l.licence_id and kind = $2
  order by leaf_index desc limit 1) newest on true
where l.licence_id = any($1) order by l.licence_id
"""  # noqa: S608 - constants
_PRIOR = """
select distinct on (licence_id) licence_id, ordinal, sequence from replica_sent
where registry_id = $1 and licence_id = any($2) order by licence_id, sequence desc
"""
_RECORD = """
insert into replica_sent (registry_id, ordinal, licence_id, sequence, sent_at)
select $1, o, l, s, $5 from unnest($2::bigint[], $3::uuid[], $4::bigint[]) as u (o, l, s)
"""
_AFTER = """
select o.ordinal, s.licence_id, s.sequence,
  coalesce((select p.ordinal from replica_sent p where p.registry_id = s.registry_id
    and p.licence_id = s.licence_id and p.sequence = s.sequence - 1), 0) as prior_ordinal,
  not exists (select 1 from replica_sent n where n.registry_id = s.registry_id
    and n.licence_id = s.licence_id and n.sequence > s.sequence) as newest
from replica_outgoing g
cross join lateral generate_series($2::bigint + 1, least($2::bigint + $3::integer, g.ordinal)) as o (ordinal)
left join replica_sent s on s.registry_id = g.registry_id and s.ordinal = o.ordinal
where g.registry_id = $1 and $2::bigint < g.ordinal order by o.ordinal
"""
"""One statement: what is sent meanwhile is no gap."""
_FORGET = """
with looked as (
  select ordinal, licence_id, sequence, sent_at from replica_sent
  where registry_id = $1 and ordinal > $2 order by ordinal limit $4),
gone as (
  delete from replica_sent s using looked l
  where s.registry_id = $1 and s.ordinal = l.ordinal and l.sent_at < $3 and exists (
    select 1 from replica_sent n where n.registry_id = $1 and n.licence_id = l.licence_id
      and n.sequence > l.sequence + 1))
select max(ordinal) as last, count(*) = $4 and max(sent_at) < $3 as more from looked
"""
"""The newest of a licence is what the next one follows, the one before is what the newest names."""
_UNSENT = """
select licence_id from licence where type_code = $1 and ($2::uuid is null or licence_id > $2)
order by licence_id limit $3
"""
_PLACE = """
insert into replica_outgoing (registry_id) values ($1)
on conflict (registry_id) do update set registry_id = excluded.registry_id
returning ordinal, beat, beat_size, beat_at
"""
_MOST = 2**53
"""No stream gets so far; a larger number would not be one of the database's."""
_OLDEST_WAITING = "select min(queued_at) from log_queue"
_PASSED_OVER = frozenset({USAGE, USE_CODE})
"""Kinds of leaves that change nothing of where a licence stands."""


class OutgoingStore:
    """The streams of one open transaction; implements the port Outgoing."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault
        self._licences = LicenceStore(tx, vault)

    async def hold(self) -> int | None:
        """Return the index of the first leaf not told yet; the row is locked."""
        found: int | None = await self._tx.fetchval(
            "select leaf_index from replica_cursor for update skip locked"
        )
        return found

    async def advance(self, leaf_index: int) -> None:
        """Note how far the log was told."""
        await self._tx.execute("update replica_cursor set leaf_index = $1", leaf_index)

    async def skip(self) -> int:
        """Count the whole log as told, and return its size."""
        size: int = await self._tx.fetchval("select coalesce(max(leaf_index) + 1, 0) from log_leaf")
        await self.advance(size)
        return size

    async def shares(self) -> Shares:
        """Return what is told at present."""
        rows = await self._tx.fetch("select registry_id, type_code from replica_share")
        return frozenset((row["registry_id"], row["type_code"]) for row in rows)

    async def shared_since(self, registry_id: str) -> dict[str, datetime]:
        """Return since when a registry is told of each type."""
        query = "select type_code, since from replica_share where registry_id = $1"
        return {row["type_code"]: row["since"] for row in await self._tx.fetch(query, registry_id)}

    async def keep_shares(self, added: Shares, dropped: Shares, now: datetime) -> None:
        """Begin to tell, and tell no more."""
        await self._tx.executemany(
            "insert into replica_share (registry_id, type_code, since) values ($1, $2, $3)",
            [(*each, now) for each in sorted(added)],
        )
        await self._tx.executemany(
            "delete from replica_share where registry_id = $1 and type_code = $2", sorted(dropped)
        )

    async def changed(self, leaf_index: int, limit: int) -> tuple[list[str], int]:
        """Return the licences that leaves are about, each once, and the index after them."""
        rows = await self._tx.fetch(_CHANGED, leaf_index, limit)
        about = [
            str(row["licence_id"]) for row in rows if row["licence_id"] and row["kind"] not in _PASSED_OVER
        ]
        return list(dict.fromkeys(about)), rows[-1]["leaf_index"] + 1 if rows else leaf_index

    async def unsent(self, limit: int) -> tuple[str, list[str]] | None:
        """Return licences that a registry is to be told of since their type is shared."""
        share = await self._tx.fetchrow(
            """select registry_id, type_code, sent_through from replica_share where not complete
            order by since, registry_id, type_code limit 1"""
        )
        if share is None:
            return None
        rows = await self._tx.fetch(_UNSENT, share["type_code"], share["sent_through"], limit)
        last = rows[-1]["licence_id"] if rows else share["sent_through"]
        await self._tx.execute(
            """update replica_share set sent_through = $3, complete = $4
            where registry_id = $1 and type_code = $2""",
            share["registry_id"],
            share["type_code"],
            last,
            len(rows) < limit,
        )
        return share["registry_id"], [str(row["licence_id"]) for row in rows]

    async def is_backfilling(self, registry_id: str) -> bool:
        """Say whether a registry has still to be told of licences from before."""
        query = "select exists (select 1 from replica_share where registry_id = $1 and not complete)"
        return bool(await self._tx.fetchval(query, registry_id))

    async def standings(self, licence_ids: Sequence[str]) -> list[Standing]:
        """Return where licences stand, by the newest leaf about each."""
        if not licence_ids:
            return []
        rows = await self._tx.fetch(_STANDINGS, [UUID(each) for each in licence_ids], LICENCE)
        frozen = {each.licence_id for each in await frozen_uses(self._tx, self._vault, licence_ids)}
        return [self._standing(row, frozen) for row in rows]

    async def place(self, registry_id: str) -> Place:
        """Return how far the stream to a registry is."""
        row = await self._tx.fetchrow(_PLACE, registry_id)
        assert row is not None
        return Place(row["ordinal"], row["beat"], row["beat_size"], row["beat_at"])

    async def prior(self, registry_id: str, licence_ids: Sequence[str]) -> dict[str, Sent]:
        """Return what a registry was told last about licences."""
        rows = await self._tx.fetch(_PRIOR, registry_id, [UUID(each) for each in licence_ids])
        return {
            str(row["licence_id"]): Sent(str(row["licence_id"]), row["ordinal"], row["sequence"])
            for row in rows
        }

    async def record(self, registry_id: str, sent: Sequence[Sent], now: datetime) -> None:
        """Store the numbers of messages."""
        ordinals = [each.ordinal for each in sent]
        ids = [UUID(each.licence_id) for each in sent]
        await self._tx.execute(_RECORD, registry_id, ordinals, ids, [each.sequence for each in sent], now)
        await self._tx.execute(
            "update replica_outgoing set ordinal = $2 where registry_id = $1", registry_id, ordinals[-1]
        )

    async def record_beat(self, registry_id: str, place: Place) -> None:
        """Store a heartbeat's numbers."""
        await self._tx.execute(
            "update replica_outgoing set beat = $2, beat_size = $3, beat_at = $4 where registry_id = $1",
            registry_id,
            place.beat,
            place.beat_size,
            place.beat_at,
        )

    async def sent_after(self, registry_id: str, ordinal: int, limit: int) -> list[Sent]:
        """Return the numbers of the messages after an ordinal, in order."""
        rows = await self._tx.fetch(_AFTER, registry_id, min(ordinal, _MOST), limit)
        return [
            Sent(str(row["licence_id"]), row["ordinal"], row["sequence"], row["prior_ordinal"], row["newest"])
            if row["licence_id"]
            else Sent("", row["ordinal"], 0, newest=False)
            for row in rows
        ]

    async def recipients(self) -> list[str]:
        """Return every registry that was ever told anything."""
        rows = await self._tx.fetch("select registry_id from replica_outgoing order by registry_id")
        return [row["registry_id"] for row in rows]

    async def forget_overtaken(self, registry_id: str, after: int, before: datetime, rows: int) -> int | None:
        """Forget, of the next rows, those told before a time that two later messages about the licence follow."""
        found = await self._tx.fetchrow(_FORGET, registry_id, after, before, rows)
        assert found is not None
        return int(found["last"]) if found["more"] else None

    async def complete_until(self, leaf_index: int, now: datetime) -> datetime:
        """Return the time up to which every change was told: before the oldest one that waits."""
        waiting: datetime | None = await self._tx.fetchval(_OLDEST_WAITING)
        first = await self._tx.fetchrow("select leaf from log_leaf where leaf_index = $1", leaf_index)
        times = [now, *([waiting] if waiting else [])]
        if first is not None:
            times.append(datetime.fromisoformat(json.loads(first["leaf"])["at"]))
        return min(times)

    async def recorded(self, usage_ids: Sequence[str]) -> set[str]:
        """Return those of these uses that are recorded here."""
        rows = await self._tx.fetch(
            "select usage_id from usage where usage_id = any($1)", [UUID(each) for each in usage_ids]
        )
        return {str(row["usage_id"]) for row in rows}

    def publish(self, event: Event, version: int) -> None:
        """Have an event leave with the transaction."""
        self._tx.publish(event, version)

    def _standing(self, row: Any, frozen: set[str]) -> Standing:
        licence = self._licences.licence_of(row)
        is_frozen = licence.licence_id in frozen
        if row["leaf"] is None:  # from before the log began
            at = row["updated_at"]
            return Standing(licence, "keep", is_frozen, at, at, -1, b"")
        said = json.loads(row["leaf"])
        return Standing(
            licence,
            said["facts"]["act"],
            is_frozen,
            datetime.fromisoformat(said["facts"]["effective_at"]),
            datetime.fromisoformat(said["at"]),
            row["leaf_index"],
            leaf_hash(bytes(row["leaf"])),
            bytes(row["leaf"]),
        )

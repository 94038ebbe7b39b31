"""What proves the replica: where the proof of each state leads, and the roots that its registry's log had."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.federation import LeafProof, LicenceMessage
from services.certs.store.coded import REPLICA_PROOF, REPLICA_ROOT
from services.certs.store.sealing import Vault

ROOTS_KEPT = 1_000
"""Of a registry: a quarter of an hour's; a message that comes later than its root is asked for anew."""
ASK_AFTER = timedelta(seconds=5)
"""So long a proof is waited for before its registry is asked."""
OVERDUE_MOST = 100_000

_KEEP = f"""
insert into replica_proof ({REPLICA_PROOF.names})
values ({", ".join(f"${n}" for n in range(1, len(REPLICA_PROOF.columns) + 2))})
on conflict (licence_id) do update set ({REPLICA_PROOF.names}) =
 ({", ".join(f"excluded.{each}" for each in (*REPLICA_PROOF.columns, "mac"))})
"""  # noqa: S608 - constants
_OF = f"select {REPLICA_PROOF.names} from replica_proof where licence_id = any($1)"  # noqa: S608 - constants
_WAITING = f"""
select {REPLICA_PROOF.names} from replica_proof where registry_id = $1 and size = $2 and proved_at is null
"""  # noqa: S608 - constants
_ROOT = f"""
select {REPLICA_ROOT.names} from replica_root where registry_id = $1 and size = $2
"""  # noqa: S608 - constants
_KEEP_ROOT = f"""
insert into replica_root ({REPLICA_ROOT.names}) values ($1, $2, $3, $4)
on conflict (registry_id, size) do update set (root, mac) = (excluded.root, excluded.mac)
"""  # noqa: S608 - constants
_FORGET_ROOTS = """
delete from replica_root where registry_id = $1 and size <= (
  select size from replica_root where registry_id = $1 order by size desc offset $2 limit 1)
"""
_ASK_FROM = """
select ordinal from replica_proof where registry_id = $1 and proved_at is null and ask_at <= $2
order by ask_at, ordinal limit 1
"""
_ASKED = f"""
select {REPLICA_PROOF.names} from replica_proof
where registry_id = $1 and proved_at is null and ask_at <= $4 and ordinal >= $2 and ordinal < $2 + $3::integer
"""  # noqa: S608 - constants
_OVERDUE = """
select count(*) from (
  select 1 from replica_proof where registry_id = $1 and proved_at is null and unproved_since < $2 limit $3) o
"""


class ReplicaProofs:
    """The proofs of one open transaction; implements the port Proofs."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def keep(self, message: LicenceMessage, proof: LeafProof, now: datetime, *, proved: bool) -> None:
        """Store where the proof of a licence's newest message leads. Raises ROW_ALTERED."""
        held = (await self._rows(_OF, [UUID(message.licence_id)]))[:1]
        since = held[0]["unproved_since"] if held and held[0]["proved_at"] is None else now
        row = {
            "licence_id": UUID(message.licence_id),
            "registry_id": message.issuer,
            "ordinal": message.ordinal,
            "leaf_index": message.leaf_index,
            "size": proof.size,
            "root": proof.root,
            "unproved_since": since,
            "ask_at": now + ASK_AFTER,
            "proved_at": now if proved else None,
        }
        await self._put([row])

    async def is_waiting(self, message: LicenceMessage) -> bool:
        """Say whether a message tells again, of no earlier leaf, what is still unproved. Raises ROW_ALTERED."""
        for row in await self._rows(_OF, [UUID(message.licence_id)]):
            is_it = (row["registry_id"], row["ordinal"]) == (message.issuer, message.ordinal)
            return is_it and row["proved_at"] is None and row["leaf_index"] <= message.leaf_index
        return False

    async def keep_root(self, registry_id: str, size: int, root: bytes) -> None:
        """Store a root; the oldest of more than `ROOTS_KEPT` are forgotten."""
        await self._tx.execute(_KEEP_ROOT, *self._vault.coded(REPLICA_ROOT, (registry_id, size, root)))
        await self._tx.execute(_FORGET_ROOTS, registry_id, ROOTS_KEPT)

    async def root_at(self, registry_id: str, size: int) -> bytes | None:
        """Return the root that a registry's log had at a size. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(_ROOT, registry_id, size)
        if row is None:
            return None
        self._vault.check_row(REPLICA_ROOT, row)
        return bytes(row["root"])

    async def settle(self, registry_id: str, size: int, root: bytes, now: datetime) -> str:
        """Count as proved what waits for this root; return what contradicts it. Raises ROW_ALTERED."""
        rows = await self._rows(_WAITING, registry_id, size)
        wrong = [row for row in rows if bytes(row["root"]) != root]
        await self._put([{**row, "proved_at": now} for row in rows if row not in wrong])
        for row in wrong:
            return f"leaf {row['leaf_index']} is not in the tree of {size}: licence {row['licence_id']}"
        return ""

    async def unproved_since(self, licence_ids: Sequence[UUID]) -> dict[UUID, tuple[int, datetime | None]]:
        """Return of each licence with a proof asked for: its message's ordinal, since when unproved. Raises ROW_ALTERED."""
        rows = await self._rows(_OF, list(licence_ids))
        return {
            row["licence_id"]: (row["ordinal"], None if row["proved_at"] else row["unproved_since"])
            for row in rows
        }

    async def ask_from(self, registry_id: str, now: datetime) -> int | None:
        """Return the ordinal of a message whose proof is to be asked for."""
        found: int | None = await self._tx.fetchval(_ASK_FROM, registry_id, now)
        return found

    async def put_off(
        self, registry_id: str, ordinal: int, messages: int, now: datetime, until: datetime
    ) -> None:
        """Ask for the proofs of so many messages that were due no sooner than then. Raises ROW_ALTERED."""
        rows = await self._rows(_ASKED, registry_id, ordinal, messages, now)
        await self._put([{**row, "ask_at": until} for row in rows])

    async def overdue(self, registry_id: str, before: datetime) -> int:
        """Return how many states are unproved since before a time."""
        found: int = await self._tx.fetchval(_OVERDUE, registry_id, before, OVERDUE_MOST)
        return found

    async def _rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        rows = await self._tx.fetch(query, *values)
        for row in rows:
            self._vault.check_row(REPLICA_PROOF, row)
        return [{name: row[name] for name in REPLICA_PROOF.columns} for row in rows]

    async def _put(self, rows: Sequence[dict[str, Any]]) -> None:
        values = [
            self._vault.coded(REPLICA_PROOF, tuple(row[name] for name in REPLICA_PROOF.columns))
            for row in rows
        ]
        if values:
            await self._tx.executemany(_KEEP, values)

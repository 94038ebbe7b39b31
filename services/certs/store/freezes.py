"""Which uses are frozen now, for whoever reads or records uses, and how far a freeze reaches.

Frozen is what a dispute says. It reaches the disputed licence, its original and copies, and all their versions:
one row for each, written when the freeze is made or the licence is linked, so that reading asks for one licence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.dispute import DisputeAct, FrozenUse
from services.certs.domain.log import Leaf
from services.certs.store.coded import DISPUTE, LICENCE_FREEZE
from services.certs.store.log import LogQueue
from services.certs.store.sealing import Vault

LEAF = "dispute"
"""Kind of the leaves of disputes."""
REACH = "reach"
"""Act of a leaf that says that a freeze reaches one more licence."""
_DISPUTE = ", ".join(f"d.{name.strip()}" for name in DISPUTE.names.split(","))
_FROZEN = f"""
select {_DISPUTE}, f.licence_id as reached_id, f.reached_at, f.mac as reached_mac
from licence_freeze f join dispute d using (dispute_id)
where f.licence_id = any($1) and d.frozen_at is not null
"""  # noqa: S608 - constants
_KIN = """
with recursive up as (
  select $1::uuid as licence_id
  union select k.parent_id from up join licence_link k using (licence_id) where k.kind = 'copy'),
kin as (
  select l.licence_id from licence l
  where l.lineage_id in (select o.lineage_id from licence o join up using (licence_id))
  union select k.licence_id from kin join licence_link k on k.parent_id = kin.licence_id)
select licence_id from kin order by licence_id
"""
_HOLD = """
select licence_id from licence where licence_id = any($1) order by licence_id for no key update
"""
_REACHED = "select licence_id from licence_freeze where dispute_id = $1 order by licence_id"
_ADD = f"""insert into licence_freeze ({LICENCE_FREEZE.names}) values ($1, $2, $3, $4)
 on conflict do nothing"""  # noqa: S608 - constants
_OF_LINEAGES = """
select distinct d.dispute_id, d.licence_id, d.consumer_code, d.state, d.version
from licence_freeze f join licence l using (licence_id) join dispute d using (dispute_id)
where l.lineage_id = any($1) and d.frozen_at is not null order by d.dispute_id
"""
_OF_LICENCE = """
select d.dispute_id, d.licence_id, d.consumer_code, d.state, d.version
from licence_freeze f join dispute d using (dispute_id)
where f.licence_id = $1 and d.frozen_at is not null order by d.dispute_id
"""


async def frozen_uses(tx: Transaction, vault: Vault, licence_ids: Sequence[str]) -> list[FrozenUse]:
    """Return the freezes that are on licences now. Raises ROW_ALTERED."""
    rows = await tx.fetch(_FROZEN, [UUID(each) for each in licence_ids])
    for row in rows:
        vault.check_row(DISPUTE, row)
        reached = {name: row[name] for name in ("dispute_id", "reached_at")}
        vault.check_row(
            LICENCE_FREEZE, {**reached, "licence_id": row["reached_id"], "mac": row["reached_mac"]}
        )
    return [FrozenUse(str(row["reached_id"]), row["consumer_code"], row["issuer_code"]) for row in rows]


async def reached(tx: Transaction, dispute_id: UUID) -> list[UUID]:
    """Return the licences that the freezes of a dispute reach."""
    return [row["licence_id"] for row in await tx.fetch(_REACHED, dispute_id)]


async def reach(tx: Transaction, vault: Vault, dispute_id: UUID, licence_id: UUID) -> list[UUID]:
    """Have the freezes of a dispute reach its licence and all that hangs together with it; return those new to it.

    The licences are held: a copy that is made meanwhile finds the freeze, or is found.
    """
    kin = [row["licence_id"] for row in await tx.fetch(_KIN, licence_id)]
    await tx.execute(_HOLD, kin)
    kin = [row["licence_id"] for row in await tx.fetch(_KIN, licence_id)]
    before = set(await reached(tx, dispute_id))
    fresh = [each for each in kin if each not in before]
    await _add(tx, vault, dispute_id, fresh)
    return fresh


async def follow_link(tx: Transaction, vault: Vault, parent_id: str, licence_id: str) -> None:
    """Have what is frozen of a licence reach one that was linked to it."""
    for row in await tx.fetch(_OF_LICENCE, UUID(parent_id)):
        await _add(tx, vault, row["dispute_id"], [UUID(licence_id)])
        await LogQueue(tx).append(_leaf(row, UUID(licence_id), tx))


async def follow_lineages(tx: Transaction, vault: Vault, lineage_ids: Iterable[object]) -> None:
    """Have what is frozen of some versions of licences reach the others, also those that came in just now."""
    for row in await tx.fetch(_OF_LINEAGES, list(lineage_ids)):
        fresh = await reach(tx, vault, row["dispute_id"], row["licence_id"])
        await LogQueue(tx).append_many([_leaf(row, each, tx) for each in fresh])


def facts_of(act: str, consumer: str, dispute_id: str, state: str, version: int) -> dict[str, str | int]:
    """Return what a leaf says of an act on a dispute."""
    return {
        "act": act,
        "consumer": consumer,
        "dispute_id": dispute_id,
        "state": state,
        "version": version,
    }


def reaches(act: DisputeAct, *, was_frozen: bool, is_frozen: bool) -> bool:
    """Say whether an act on a dispute changes what may be done with every licence that it reaches."""
    return act is DisputeAct.FREEZE or was_frozen != is_frozen


async def _add(tx: Transaction, vault: Vault, dispute_id: UUID, licence_ids: Sequence[UUID]) -> None:
    rows = [vault.coded(LICENCE_FREEZE, (each, dispute_id, tx.now())) for each in licence_ids]
    if rows:
        await tx.executemany(_ADD, rows)


def _leaf(row: Any, licence_id: UUID, tx: Transaction) -> Leaf:
    facts = facts_of(REACH, row["consumer_code"], str(row["dispute_id"]), row["state"], row["version"])
    return Leaf(LEAF, str(licence_id), tx.now(), facts)

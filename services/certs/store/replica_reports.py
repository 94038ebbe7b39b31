"""What operators see of the replicas: how far each is, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.db import Transaction
from services.certs.domain.federation import ReplicaState
from services.certs.store.replica import ReplicaStore
from services.certs.store.sealing import Vault


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """How far a replica is, and what was refused of what its registry sent."""

    state: ReplicaState
    licences: int
    owed: int
    refused: dict[str, int]


async def reports(tx: Transaction, vault: Vault) -> list[ReplicaReport]:
    """Return a report for each registry that something came from or was refused of; "" stands for unknown ones."""
    store = ReplicaStore(tx, vault)
    rows = await tx.fetch(
        """select registry_id from replica_state union select registry_id from replica_refusal
        union select registry_id from replica_use order by registry_id"""
    )
    found = []
    for row in rows:
        registry_id = row["registry_id"]
        refused = await tx.fetch(
            "select reason, sum(times)::bigint as times from replica_refusal where registry_id = $1 group by 1",
            registry_id,
        )
        licences = await tx.fetchval(
            "select count(*) from replica_licence where registry_id = $1", registry_id
        )
        owed = await store.owed_count(registry_id)
        state = await store.state(registry_id) or ReplicaState(registry_id)
        told = {each["reason"]: each["times"] for each in refused}
        found.append(ReplicaReport(state, licences, owed, told))
    return found

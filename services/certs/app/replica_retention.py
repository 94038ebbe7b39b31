"""The forgetting of what other registries were told, put together: a walk now and then, in small transactions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from chassis.clock import Clock
from chassis.db import Database
from services.certs.store import Vault
from services.certs.store.replica import ReplicaStore
from services.certs.store.replica_sending import OutgoingStore
from services.certs.usecases.federation.forgetting import ROWS, Walk, forget

FORGET_SECONDS = 3_600.0
"""Between two walks."""
_ALONE = "select pg_try_advisory_xact_lock(hashtextextended('replica_retention', 0))"


def forgetting_step(
    database: Database, vault: Vault, clock: Clock, keep: timedelta, rows: int = ROWS
) -> Callable[[], Awaitable[bool]]:
    """Return the step that forgets a page of what is older than ``keep``; one process at a time does it."""
    walk = Walk()

    async def step() -> bool:
        nonlocal walk
        async with database.transaction() as tx:
            if not await tx.fetchval(_ALONE):
                return False
            outgoing, replica = OutgoingStore(tx, vault), ReplicaStore(tx, vault)
            further = await forget(outgoing, replica, walk, clock() - keep, rows)
        walk = further or Walk()
        return further is not None

    return step

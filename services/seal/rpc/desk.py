"""What the doors of sealing share: the database, the seals ready for use, and how many sign at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from chassis.clock import Clock
from chassis.db import Database, Transaction
from chassis.errors import Fault
from chassis.rpc.call import caller
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.ports import WorkOf
from services.seal.usecases.use_seal import SealOrder, use_seal
from services.seal.usecases.using_ports import StoredDocument

UPLOADS_AT_ONCE = 16
"""Documents held in one process while they come or wait; more callers wait with theirs at their own end."""
AT_ONCE = 6
"""Sealings under way in one process: each holds a connection, and events need some as well."""


@dataclass(frozen=True)
class Desk:
    """Opens one transaction per sealing; a refusal's row is committed before the refusal leaves."""

    database: Database
    work_of: WorkOf[Transaction]
    cabinet: Cabinet
    clock: Clock
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UPLOADS_AT_ONCE))
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def seal(self, order: SealOrder) -> StoredDocument:
        """Return the sealed document, its row committed. Raises why it was refused, or what may pass."""
        async with self.places, self.database.transaction() as tx:
            done = await use_seal(self.work_of(tx), self.cabinet, order, self.clock())
        if isinstance(done, Fault):
            raise done
        return done


def account() -> str:
    """Return the calling system as ``kind/name``."""
    return str(caller().peer)

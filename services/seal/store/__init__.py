"""What seal stores in PostgreSQL: explicit SQL, private keys and documents encrypted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.db import Database, Transaction
from chassis.fields import FieldCipher
from services.seal.domain.suite import SigningKey, Suites
from services.seal.store.applications import ApplicationTable
from services.seal.store.checkpoints import CheckpointTable
from services.seal.store.keys import KeyTable
from services.seal.store.ledger import LedgerTable
from services.seal.store.permissions import PermissionTable
from services.seal.store.seals import SealTable
from services.seal.store.trust import TrustTable
from services.seal.store.vouched import Vouching
from services.seal.usecases.ports import Work

_MAKING_LOCK = 0x73656173  # one maker's job at a time in a database; an arbitrary key nobody else uses


class StoreUnit:
    """Opens one transaction over everything seal stores; implements the port UnitOfWork.

    Jobs that neither keep nor read documents or names come without a cipher. With `suites` the rows that a maker
    signed are judged when they are read; the maker's job comes with its key and signs the rows it writes.
    """

    def __init__(
        self,
        database: Database,
        cipher: FieldCipher | None = None,
        suites: Suites | None = None,
        maker_key: SigningKey | None = None,
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._vouching = Vouching(cipher, suites, maker_key)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Work]:
        """Return the transaction as a context manager; it commits at the end of the block."""
        async with self._database.transaction() as tx:
            yield self.work(tx)

    def work(self, tx: Transaction) -> Work:
        """Return the stores of a transaction that somebody else opened."""

        async def lock_making() -> None:
            await tx.execute("select pg_advisory_xact_lock($1)", _MAKING_LOCK)

        return Work(
            seals=SealTable(tx, self._vouching),
            applications=ApplicationTable(tx, self._vouching),
            keys=KeyTable(tx),
            ledger=LedgerTable(tx, self._cipher),
            trust=TrustTable(tx),
            checkpoints=CheckpointTable(tx, self._cipher),
            permissions=PermissionTable(tx, self._cipher),
            publish=tx.publish,
            lock_making=lock_making,
        )

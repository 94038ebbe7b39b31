"""What the process and the jobs share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.clock import system_clock
from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.outbox import outbox_writer
from chassis.schema import check_schema
from services.seal.domain.suite import ECDSA_WITH_SHA256, SM2_WITH_SM3, SigningKey, Suite, Suites
from services.seal.store import StoreUnit


def signing_suite(suites: Suites) -> Suite:
    """Return the suite that seals are made and used with: SM2 with SM3."""
    suite = suites.by_signature(SM2_WITH_SM3)
    assert suite is not None, "load_suites refuses to go on without it"
    return suite


def companion_suite(suites: Suites) -> Suite:
    """Return the suite of the companion credentials, for documents that cannot carry SM2: ECDSA P-256."""
    suite = suites.by_signature(ECDSA_WITH_SHA256)
    assert suite is not None, "it is built in"
    return suite


@asynccontextmanager
async def open_store(
    dsn: str,
    cipher: FieldCipher | None = None,
    suites: Suites | None = None,
    maker_key: SigningKey | None = None,
) -> AsyncIterator[StoreUnit]:
    """Open the store for a job; its events leave with the serving process's relay. See `StoreUnit`.

    Raises PEER_UNAVAILABLE, SCHEMA_OUTDATED, SCHEMA_TOO_NEW.
    """
    database = await Database.open(
        dsn, now=system_clock, write_events=outbox_writer("//tongban/seal"), max_size=2
    )
    try:
        async with database.transaction() as tx:
            await check_schema(tx, "seal")
        yield StoreUnit(database, cipher, suites, maker_key)
    finally:
        await database.close()

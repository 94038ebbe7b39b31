"""One open transaction of identity, with representations and the record of contact readings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import astuple, replace
from datetime import datetime

from asyncpg import Record

from chassis.audit import recording
from chassis.db import Database, Transaction
from chassis.event import Event
from chassis.fields import FieldCipher
from services.intake.domain.identity.representation import Representation
from services.intake.store.coded import CONTACT_READ, REPRESENTATION
from services.intake.store.identity.entrustments import EntrustmentRows
from services.intake.store.identity.log_ins import AssertionRows, ChallengeRows, SessionRows
from services.intake.store.identity.persons import PersonRows
from services.intake.usecases.identity.ports import ContactRead


class RepresentationRows:
    """The port ``RepresentationStore`` on one transaction; rows altered elsewhere are told (ROW_ALTERED)."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx, self._cipher = tx, cipher

    async def put(self, representation: Representation) -> None:
        """Store one, in place of an earlier one of the same pair."""
        await self._tx.execute(
            f"""
            insert into representation ({REPRESENTATION.names}) values ($1, $2, $3, $4, $5, $6)
            on conflict (organisation_id, person_id) do update set licence_id = excluded.licence_id,
              confirmed_at = excluded.confirmed_at, revoked_at = excluded.revoked_at, mac = excluded.mac
            """,  # noqa: S608 - constants
            *REPRESENTATION.coded(self._cipher, astuple(representation)),
        )

    async def load(self, organisation_id: str, person_id: str) -> Representation | None:
        """Return the representation of a pair, revoked or not, or None."""
        row = await self._tx.fetchrow(
            "select * from representation where organisation_id = $1 and person_id = $2",
            organisation_id,
            person_id,
        )
        return self._checked(row) if row else None

    async def of_person(self, person_id: str) -> Sequence[Representation]:
        """Return the active ones of a person, oldest first."""
        rows = await self._tx.fetch(
            """
            select * from representation where person_id = $1 and revoked_at is null
            order by confirmed_at, organisation_id
            """,
            person_id,
        )
        return [self._checked(row) for row in rows]

    async def of_organisation(self, organisation_id: str) -> Sequence[Representation]:
        """Return the active ones; the organisation's row is locked, so that two at once see each other."""
        await self._tx.execute("select 1 from person where person_id = $1 for update", organisation_id)
        rows = await self._tx.fetch(
            "select * from representation where organisation_id = $1 and revoked_at is null order by person_id",
            organisation_id,
        )
        return [self._checked(row) for row in rows]

    async def end_by_licence(self, licence_id: str, ended_at: datetime) -> int:
        """End the active ones a licence proved before a moment; return how many."""
        rows = await self._tx.fetch(
            """
            select * from representation where licence_id = $1 and revoked_at is null and confirmed_at <= $2
            order by organisation_id, person_id for update
            """,
            licence_id,
            ended_at,
        )
        for row in rows:
            await self.put(replace(self._checked(row), revoked_at=self._tx.now()))
        return len(rows)

    def _checked(self, row: Record) -> Representation:
        REPRESENTATION.check(self._cipher, row)
        return Representation(*(row[name] for name in REPRESENTATION.columns))


class ContactReadRows:
    """The port ``ContactReadStore`` on one transaction."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx, self._cipher = tx, cipher

    async def add(self, read: ContactRead) -> None:
        """Append one. Raises AUDIT_UNWRITABLE."""
        with recording("contact_read"):
            read_id = await self._tx.fetchval(
                "select nextval(pg_get_serial_sequence('contact_read', 'contact_read_id'))"
            )
            await self._tx.execute(
                f"insert into contact_read ({CONTACT_READ.names}) overriding system value"  # noqa: S608 - constants
                " values ($1, $2, $3, $4, $5, $6)",
                *CONTACT_READ.coded(
                    self._cipher, (read_id, read.person_id, read.reader, read.purpose, read.read_at)
                ),
            )


class PostgresIdentityWork:
    """The port ``IdentityWork`` on one transaction of ours."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx = tx
        self.persons = PersonRows(tx, cipher)
        self.challenges = ChallengeRows(tx, cipher)
        self.sessions = SessionRows(tx)
        self.assertions = AssertionRows(tx)
        self.representations = RepresentationRows(tx, cipher)
        self.contact_reads = ContactReadRows(tx, cipher)
        self.entrustments = EntrustmentRows(tx, cipher)

    def now(self) -> datetime:
        """Return the present, aware, UTC."""
        return self._tx.now()

    def publish(self, event: Event, version: int) -> None:
        """Have an event leave with the commit."""
        self._tx.publish(event, version)


class IdentityWorks:
    """Opens transactions for the use cases: ``async with works() as work``."""

    def __init__(self, database: Database, cipher: FieldCipher) -> None:
        self._database, self._cipher = database, cipher

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[PostgresIdentityWork]:
        """Open a transaction; it commits at the end of the block."""
        async with self._database.transaction() as tx:
            yield self.within(tx)

    def within(self, tx: Transaction) -> PostgresIdentityWork:
        """Return the work on an open transaction."""
        return PostgresIdentityWork(tx, self._cipher)

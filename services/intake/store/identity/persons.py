"""Persons, and the applicants that cases see of them."""

from __future__ import annotations

from typing import Literal

import asyncpg

from chassis.db import Transaction
from chassis.fields import FieldCipher
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.identity.person import Person, PersonKind
from services.intake.store.identity.codes import HashedCodes

_NAME, _NUMBER, _PHONE, _ADDRESS = "person.name", "person.id_number", "person.phone", "person.address"
_EMAIL = "person.email"
PERSON_FIELDS = {
    "name": _NAME,
    "id_number": _NUMBER,
    "phone": _PHONE,
    "address": _ADDRESS,
    "email": _EMAIL,
}
_READ = """
select p.*, agent.phone as agent_phone, agent.email as agent_email from person p
left join lateral (
  select a.phone, a.email from representation r join person a using (person_id)
  where p.kind = 'legal' and r.organisation_id = p.person_id and r.revoked_at is null
  order by r.confirmed_at, r.person_id limit 1
) agent on true
"""


class PersonRows:
    """The port ``PersonStore`` on one transaction."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx, self._cipher = tx, cipher
        self._codes = HashedCodes(cipher)

    async def find(self, id_type_code: str, id_number: str) -> Person | None:
        """Return the person with a number, or None."""
        row = await self._tx.fetchrow(
            _READ + " where p.subject = $1", self._codes.subject(id_type_code, id_number)
        )
        return self._person(row) if row else None

    async def read(self, person_id: str) -> Person | None:
        """Return a person in clear, or None."""
        row = await self._tx.fetchrow(_READ + " where p.person_id = $1", person_id)
        return self._person(row) if row else None

    async def add(self, person: Person) -> bool:
        """Store a new person; False when the number is registered already."""
        added = await self._tx.fetchval(
            """
            insert into person (person_id, kind, subject, id_type_code, id_number, name, phone, address,
              version, registered_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            on conflict (subject) do nothing returning true
            """,
            person.person_id,
            person.kind.value,
            self._codes.subject(person.id_type_code, person.id_number),
            person.id_type_code,
            self._cipher.encrypt(person.id_number, field=_NUMBER),
            self._cipher.encrypt(person.name, field=_NAME),
            self._cipher.encrypt(person.phone, field=_PHONE),
            self._cipher.encrypt(person.address, field=_ADDRESS),
            person.version,
            person.registered_at,
        )
        return bool(added)

    async def set_email(self, person_id: str, email: str) -> None:
        """Store where notices also go; empty: nowhere."""
        await self._tx.execute(
            "update person set email = $2 where person_id = $1",
            person_id,
            self._cipher.encrypt(email, field=_EMAIL) if email else None,
        )

    def _person(self, row: asyncpg.Record) -> Person:
        phone = row["agent_phone"] or row["phone"]
        email = row["agent_email"] or row["email"]
        return Person(
            person_id=row["person_id"],
            kind=PersonKind(row["kind"]),
            id_type_code=row["id_type_code"],
            id_number=self._cipher.decrypt(row["id_number"], field=_NUMBER),
            name=self._cipher.decrypt(row["name"], field=_NAME),
            phone=self._cipher.decrypt(phone, field=_PHONE),
            address=self._cipher.decrypt(row["address"], field=_ADDRESS),
            email=self._cipher.decrypt(email, field=_EMAIL) if email else "",
            registered_at=row["registered_at"],
            version=row["version"],
        )


class ApplicantRows:
    """The port ``Persons`` of cases on one transaction."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._persons = PersonRows(tx, cipher)

    async def load(self, person_id: str) -> Applicant | None:
        """Return the person in clear, or None."""
        person = await self._persons.read(person_id)
        if person is None:
            return None
        kind: Literal["natural", "legal"] = "natural" if person.kind is PersonKind.NATURAL else "legal"
        return Applicant(
            person_id=person.person_id,
            kind=kind,
            name=person.name,
            id_type_code=person.id_type_code,
            id_number=person.id_number,
            phone=person.phone,
            address=person.address,
        )

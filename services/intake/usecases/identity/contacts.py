"""Where a person is reached; every reading leaves a record with its purpose (PIPL 55)."""

from __future__ import annotations

from dataclasses import dataclass, field

from chassis.errors import FIELD_REQUIRED, FIELD_TOO_LONG, refuse
from services.intake.domain.identity.person import PERSON_NOT_FOUND, Person, PersonKind, email_mistakes
from services.intake.usecases.identity.ports import ContactRead, IdentityWork
from standards.masking import mask_name

PURPOSE_LIMIT = 200
LANGUAGE = "zh"


@dataclass(frozen=True, slots=True)
class Contact:
    """Where and how a person is addressed."""

    person_id: str
    phone: str = field(repr=False)
    masked_name: str
    language: str
    email: str = field(default="", repr=False)


async def get_contact(work: IdentityWork, person_id: str, reader: str, purpose: str) -> Contact:
    """Return a person's contact and record who read it for what.

    Raises INVALID_REQUEST without a purpose, PERSON_NOT_FOUND.
    """
    if not purpose.strip():
        refuse([FIELD_REQUIRED.at("purpose")])
    if len(purpose) > PURPOSE_LIMIT:
        refuse([FIELD_TOO_LONG.at("purpose", limit=PURPOSE_LIMIT)])
    person = await work.persons.read(person_id)
    if person is None:
        raise PERSON_NOT_FOUND()
    await work.contact_reads.add(ContactRead(person_id, reader, purpose, work.now()))
    return Contact(person.person_id, person.phone, addressed(person), LANGUAGE, person.email)


async def change_email(work: IdentityWork, person_id: str, email: str) -> None:
    """Have notices go to an e-mail address as well; empty: to none any more. Raises INVALID_REQUEST."""
    refuse(email_mistakes(email))
    await work.persons.set_email(person_id, email)


def addressed(person: Person) -> str:
    """Return how messages name a person; an organisation's name is public."""
    return mask_name(person.name) if person.kind is PersonKind.NATURAL else person.name

"""What a person sees of themselves: masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chassis.auth.person import ActingPerson
from services.intake.domain.identity.person import PERSON_NOT_FOUND, Person
from services.intake.domain.identity.session import Session
from services.intake.usecases.identity.contacts import addressed
from services.intake.usecases.identity.organisations import Organisation, list_organisations
from services.intake.usecases.identity.ports import IdentityWork
from standards.masking import mask_citizen_id, mask_email, mask_mobile


@dataclass(frozen=True, slots=True)
class Self:
    """A person's own view, for a screen others may look at."""

    person_id: str
    kind: str
    masked_name: str
    id_number_masked: str
    phone_masked: str
    email_masked: str
    session: Session
    acting_for: str | None
    organisations: Sequence[Organisation] = field(repr=False)


async def whoami(work: IdentityWork, actor: ActingPerson, session: Session) -> Self:
    """Return who is logged in, masked, and the organisations they may act for. Raises PERSON_NOT_FOUND."""
    person = await work.persons.read(actor.person_id)
    if person is None:
        raise PERSON_NOT_FOUND()
    return Self(
        person_id=person.person_id,
        kind=person.kind,
        masked_name=addressed(person),
        id_number_masked=mask_citizen_id(person.id_number),
        phone_masked=mask_mobile(person.phone),
        email_masked=mask_email(person.email) if person.email else "",
        session=session,
        acting_for=actor.acting_for,
        organisations=await list_organisations(work, actor),
    )


async def principal(work: IdentityWork, actor: ActingPerson) -> Person:
    """Return for whom the actor acts now: an organisation, or themselves. Raises PERSON_NOT_FOUND."""
    person = await work.persons.read(actor.acting_for or actor.person_id)
    if person is None:
        raise PERSON_NOT_FOUND()
    return person

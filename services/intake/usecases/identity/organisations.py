"""Represent an organisation: proved by the registry, never by the person's own word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import uuid_utils.compat

from chassis.auth.person import ActingPerson
from chassis.errors import refuse
from events.intake import PersonRegistered
from services.intake.domain.identity.person import (
    PERSON_NOT_FOUND,
    UNIFIED_CODE,
    Person,
    PersonKind,
)
from services.intake.domain.identity.representation import (
    REPRESENTATION_CONTESTED,
    REPRESENTATION_NOT_CONFIRMED,
    REPRESENTATION_NOT_FOUND,
    Representation,
    uscc_mistakes,
)
from services.intake.usecases.identity.ports import (
    BusinessLicence,
    IdentityWork,
    LicenceRegistry,
    OpenIdentity,
)

ENDING_STATUSES = frozenset({"expired", "replaced", "cancelled", "revoked", "forfeited"})
"""Statuses of a business licence that end what it proves; a suspended one leaves its representative."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation someone may act for."""

    organisation_id: str
    name: str = field(repr=False)
    uscc: str
    representation: Representation


async def register_organisation(
    open_work: OpenIdentity, registry: LicenceRegistry, actor: ActingPerson, uscc: str
) -> Organisation:
    """Let the person act for an organisation whose business licence names them as representative.

    The first representative registers the organisation; repeating is harmless. Whom its licence names
    no more represents it no more. Raises INVALID_REQUEST for a wrong code,
    REPRESENTATION_NOT_CONFIRMED, REPRESENTATION_CONTESTED for a namesake, PEER_UNAVAILABLE.
    """
    refuse(uscc_mistakes(uscc))
    async with open_work() as work:
        person = await work.persons.read(actor.person_id)
    if person is None:
        raise PERSON_NOT_FOUND()
    licence = await registry.business_licence(uscc, person.name)
    if licence is None:
        raise REPRESENTATION_NOT_CONFIRMED()
    async with open_work() as work:
        organisation = await _organisation(work, uscc, licence)
        now = work.now()
        await _end_others(work, organisation.person_id, person, now)
        representation = Representation(
            organisation.person_id, actor.person_id, licence.licence_id, confirmed_at=now
        )
        await work.representations.put(representation)
    return Organisation(organisation.person_id, organisation.name, uscc, representation)


async def list_organisations(work: IdentityWork, actor: ActingPerson) -> Sequence[Organisation]:
    """Return the organisations the person may act for now."""
    found = []
    for representation in await work.representations.of_person(actor.person_id):
        organisation = await work.persons.read(representation.organisation_id)
        if organisation is not None:
            found.append(
                Organisation(
                    organisation.person_id, organisation.name, organisation.id_number, representation
                )
            )
    return found


async def revoke_representation(work: IdentityWork, actor: ActingPerson, organisation_id: str) -> None:
    """Have the person act for the organisation no more, from the next call on.

    Raises REPRESENTATION_NOT_FOUND.
    """
    found = await work.representations.load(organisation_id, actor.person_id)
    if found is None or not found.active:
        raise REPRESENTATION_NOT_FOUND()
    await work.representations.put(found.revoked(work.now()))


async def end_representations(work: IdentityWork, licence_id: str, ended_at: datetime) -> int:
    """End every representation that a licence proved before it ended; return how many."""
    return await work.representations.end_by_licence(licence_id, ended_at)


async def _end_others(work: IdentityWork, organisation_id: str, person: Person, now: datetime) -> None:
    """End the representations of whom the licence names no more.

    The registry knows representatives by name only, and a licence names one: of two namesakes the
    second is sent to a window. Raises REPRESENTATION_CONTESTED.
    """
    for other in await work.representations.of_organisation(organisation_id):
        if other.person_id == person.person_id:
            continue
        known = await work.persons.read(other.person_id)
        if known is not None and known.name == person.name:
            raise REPRESENTATION_CONTESTED()
        await work.representations.put(other.revoked(now))


async def _organisation(work: IdentityWork, uscc: str, licence: BusinessLicence) -> Person:
    fresh = Person(
        person_id=str(uuid_utils.compat.uuid7()),
        kind=PersonKind.LEGAL,
        id_type_code=UNIFIED_CODE,
        id_number=uscc,
        name=licence.organisation_name,
        phone="",
        registered_at=work.now(),
    )
    if await work.persons.add(fresh):
        work.publish(
            PersonRegistered(person_id=fresh.person_id, kind=fresh.kind, registered_at=fresh.registered_at),
            fresh.version,
        )
        return fresh
    known = await work.persons.find(UNIFIED_CODE, uscc)
    if known is None:
        raise PERSON_NOT_FOUND()
    return known

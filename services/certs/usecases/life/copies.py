"""Attached copies (副本) of a licence in force, as many as its type allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.certs.domain.disclosure import Shown, masked
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.life.copies import (
    COPIES_USED_UP,
    COPY_FIELD,
    COPY_OF_COPY,
    title_note,
    waiting_copy,
)
from services.certs.domain.life.order import LicenceOrder, OrderedAct
from services.certs.domain.life.succession import LinkState, require_in_force
from services.certs.domain.status import LicenceStatus
from services.certs.usecases.life.making import Wish, make_linked, ordered, subject_of
from services.certs.usecases.life.standing import settle
from services.certs.usecases.ports import Documents, NewId, Registry

MOST_NUMBERS = 99


async def make_copy(
    registry: Registry, documents: Documents, types: LicenceTypes, wish: Wish, new_id: NewId, now: datetime
) -> tuple[Shown, LicenceOrder, int]:
    """Make the next copy, waiting for its seal; return it masked, the order and the copy's number.

    Copies that fell do not count against the type's limit, and their numbers are not given again.
    Raises INVALID_REQUEST, LICENCE_NOT_FOUND, ETAG_MISMATCH, LICENCE_NOT_IN_FORCE, COPY_OF_COPY,
    COPIES_USED_UP, LICENCE_TYPE_UNKNOWN.
    """
    subject = await subject_of(registry, types, wish, OrderedAct.COPY)
    subject.require(wish)
    if subject.link is not None and subject.link.is_copy:
        raise COPY_OF_COPY()
    licence = await settle(registry, subject.licence, now)
    require_in_force(licence, now)
    copies = [each for each in await registry.life.links.under(licence.licence_id) if each.is_copy]
    standing = [each for each in copies if each.state is not LinkState.CALLED_OFF]
    limit = subject.rules.copies_allowed
    made_before = await registry.licences.get_each([each.licence_id for each in standing])
    living = sum(each.status is not LicenceStatus.CANCELLED for each in made_before)
    number = max((each.copy_number for each in copies), default=0) + 1
    if living >= limit or number > MOST_NUMBERS:
        raise COPIES_USED_UP(limit=limit)
    copy = waiting_copy(licence, subject.kind, new_id(), number)
    order = ordered(wish, OrderedAct.COPY, new_id, now)
    made = await make_linked(
        registry,
        documents,
        subject,
        copy,
        order,
        {COPY_FIELD: str(number)},
        number,
        title_note(number),
        now,
    )
    return masked(made, subject.kind), replace(order, result_id=made.licence_id), number

"""Change the status of a licence by order of its issuer, or because its term is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from chassis.clock import china_day
from chassis.errors import ETAG_MISMATCH, FIELD_REQUIRED, refuse
from events.certs import LicenceStatusChanged
from services.certs.domain.disclosure import Shown, masked, public_identifier
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.status import StatusChange, StatusOrder, carry_out, check_order, expiry
from services.certs.usecases.ports import Registry

EXPIRY_BATCH = 500


async def change_status(
    registry: Registry,
    types: LicenceTypes,
    department_code: str,
    licence_id: str,
    etag: str,
    order: StatusOrder,
    now: datetime,
) -> Shown:
    """Carry out an issuer's order on its own licence and return the licence, masked.

    A licence of another issuer is not found. The etag is mandatory. Raises INVALID_REQUEST,
    LICENCE_NOT_FOUND, ETAG_MISMATCH, STATUS_CHANGE_NOT_ALLOWED, TERM_IS_OVER.
    """
    check_order(order, now)
    given = {"licence_id": licence_id, "etag": etag}
    refuse(FIELD_REQUIRED.at(name) for name, value in given.items() if not value)
    licence = await registry.licences.lock(licence_id)
    if licence is None or licence.issuer_code != department_code:
        raise LICENCE_NOT_FOUND()
    if licence.etag != etag:
        raise ETAG_MISMATCH()
    change = carry_out(order, licence.status, licence.valid_until, now)
    changed = await _apply(registry, licence, change, f"department/{department_code}", now)
    return masked(changed, types.get(licence.type_code))


async def expire_licences(registry: Registry, now: datetime, *, limit: int = EXPIRY_BATCH) -> int:
    """Mark up to ``limit`` licences whose term is over as expired, and return how many."""
    over = await registry.licences.claim_over(date.fromisoformat(china_day(now)), limit)
    for licence in over:
        assert licence.valid_until is not None
        change = expiry(licence.status, licence.valid_until, now)
        await _apply(registry, licence, change, "service/certs", now)
    return len(over)


async def _apply(
    registry: Registry, licence: Licence, change: StatusChange, changed_by: str, now: datetime
) -> Licence:
    changed = replace(licence, status=change.status, version=licence.version + 1)
    await registry.licences.save_state(changed)
    await registry.licences.add_change(changed, change, changed_by)
    event = LicenceStatusChanged(
        licence_id=licence.licence_id,
        identifier=public_identifier(licence),
        previous=change.previous,
        status=change.status,
        effective_at=change.effective_at,
        changed_at=now,
    )
    registry.publish(event, changed.version)
    return changed

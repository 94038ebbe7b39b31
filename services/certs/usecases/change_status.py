"""Change the status of a licence by order of its issuer, or because its term is over."""

from __future__ import annotations

from datetime import date, datetime

from chassis.clock import china_day
from chassis.errors import ETAG_MISMATCH, FIELD_REQUIRED, refuse
from services.certs.domain.disclosure import Shown, masked
from services.certs.domain.licence import LICENCE_NOT_FOUND
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.life.history import term_over_at
from services.certs.domain.life.order import Decision, LicenceOrder, OrderedAct, effective_violations
from services.certs.domain.life.rules import life_rules
from services.certs.domain.status import (
    Act,
    StatusOrder,
    carry_out,
    expiry,
    order_violations,
    second_person_violations,
)
from services.certs.usecases.life.standing import (
    REGISTRY,
    carry,
    check_follower,
    lock_standing,
    settle,
    undergo,
)
from services.certs.usecases.ports import NewId, Registry
from standards.persons import named

EXPIRY_BATCH = 500


async def change_status(
    registry: Registry,
    types: LicenceTypes,
    department_code: str,
    licence_id: str,
    etag: str,
    order: StatusOrder,
    new_id: NewId,
    now: datetime,
) -> Shown:
    """Carry out an issuer's order on its own licence and return the licence, masked.

    A licence of another issuer is not found. The etag is mandatory. What two people decided is kept as an order
    with both of them, as `order_act` keeps it. Raises INVALID_REQUEST,
    LICENCE_NOT_FOUND, ETAG_MISMATCH, STATUS_CHANGE_NOT_ALLOWED, TERM_IS_OVER, COPY_FOLLOWS_ORIGINAL.
    """
    given = {"licence_id": licence_id, "etag": etag}
    missing = [FIELD_REQUIRED.at(name) for name, value in given.items() if not value]
    refuse([*missing, *order_violations(order, now)])
    licence = await lock_standing(registry, licence_id)
    if licence is None or licence.issuer_code != department_code:
        raise LICENCE_NOT_FOUND()
    wrong = second_person_violations(order, life_rules(types.get(licence.type_code)).second_person_acts)
    refuse([*wrong, *effective_violations(order.effective_at, licence.issued_date, now)])
    if licence.etag != etag:
        raise ETAG_MISMATCH()
    licence = await settle(registry, licence, now)
    change = carry_out(order, licence.status, licence.valid_until, now)
    check_follower(await registry.life.links.of(licence_id), change.act)
    by = f"department/{department_code}"
    if named(order.second_person):
        decided = _order(licence_id, change.act, order, by, new_id(), now)
        await registry.life.orders.add(decided)
        changed = await carry(registry, licence, decided, now)
    else:
        changed = await undergo(registry, licence, change, by, now)
    return masked(changed, types.of(licence))


def _order(
    licence_id: str, act: Act, asked: StatusOrder, by: str, order_id: str, now: datetime
) -> LicenceOrder:
    said = Decision(asked.reason, asked.basis_document, asked.operator, asked.second_person)
    return LicenceOrder(order_id, licence_id, OrderedAct(act.value), said, asked.effective_at, now, by)


async def expire_licences(registry: Registry, now: datetime, *, limit: int = EXPIRY_BATCH) -> int:
    """Mark up to ``limit`` licences as expired, each from the end of its last day, and return how many."""
    over = await registry.licences.claim_over(date.fromisoformat(china_day(now)), limit)
    for licence in over:
        assert licence.valid_until is not None
        change = expiry(licence.status, licence.valid_until, term_over_at(licence.valid_until))
        await undergo(registry, licence, change, REGISTRY, now)
    return len(over)

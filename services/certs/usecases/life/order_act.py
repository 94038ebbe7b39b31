"""Order what befalls a licence, now or from a moment that lies ahead; take an order back; look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import FIELD_REQUIRED, Fault, refuse
from services.certs.domain.disclosure import Shown, masked
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.life.order import (
    ACT_NOT_ORDERABLE,
    ORDER_NOT_FOUND,
    ORDER_SETTLED,
    STATUS_ASKED,
    LicenceOrder,
    OrderedAct,
    OrderState,
    act_of,
    change_ordered,
    effective_violations,
)
from services.certs.domain.life.succession import Link
from services.certs.domain.status import REASON_LIMIT
from services.certs.domain.wording import stated_violations
from services.certs.usecases.life.making import Wish, ordered, subject_of
from services.certs.usecases.life.ports import Place
from services.certs.usecases.life.standing import carry, check_follower, settle
from services.certs.usecases.ports import NewId, Registry


@dataclass(frozen=True, slots=True)
class Related:
    """Another licence row of the same licence, as the list of orders names it."""

    licence: Licence
    link: Link
    is_earlier: bool


async def order_act(
    registry: Registry,
    types: LicenceTypes,
    wish: Wish,
    act: OrderedAct | None,
    effective_at: datetime | None,
    new_id: NewId,
    now: datetime,
) -> tuple[Shown, LicenceOrder]:
    """Carry out an issuer's order, or keep it until its moment; return the licence, masked, and the order.

    One whose moment is past counts from then. Raises INVALID_REQUEST naming every wrong field,
    LICENCE_NOT_FOUND, ETAG_MISMATCH, STATUS_CHANGE_NOT_ALLOWED, TERM_IS_OVER, COPY_FOLLOWS_ORIGINAL.
    """
    known = act if act in STATUS_ASKED else None
    subject = await subject_of(registry, types, wish, known or OrderedAct.SUSPEND, needs_type=False)
    if known is None:
        subject.wrong.append(ACT_NOT_ORDERABLE.at("act"))
    counts_from = effective_at or now
    subject.wrong.extend(effective_violations(counts_from, subject.licence.issued_date, now))
    subject.require(wish)
    assert known is not None
    order = replace(ordered(wish, known, new_id, now), effective_at=counts_from)
    check_follower(subject.link, act_of(order))
    licence = await settle(registry, subject.licence, now)
    if counts_from <= now:
        change_ordered(order, licence.status, licence.valid_until, now)  # refuses before anything is stored
        await registry.life.orders.add(order)
        licence = await carry(registry, licence, order, now)
        order = replace(order, state=OrderState.DONE, settled_at=now, settled_version=licence.version)
    else:
        _check_plan(order, licence)
        await registry.life.orders.add(order)
    return masked(licence, subject.kind), order


async def withdraw_order(
    registry: Registry, department_code: str, order_id: str, reason: str, now: datetime
) -> LicenceOrder:
    """Take back an order of a status act whose moment has not come.

    Raises INVALID_REQUEST, ORDER_NOT_FOUND, ORDER_SETTLED.
    """
    missing = [] if order_id else [FIELD_REQUIRED.at("order_id")]
    refuse([*missing, *stated_violations("reason", reason, REASON_LIMIT)])
    found = await registry.life.orders.lock(order_id)
    licence = await registry.licences.get(found.licence_id) if found else None
    if found is None or licence is None or licence.issuer_code != department_code:
        raise ORDER_NOT_FOUND()
    if found.state is not OrderState.WAITING or found.act not in STATUS_ASKED or found.effective_at <= now:
        raise ORDER_SETTLED()
    withdrawn = replace(found, state=OrderState.WITHDRAWN, settled_at=now, cause=reason)
    await registry.life.orders.save(withdrawn)
    return withdrawn


async def list_orders(
    registry: Registry, department_code: str, licence_id: str, before: Place | None, limit: int
) -> tuple[list[LicenceOrder], Sequence[Related]]:
    """Return a page of the orders about one of the issuer's licences, newest first; with the first, its kin.

    Raises INVALID_REQUEST, LICENCE_NOT_FOUND.
    """
    refuse([] if licence_id else [FIELD_REQUIRED.at("licence_id")])
    licence = await registry.licences.get(licence_id)
    if licence is None or licence.issuer_code != department_code:
        raise LICENCE_NOT_FOUND()
    found = await registry.life.orders.of_licence(licence_id, before, limit)
    return found, [] if before else await _kin(registry, licence_id)


async def _kin(registry: Registry, licence_id: str) -> list[Related]:
    found: list[Related] = []
    above = await registry.life.links.of(licence_id)
    if above is not None and (parent := await registry.licences.get(above.parent_id)):
        found.append(Related(parent, above, is_earlier=True))
    for link in await registry.life.links.under(licence_id):
        below = await registry.licences.get(link.licence_id)
        assert below is not None, "a link refers to a licence"
        found.append(Related(below, link, is_earlier=False))
    return found


def _check_plan(order: LicenceOrder, licence: Licence) -> None:
    """Refuse a plan that the licence as it stands could never undergo; what comes between is judged then."""
    try:
        change_ordered(order, licence.status, licence.valid_until, order.effective_at)
    except Fault as refusal:
        if order.act is not OrderedAct.RESTORE or refusal.code == "TERM_IS_OVER":
            raise

"""A linked licence comes into force: a new version takes its predecessor's place, a copy joins its original."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from services.certs.domain.licence import Licence
from services.certs.domain.life.order import Decision, LicenceOrder, OrderState
from services.certs.domain.life.succession import Link, LinkState
from services.certs.domain.status import TRANSITIONS, Act, LicenceStatus, StatusChange, after
from services.certs.usecases.life.standing import REGISTRY, call_off, settle, undergo
from services.certs.usecases.ports import Registry

SUCCEEDED = "SUCCEEDED"
"""Cause of an order's end: it goes on under the new version."""
SUSPENSION_GOES_OVER = "原证照处于暂停状态，随之暂停"


async def hold_parent(registry: Registry, licence_id: str, now: datetime) -> tuple[Link, Licence] | None:
    """Return the waiting link of a licence and what it hangs on, held and settled; None if it hangs on nothing.

    A licence whose parent fell is called off by this: it must be locked, and looked at, after it.
    """
    link = await registry.life.links.of(licence_id)
    if link is None or link.state is not LinkState.WAITING:
        return None
    parent = await registry.licences.lock(link.parent_id)
    assert parent is not None, "a link refers to a licence"
    parent = await settle(registry, parent, now)
    if parent.status not in TRANSITIONS[Act.REPLACE][0]:  # a register said so in an import
        await call_off(registry, link, parent.status, now)
    return link, parent


async def take_over(
    registry: Registry, licence: Licence, link: Link, parent: Licence, now: datetime
) -> Licence:
    """Return the licence that has just come into force, its predecessor replaced in the same transaction.

    A suspension goes over. Orders that wait for their time go on under the new version.
    """
    order = await registry.life.orders.lock(link.order_id)
    assert order is not None, "a link refers to an order"
    await registry.life.links.save(replace(link, state=LinkState.IN_FORCE, settled_at=now))
    done = replace(order, state=OrderState.DONE, settled_at=now, settled_version=licence.version)
    await registry.life.orders.save(done)
    if not link.is_copy:
        said = order.decision
        change = _replaced(parent, said, now)
        await undergo(registry, parent, change, order.ordered_by, now)
        await _hand_on_orders(registry, parent, licence, now)
    if parent.status is LicenceStatus.SUSPENDED:
        licence = await undergo(registry, licence, _suspended(licence, order.decision, now), REGISTRY, now)
    return licence


def _replaced(parent: Licence, said: Decision, now: datetime) -> StatusChange:
    following = after(Act.REPLACE, parent.status)
    return StatusChange(
        parent.status, following, Act.REPLACE, said.reason, said.basis_document, said.operator, now
    )


def _suspended(licence: Licence, said: Decision, now: datetime) -> StatusChange:
    following = after(Act.SUSPEND, licence.status)
    return StatusChange(
        licence.status, following, Act.SUSPEND, SUSPENSION_GOES_OVER, said.basis_document, said.operator, now
    )


async def _hand_on_orders(registry: Registry, parent: Licence, licence: Licence, now: datetime) -> None:
    for order in await registry.life.orders.waiting(parent.licence_id):
        ended = replace(order, state=OrderState.LAPSED, settled_at=now, cause=SUCCEEDED)
        await registry.life.orders.save(ended)
        await registry.life.orders.add(_handed_on(order, licence, now))


def _handed_on(order: LicenceOrder, licence: Licence, now: datetime) -> LicenceOrder:
    return replace(
        order,
        order_id=str(uuid5(UUID(order.order_id), licence.licence_id)),
        licence_id=licence.licence_id,
        ordered_at=now,
    )

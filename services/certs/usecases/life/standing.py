"""Where a licence stands: what an act does to it, to its copies and to the version that waits to follow it.

Locks are taken from the top: the predecessor or original first, then what hangs on it. Before any act
what time alone has brought is settled: orders whose moment has come, and the end of the term.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.errors import Fault
from events.certs import LicenceStatusChanged
from services.certs.domain.disclosure import public_identifier
from services.certs.domain.licence import Licence
from services.certs.domain.life.copies import along
from services.certs.domain.life.history import term_over_at
from services.certs.domain.life.order import LicenceOrder, OrderState, change_ordered
from services.certs.domain.life.succession import COPY_FOLLOWS_ORIGINAL, Link, LinkState
from services.certs.domain.status import Act, LicenceStatus, StatusChange, after, expiry, is_over
from services.certs.usecases.ports import Registry

REGISTRY = "service/certs"
PREDECESSOR_FELL = "PREDECESSOR_FELL"
CALLED_OFF = "CALLED_OFF"
_RUNNING = frozenset({LicenceStatus.VALID, LicenceStatus.SUSPENDED})
_FELL = frozenset({LicenceStatus.CANCELLED, LicenceStatus.REVOKED, LicenceStatus.FORFEITED})


async def lock_standing(registry: Registry, licence_id: str) -> Licence | None:
    """Return a licence and hold it, after what it hangs on."""
    link = await registry.life.links.of(licence_id)
    if link is not None and (link.is_copy or link.state is LinkState.WAITING):
        await registry.licences.lock(link.parent_id)
    return await registry.licences.lock(licence_id)


async def settle(registry: Registry, licence: Licence, now: datetime) -> Licence:
    """Return the licence after what time has brought: due orders and the end of its term, in their order."""
    for order in await registry.life.orders.waiting(licence.licence_id):
        if order.effective_at > now:
            break
        licence = await _expire(registry, licence, min(now, order.effective_at), now)
        licence = await carry(registry, licence, order, now)
    return await _expire(registry, licence, now, now)


async def settle_licence(registry: Registry, licence_id: str, now: datetime) -> None:
    """Settle one licence, by its id."""
    licence = await lock_standing(registry, licence_id)
    if licence is not None:
        await settle(registry, licence, now)


async def carry(registry: Registry, licence: Licence, order: LicenceOrder, now: datetime) -> Licence:
    """Carry out an order whose moment has come, or note why the licence cannot undergo it any more."""
    try:
        change = change_ordered(order, licence.status, licence.valid_until, now)
    except Fault as refusal:
        lapsed = replace(order, state=OrderState.LAPSED, settled_at=now, cause=refusal.code)
        await registry.life.orders.save(lapsed)
        return licence
    changed = await undergo(registry, licence, change, order.ordered_by, now)
    done = replace(order, state=OrderState.DONE, settled_at=now, settled_version=changed.version)
    await registry.life.orders.save(done)
    return changed


async def undergo(
    registry: Registry, licence: Licence, change: StatusChange, changed_by: str, now: datetime
) -> Licence:
    """Return the licence after a change; its copies went along, and a fall called off what waits to follow it."""
    changed = await apply_change(registry, licence, change, changed_by, now)
    if licence.status is LicenceStatus.PENDING_SEAL and change.status is LicenceStatus.CANCELLED:
        link = await registry.life.links.of(licence.licence_id)
        if link is not None:
            await _call_off(registry, link, CALLED_OFF, now)
    if change.act is Act.EXPIRE:
        return changed  # copies have the same term, and a renewal in time may be sealed after it
    for link in await registry.life.links.under(licence.licence_id):
        if link.state is not LinkState.CALLED_OFF:
            await _follow(registry, link, change, changed_by, now)
    return changed


async def apply_change(
    registry: Registry, licence: Licence, change: StatusChange, changed_by: str, now: datetime
) -> Licence:
    """Store and tell one change of one licence, and nothing that follows from it."""
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


def check_follower(link: Link | None, act: Act) -> None:
    """Raise COPY_FOLLOWS_ORIGINAL for an act that a copy cannot undergo by itself."""
    if link is not None and link.is_copy and act is not Act.CANCEL:
        raise COPY_FOLLOWS_ORIGINAL()


async def call_off(registry: Registry, link: Link, fell: LicenceStatus, now: datetime) -> None:
    """Have a licence that waits for its seal cancelled, because what it was to follow is no more."""
    waiting = await registry.licences.lock(link.licence_id)
    if waiting is None or waiting.status is not LicenceStatus.PENDING_SEAL:
        return
    following = after(Act.CANCEL, waiting.status)
    change = StatusChange(waiting.status, following, Act.CANCEL, "原证照已失效", fell.value, "certs", now)
    await undergo(registry, waiting, change, REGISTRY, now)


async def _follow(
    registry: Registry, link: Link, change: StatusChange, changed_by: str, now: datetime
) -> None:
    follower = await registry.licences.lock(link.licence_id)
    if follower is None:
        return
    moved: StatusChange | None = None
    if link.is_copy:
        moved = along(change, follower.status)
    elif change.status in _FELL and follower.status is LicenceStatus.PENDING_SEAL:
        moved = replace(
            change, previous=follower.status, status=LicenceStatus.CANCELLED, act=Act.CANCEL, effective_at=now
        )
    if moved is None:
        return
    await apply_change(registry, follower, moved, changed_by, now)
    if follower.status is LicenceStatus.PENDING_SEAL and moved.status is LicenceStatus.CANCELLED:
        await _call_off(registry, link, PREDECESSOR_FELL, now)


async def _call_off(registry: Registry, link: Link, cause: str, now: datetime) -> None:
    await registry.life.links.save(replace(link, state=LinkState.CALLED_OFF, settled_at=now))
    order = await registry.life.orders.lock(link.order_id)
    if order is not None and order.state is OrderState.WAITING:
        lapsed = replace(order, state=OrderState.LAPSED, settled_at=now, cause=cause)
        await registry.life.orders.save(lapsed)


async def _expire(registry: Registry, licence: Licence, at: datetime, now: datetime) -> Licence:
    """Return the licence, expired if its term was over at ``at``; it counts from the end of its last day."""
    if licence.status not in _RUNNING or licence.valid_until is None or not is_over(licence.valid_until, at):
        return licence
    change = expiry(licence.status, licence.valid_until, term_over_at(licence.valid_until))
    return await undergo(registry, licence, change, REGISTRY, now)

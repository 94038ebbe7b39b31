"""Annual inspection (年检): scheduled by a walk over the registry, moved on by time, closed by its result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from events.certs import LicenceInspectionChanged
from services.certs.domain.disclosure import Shown, masked, public_identifier
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.life.inspection import (
    INSPECTION_NOT_FOUND,
    OPEN,
    Inspection,
    InspectionState,
    first_cycle,
    following,
    moved_on,
    result_violations,
    window,
)
from services.certs.domain.life.order import OrderedAct, OrderState
from services.certs.domain.life.rules import LifeRules, inspected_types
from services.certs.domain.life.succession import COPY_FOLLOWS_ORIGINAL, today_in_china
from services.certs.domain.log import licence_leaf
from services.certs.usecases.life.making import Wish, ordered, subject_of
from services.certs.usecases.life.ports import Place, Walked
from services.certs.usecases.life.standing import settle
from services.certs.usecases.ports import NewId, Registry

WALK_ROWS = 2_000
SETTLED_BEFORE = timedelta(minutes=1)
"""Rows younger than this may be overtaken by the commit of one with a smaller id; the walk waits for them."""
MOVED_ROWS = 200


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an inspection; cycle 0 means the earliest that is open."""

    state: InspectionState | None
    cycle: int = 0


async def record_inspection(
    registry: Registry, types: LicenceTypes, wish: Wish, result: Result, new_id: NewId, now: datetime
) -> tuple[Inspection, Shown]:
    """Record the result of an open inspection; one that was passed schedules the next.

    Raises INVALID_REQUEST, LICENCE_NOT_FOUND, ETAG_MISMATCH, INSPECTION_NOT_FOUND, COPY_FOLLOWS_ORIGINAL.
    """
    subject = await subject_of(registry, types, wish, OrderedAct.INSPECT, needs_type=False)
    subject.wrong.extend(result_violations(result.state, result.cycle))
    subject.require(wish)
    assert result.state is not None
    if subject.link is not None and subject.link.is_copy:
        raise COPY_FOLLOWS_ORIGINAL()
    licence = await settle(registry, subject.licence, now)
    found = await registry.life.inspections.lock(licence.lineage_id, result.cycle)
    current = await registry.life.inspections.in_force(licence.lineage_id)
    if found is None or found.state not in OPEN or current != licence.licence_id:
        raise INSPECTION_NOT_FOUND()
    licence = await _tell(registry, licence, found, result.state, now)
    order = replace(
        ordered(wish, OrderedAct.INSPECT, new_id, now),
        state=OrderState.DONE,
        settled_at=now,
        cause=result.state.value,
    )
    await registry.life.orders.add(order)
    done = replace(
        found, state=result.state, settled_at=now, order_id=order.order_id, licence_id=licence.licence_id
    )
    await registry.life.inspections.save(done)
    if result.state is InspectionState.PASSED:
        await _schedule_next(registry, done, subject.rules)
    return done, masked(licence, subject.kind)


async def schedule_inspections(
    registry: Registry, types: LicenceTypes, now: datetime, *, limit: int = WALK_ROWS
) -> bool:
    """Schedule the next inspection of licences that have none; return whether the walk goes on.

    The walk goes over every licence once, then over new ones only; other rules of a type begin another.
    """
    inspected = inspected_types(types)
    if not inspected:
        return False
    walk = registry.life.inspections.walk
    page = await walk(_walk_name(inspected), sorted(inspected), now - SETTLED_BEFORE, limit)
    if page is None:
        return False
    today = today_in_china(now)
    made = []
    for each in page:
        rules = inspected[each.type_code]
        cycle = first_cycle(each.first_day, rules, today)
        made.append(_scheduled(each, cycle, window(each.first_day, rules, cycle)))
    await registry.life.inspections.add(made)
    return True


async def moving_inspections(registry: Registry, now: datetime) -> list[tuple[str, int]]:
    """Return the keys of inspections that time has brought to another state."""
    return [(each.lineage_id, each.cycle) for each in await registry.life.inspections.moving(now, MOVED_ROWS)]


async def move_inspection(registry: Registry, lineage_id: str, cycle: int, now: datetime) -> None:
    """Move one inspection on, and tell of it; it is void when no version of the licence is in force."""
    licence_id = await registry.life.inspections.in_force(lineage_id)
    licence = await registry.licences.lock(licence_id) if licence_id else None
    found = await registry.life.inspections.lock(lineage_id, cycle)
    if found is None or (state := moved_on(found, now)) is found.state:
        return
    if licence is None:
        void = replace(found, state=InspectionState.VOID, settled_at=now)
        await registry.life.inspections.save(void)
        return
    await _tell(registry, licence, found, state, now)
    await registry.life.inspections.save(replace(found, state=state, licence_id=licence.licence_id))


async def list_inspections(
    registry: Registry, department_code: str, after: Place | None, limit: int
) -> list[Inspection]:
    """Return a page of the issuer's inspections that are due, overdue or failed, earliest first."""
    return await registry.life.inspections.open_of_issuer(department_code, after, limit)


async def _tell(
    registry: Registry, licence: Licence, inspection: Inspection, state: InspectionState, now: datetime
) -> Licence:
    """Return the licence under its next version; the event and the log have what became of the inspection."""
    licence = replace(licence, version=licence.version + 1)
    await registry.licences.save_state(licence)
    event = LicenceInspectionChanged(
        licence_id=licence.licence_id,
        identifier=public_identifier(licence),
        cycle=inspection.cycle,
        due_date=inspection.due_date,
        state=state,
        changed_at=now,
    )
    registry.publish(event, licence.version)
    await registry.log.append(licence_leaf(licence, f"inspection_{state}", now))
    return licence


async def _schedule_next(registry: Registry, done: Inspection, rules: LifeRules) -> None:
    first = await registry.life.inspections.first_day(done.lineage_id)
    if first is not None and rules.inspection_months > 0:
        await registry.life.inspections.add([following(done, first, rules)])


def _scheduled(each: Walked, cycle: int, times: tuple[datetime, datetime]) -> Inspection:
    return Inspection(
        each.lineage_id,
        cycle,
        each.licence_id,
        each.type_code,
        each.issuer_code,
        *times,
        InspectionState.SCHEDULED,
    )


def _walk_name(inspected: dict[str, LifeRules]) -> str:
    said = sorted(
        (code, rules.inspection_months, rules.inspection_notice_days) for code, rules in inspected.items()
    )
    return "inspection:" + hashlib.sha256(repr(said).encode()).hexdigest()[:32]


__all__ = [
    "Result",
    "list_inspections",
    "move_inspection",
    "moving_inspections",
    "record_inspection",
    "schedule_inspections",
]

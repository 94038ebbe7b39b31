"""What goes on by itself in the life of licences: orders whose time comes, inspections, erasures; their gauges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from chassis.db import Transaction
from chassis.errors import Fault
from chassis.files import KeptFiles
from chassis.logs import get_logger
from chassis.measuring import Measure
from chassis.run import Part
from chassis.service import Runtime
from chassis.telemetry import counter, gauge
from chassis.worker import repeating
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.life.inspection import InspectionState
from services.certs.settings import CertsSettings
from services.certs.usecases.life.inspections import (
    MOVED_ROWS,
    move_inspection,
    moving_inspections,
    schedule_inspections,
)
from services.certs.usecases.life.retain import BATCH, erase_fallen, remove_documents
from services.certs.usecases.life.standing import settle_licence
from services.certs.usecases.ports import Registry

DUE_AT_ONCE = 200
INSPECTIONS = gauge("licence_inspections", "Annual inspections that are due, overdue or failed", ["state"])
WAITING = gauge("licence_orders_late", "Orders whose time has come and that were not carried out yet")
ERASED = counter("licences_erased", "Fallen licences whose personal data were erased")
FAILED = counter("licence_life_failures", "Licences that a sweep had to leave as they are", ["kind"])
_SHOWN = (InspectionState.DUE, InspectionState.OVERDUE, InspectionState.FAILED)
_COUNT = """
select state, count(*) as found from licence_inspection where state in ('due', 'overdue', 'failed') group by state
"""
_LATE = """
select count(*) from licence_order where state = 'waiting' and effective_at <= $1
  and act in ('suspend', 'restore', 'cancel', 'revoke', 'forfeit')
"""

log = get_logger(__name__)
Open = Callable[[Transaction], Registry]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class LifeParts:
    """What the life of licences adds to the service."""

    workers: tuple[Part, ...]
    measure: Measure


def life_parts(runtime: Runtime, registry_of: Open, types: LicenceTypes, files: KeptFiles) -> LifeParts:
    """Return the sweeps and the gauges. Any number of processes may run them at the same time."""
    settings = runtime.settings
    assert isinstance(settings, CertsSettings)
    every = settings.life_sweep_seconds
    steps = {
        "licence_orders": orders_step(runtime, registry_of),
        "licence_inspections": inspections_step(runtime, registry_of, types),
        "licence_retention": retention_step(runtime, registry_of, types, files),
    }
    workers = tuple(repeating(name, step, every_seconds=every) for name, step in steps.items())
    return LifeParts(workers, _measure(runtime))


def orders_step(runtime: Runtime, registry_of: Open) -> Callable[[], Awaitable[bool]]:
    """Return the step that carries out orders whose time has come, each licence in its own transaction."""

    async def step() -> bool:
        async with runtime.database.transaction() as tx:
            due = await registry_of(tx).life.orders.due_licences(runtime.clock(), DUE_AT_ONCE)

        async def carry_out(licence_id: str) -> None:
            async with runtime.database.transaction() as tx:
                await settle_licence(registry_of(tx), licence_id, runtime.clock())

        return await _each("order", due, carry_out) == DUE_AT_ONCE

    return step


def inspections_step(
    runtime: Runtime, registry_of: Open, types: LicenceTypes
) -> Callable[[], Awaitable[bool]]:
    """Return the step that schedules inspections and moves on those that time has moved."""

    async def step() -> bool:
        async with runtime.database.transaction() as tx:
            more = await schedule_inspections(registry_of(tx), types, runtime.clock())
        async with runtime.database.transaction() as tx:
            moving = await moving_inspections(registry_of(tx), runtime.clock())

        async def move(key: tuple[str, int]) -> None:
            async with runtime.database.transaction() as tx:
                await move_inspection(registry_of(tx), *key, runtime.clock())

        return await _each("inspection", moving, move) == MOVED_ROWS or more

    return step


def retention_step(
    runtime: Runtime, registry_of: Open, types: LicenceTypes, files: KeptFiles
) -> Callable[[], Awaitable[bool]]:
    """Return the step that erases what is past its retention, then removes the files of what was erased."""

    async def step() -> bool:
        async with runtime.database.transaction() as tx:
            erased = await erase_fallen(registry_of(tx), types, runtime.clock())
        async with runtime.database.transaction() as tx:
            removed = await remove_documents(registry_of(tx), files, runtime.clock())
        if erased or removed:
            log.info("licences_erased", erased=erased, files_of=removed)
        ERASED.inc(erased)
        return BATCH in {erased, removed}

    return step


async def _each(kind: str, keys: Iterable[Key], work: Callable[[Key], Awaitable[None]]) -> int:
    """Do the work for every key and return for how many it succeeded; one that fails keeps none from theirs."""
    done = 0
    for key in keys:
        try:
            await work(key)
            done += 1
        except Fault as fault:
            FAILED.labels(kind).inc()
            log.warning("licence_life_failed", kind=kind, cause=fault.code)
    return done


def _measure(runtime: Runtime) -> Measure:
    async def measure(tx: Transaction) -> None:
        found = {row["state"]: row["found"] for row in await tx.fetch(_COUNT)}
        for state in _SHOWN:
            INSPECTIONS.labels(state).set(found.get(state, 0))
        WAITING.set(await tx.fetchval(_LATE, runtime.clock()))

    return measure

"""The adoption put together: its step, how much of it is left as gauges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from chassis.clock import Clock
from chassis.db import Database, Transaction
from chassis.logs import get_logger
from chassis.measuring import Measure
from chassis.telemetry import counter, gauge
from services.certs.store import Vault
from services.certs.store.adoption import AdoptionStore, adoption_left
from services.certs.usecases.adopt import adopt

LOOK_SECONDS = 15.0
"""How often it is looked whether a pass is due."""
LEFT = gauge("log_adoption_left_rows", "Rows that the search for rows without leaf has still to look at")
FINISHED = gauge("log_adoption_finished", "1 once every row has its leaf and no older release can be writing")
REFUSED = gauge(
    "log_adoption_refused_rows", "Rows without leaf that got none: their integrity code does not hold"
)
ADOPTED = counter("log_adopted", "Leaves given afterwards to rows that were written without one")

log = get_logger(__name__)


def adoption_step(
    database: Database, vault: Vault, clock: Clock, upgrade: timedelta
) -> Callable[[], Awaitable[bool]]:
    """Return the step that does one page of the adoption; one process at a time does it."""

    async def step() -> bool:
        async with database.transaction() as tx:
            done = await adopt(AdoptionStore(tx, vault), clock(), upgrade)
        if done is None:
            return False
        ADOPTED.inc(done.leaves)
        if done.leaves or done.adoption.stage is not done.before:
            told = {"stage": done.adoption.stage, "leaves": done.leaves, "refused": done.adoption.refused}
            log.info("log_adoption", **told, left_rows=done.adoption.left_rows)
        return done.is_working

    return step


def adoption_measure() -> Measure:
    """Return what keeps the gauges true."""

    async def measure(tx: Transaction) -> None:
        finished, left, refused = await adoption_left(tx)
        FINISHED.set(finished)
        LEFT.set(left)
        REFUSED.set(refused)

    return measure

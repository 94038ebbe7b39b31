"""Gauges of the registry, read from the tables."""

from __future__ import annotations

import time

from chassis.db import Transaction
from chassis.measuring import Measure
from chassis.telemetry import gauge

FRESHNESS_SECONDS = 600.0
"""How often the registry is asked how fresh it is: the answer reads every imported licence."""
IMPORTED_AT = gauge(
    "licence_last_import_timestamp_seconds",
    "When licences of a type were last imported for a county, seconds since 1970",
    ["county", "licence_type"],
)

_FRESHNESS = """
select county_code, type_code, max(updated_at) as at from licence where origin = 'imported'
group by county_code, type_code
"""


def freshness() -> Measure:
    """Return the measure of how long ago each county's licences of each type were imported."""
    asked = float("-inf")

    async def measure(tx: Transaction) -> None:
        nonlocal asked
        if time.monotonic() - asked < FRESHNESS_SECONDS:
            return
        rows = await tx.fetch(_FRESHNESS)
        for row in rows:
            IMPORTED_AT.labels(row["county_code"], row["type_code"]).set(row["at"].timestamp())
        if rows:  # an empty registry costs nothing to ask
            asked = time.monotonic()

    return measure

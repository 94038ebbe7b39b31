"""Gauges of the registry, read from running figures: no measure reads the licences."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.db import Transaction
from chassis.measuring import Measure
from chassis.telemetry import gauge
from services.certs.domain.importing.source import OWN_FRESHNESS_SECONDS
from services.certs.domain.licence_type import LicenceTypes
from services.certs.store.sealing import Vault
from services.certs.store.sources import SourceStore

FRESHNESS = gauge(
    "certs_freshness_seconds",
    "Since licences of a type last arrived from a source, or were last issued here; of a silent source, since it was registered",
    ["licence_type", "source"],
)
OBJECTIVE = gauge(
    "certs_freshness_objective_seconds",
    "How long the registry may go without hearing from the source",
    ["licence_type", "source"],
)
DELAY_DAYS = gauge(
    "certs_freshness_delay_days",
    "Days from an act to its arrival: the least of the last chunk, and the worst ever",
    ["licence_type", "source", "kind"],
)
ARRIVED = gauge(
    "certs_freshness_arrivals",
    "Rows that arrived, by days from the act: up to 1, up to 7, up to 30, later",
    ["licence_type", "source", "kind"],
)
ANY_TYPE = "any"
"""The label of a source that may deliver every type and delivered none."""
_BUCKETS = {"1": "within_1_day", "7": "within_7_days", "30": "within_30_days", "later": "later"}


def freshness(vault: Vault, clock: Clock, types: LicenceTypes) -> Measure:
    """Return the measure of how fresh the licences of each type and source are; of types in the catalogue."""
    silent: set[tuple[str, str]] = set()

    async def measure(tx: Transaction) -> None:
        now, sources = clock(), SourceStore(tx, vault)
        rows = await tx.fetch("select * from source_freshness where type_code = any($1)", sorted(types))
        objectives = await sources.objectives()
        since = {(kind or ANY_TYPE, source): moment for source, kind, moment in await sources.silent(types)}
        for named in silent - since.keys():
            FRESHNESS.remove(*named)
            OBJECTIVE.remove(*named)
        silent.clear()
        silent.update(since)
        for named, registered_at in since.items():
            FRESHNESS.labels(*named).set((now - registered_at).total_seconds())
            OBJECTIVE.labels(*named).set(objectives[named[1]])
        for row in rows:
            named = row["type_code"], row["source_id"]
            FRESHNESS.labels(*named).set((now - row["last_arrival_at"]).total_seconds())
            OBJECTIVE.labels(*named).set(objectives.get(row["source_id"], OWN_FRESHNESS_SECONDS))
            DELAY_DAYS.labels(*named, "latest").set(row["latest_delay_days"])
            DELAY_DAYS.labels(*named, "worst").set(row["worst_delay_days"])
            for within, column in _BUCKETS.items():
                ARRIVED.labels(*named, within).set(row[column])

    return measure

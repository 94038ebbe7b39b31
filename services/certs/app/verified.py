"""What the last verification of the whole log found, out of the file that `tongban log verify --state` leaves."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import datetime
from pathlib import Path

from chassis.clock import Clock
from chassis.db import Transaction
from chassis.measuring import Measure
from chassis.telemetry import gauge

LOG_VERIFIED_AGE = gauge(
    "log_verified_age_seconds", "Since the log and the rows were last verified as a whole", known=False
)
LOG_FINDINGS = gauge("log_verify_findings", "Things that were wrong at the last verification", known=False)


def verified_measure(state: Path | None, clock: Clock) -> Measure:
    """Return what keeps the gauges true; without a file they say nothing. Until it is read, no news is not good news."""

    async def measure(tx: Transaction) -> None:
        del tx
        if state is None:
            return
        LOG_VERIFIED_AGE.set(math.inf)
        said = json.loads(await asyncio.to_thread(state.read_text, encoding="utf-8"))
        LOG_FINDINGS.set(int(said["findings"]))
        LOG_VERIFIED_AGE.set((clock() - datetime.fromisoformat(said["finished_at"])).total_seconds())

    return measure

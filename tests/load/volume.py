"""The main job's hot steps over a million cases beside the same over a few, in turns on one server (P13)."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.load.measured import Measured
from tests.load.servers import postgres, scratch
from tests.stacks.postgres import PostgresServer
from tests.volume.case_work import Secrets
from tests.volume.paired import measure, two_sizes

ROWS = 1_000_000
SECONDS_A_ROUND = 0.6
Note = Callable[[str], None]


async def volume(seconds: float, note: Note) -> Measured:
    """Return the rate with a million rows a table, as a share of the rate with a few."""
    async with postgres() as admin:
        server, began = PostgresServer(admin), time.monotonic()
        note(f"loading {ROWS:,} rows a table")
        with scratch() as folder:
            async with two_sizes(server, ROWS, Secrets(folder)) as (small, large, _):
                loaded = time.monotonic() - began
                note("cases in turns")
                found = await measure(small, large, max(15, int(seconds / SECONDS_A_ROUND)))
    return Measured(
        "volume",
        round(1 / found.large_seconds, 2),
        "cases/s",
        limit_name="the same beside it with a few rows, median of pairs",
        limit_value=round(1 / found.large_seconds / found.whole, 2),
        rows=ROWS,
        detail={
            "rows": "in every table that grows with cases, licences or events",
            "case": "hand in, decide, look up, timeline, find licences, outbox, inbox; one at a time, in process",
            "steps": found.steps,
            "steps_best": found.best_steps,
            "whole_best": found.best,
            "rounds": found.rounds,
            "loaded_seconds": round(loaded, 1),
        },
    )
